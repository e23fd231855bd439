"""Start-up: time of `--help`."""

from pathlib import Path

from benchmarks.generated import GeneratedRepository
from benchmarks.process import run, run_repeatedly
from benchmarks.table import Figure, Progress

HELP = (("--help",), ("train", "--help"))
BARE = ("pass", "import click")


def measure(generated: GeneratedRepository, times: int, progress: Progress) -> list[Figure]:
    """Measure two commands, in comparison with an interpreter that does nothing and one that imports click."""
    progress("start-up")
    bare = {script: _median(times, generated.python, "-c", script, cwd=generated.root) for script in BARE}
    figures = []
    for arguments in HELP:
        seconds = _median(times, generated.gitops, *arguments, cwd=generated.root)
        name = f"start: gitops {' '.join(arguments)}"
        figures += [Figure(name, "s", seconds, bare[script], f"python -c '{script}'", times) for script in BARE]
    return figures


def _median(times: int, *command: str | Path, cwd: Path) -> float:
    """Return the median in seconds, after a first start, which may compile modules."""
    run(*command, cwd=cwd)
    return run_repeatedly(times, *command, cwd=cwd).seconds
