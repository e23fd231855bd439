"""The store: time of a transaction and bytes a run, at some numbers of runs, against MLflow on plain SQLite."""

import json
from pathlib import Path
from statistics import median

from benchmarks.bake import INSIDE, Baked, commit
from benchmarks.process import run
from benchmarks.table import Figure, Say

LAST = 9  # transactions that the median is taken from, where there are as many
PIECE = 50  # runs that one process registers; MLflow keeps something of each store that a process has opened


def measure(baked: Baked, marks: tuple[int, ...], say: Say) -> list[Figure]:
    """Register one run after the other, and look at the store at each mark."""
    root, plain = baked.another("registered"), baked.root.with_name("plain")
    commit(root)
    remote = _remote(root)
    plain.mkdir()
    run(baked.gitops, "--project", root, "train", cwd=root)
    times, sizes, first, packed, loose = list[Figure](), list[Figure](), 1, 0, 0
    for mark in marks:
        say(f"store, up to run {mark:,}")
        runs = mark - first + 1
        ours = _fill(baked, root, first, mark, root)
        bare = _fill(baked, root, first, mark, plain, f"sqlite:///{plain / 'mlflow.db'}")
        what = f"register run {mark:,}"
        times.append(Figure(what, "s", median(ours), median(bare), "MLflow on plain SQLite", len(ours)))
        run("git", "gc", "--quiet", "--prune=now", cwd=remote)
        was, packed, loose_was, loose = packed, _bytes(remote / "objects"), loose, _bytes(plain)
        growth = (packed - was) / runs, (loose - loose_was) / runs
        what = "bytes of the first run" if mark == 1 else f"bytes a run, {first:,} to {mark:,}"
        sizes.append(Figure(what, "B", *growth, "SQLite and artefact files", 1))
        first = mark + 1
    return [*times, *sizes]


def _remote(root: Path) -> Path:
    """A bare remote beside the repository that gives out parts of a commit, as hosted ones do."""
    remote = root.with_name("remote.git")
    run("git", "init", "--quiet", "--bare", remote, cwd=root)
    for setting in ("uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true", "receive.autogc=false"):
        run("git", "config", *setting.split("="), cwd=remote)
    run("git", "remote", "add", "origin", remote, cwd=root)
    return remote


def _fill(baked: Baked, root: Path, first: int, last: int, cwd: Path, *uri: str) -> list[float]:
    """Register runs with these numbers; the seconds that the last ones took."""
    seconds = list[float]()
    for start in range(first, last + 1, PIECE):
        numbers = str(start), str(min(start + PIECE - 1, last))
        done = run(baked.python, INSIDE / "fill_store.py", root, *numbers, *uri, cwd=cwd)
        seconds += json.loads(done.output.splitlines()[-1])
    return seconds[-LAST:]


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
