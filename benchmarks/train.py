"""Training: what `gitops train` takes beyond the fit, for validation, lineage, evaluation, plots and the digests."""

from pathlib import Path

from benchmarks.bake import INSIDE, Baked, commit
from benchmarks.process import often, run
from benchmarks.table import Figure, Say


def measure(baked: Baked, sizes: tuple[int, ...], times: int, say: Say) -> list[Figure]:
    """The sample as it is, then more rows that are drawn from it."""
    root = baked.another("trained")
    data = next((root / "data").glob("*.csv"))
    rows = len(data.read_text(encoding="utf-8").splitlines()) - 1
    commit(root)
    figures = [_measure(baked, root, data, f"train on the sample ({rows} rows)", times, say)]
    for size in sizes:
        run(baked.python, INSIDE / "draw_rows.py", data, str(size), cwd=root)
        commit(root)
        figures.append(_measure(baked, root, data, f"train on {size:,} rows", times, say))
    return figures


def _measure(baked: Baked, root: Path, data: Path, what: str, times: int, say: Say) -> Figure:
    say(what)
    ours = often(times, baked.gitops, "--project", root, "train", cwd=root)
    bare = often(times, baked.python, INSIDE / "bare_fit.py", root, data, cwd=root)
    return Figure(what, "s", ours.seconds, bare.seconds, "read_csv + Pipeline.fit", times)
