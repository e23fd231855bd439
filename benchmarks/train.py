"""Training: time of `gitops train` in comparison with the fit alone."""

from pathlib import Path

from benchmarks.generated import INSIDE, GeneratedRepository, commit
from benchmarks.process import run, run_repeatedly
from benchmarks.table import Figure, Progress


def measure(generated: GeneratedRepository, sizes: tuple[int, ...], times: int, progress: Progress) -> list[Figure]:
    """Measure training on the sample, then on more rows that are drawn from it."""
    root = generated.copy_to("trained")
    data = next((root / "data").glob("*.csv"))
    rows = len(data.read_text(encoding="utf-8").splitlines()) - 1
    commit(root)
    figures = [_measure(generated, root, data, f"train on the sample ({rows} rows)", times, progress)]
    for size in sizes:
        run(generated.python, INSIDE / "draw_rows.py", data, str(size), cwd=root)
        commit(root)
        figures.append(_measure(generated, root, data, f"train on {size:,} rows", times, progress))
    return figures


def _measure(
    generated: GeneratedRepository, root: Path, data: Path, name: str, times: int, progress: Progress
) -> Figure:
    progress(name)
    cost = run_repeatedly(times, generated.gitops, "--project", root, "train", cwd=root)
    bare = run_repeatedly(times, generated.python, INSIDE / "bare_fit.py", root, data, cwd=root)
    return Figure(name, "s", cost.seconds, bare.seconds, "read_csv + Pipeline.fit", times)
