"""Start-up: how long a person waits for `--help`."""

from pathlib import Path

from benchmarks.bake import Baked
from benchmarks.process import often, run
from benchmarks.table import Figure, Say

HELP = (("--help",), ("train", "--help"))
BARE = ("pass", "import click")


def measure(baked: Baked, times: int, say: Say) -> list[Figure]:
    """Two of the CLI's answers, against an interpreter that does nothing and one that imports click."""
    say("start-up")
    bare = {script: _median(times, baked.python, "-c", script, cwd=baked.root) for script in BARE}
    figures = []
    for arguments in HELP:
        ours = _median(times, baked.gitops, *arguments, cwd=baked.root)
        what = f"start: gitops {' '.join(arguments)}"
        figures += [Figure(what, "s", ours, bare[script], f"python -c '{script}'", times) for script in BARE]
    return figures


def _median(times: int, *command: str | Path, cwd: Path) -> float:
    """The median in seconds, after a first start that may have to compile."""
    run(*command, cwd=cwd)
    return often(times, *command, cwd=cwd).seconds
