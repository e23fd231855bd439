"""The store: time of a transaction and size of a run, in comparison with MLflow on plain SQLite."""

import json
from pathlib import Path
from statistics import median

from benchmarks.generated import INSIDE, GeneratedRepository, commit
from benchmarks.process import run
from benchmarks.table import Figure, Progress

LAST = 9  # maximum number of transactions that the median is taken from
CHUNK = 50  # number of runs that a process registers, for MLflow uses memory for each store that a process opens


def measure(generated: GeneratedRepository, marks: tuple[int, ...], progress: Progress) -> list[Figure]:
    """Register one run after the other, and measure the store at each number of runs."""
    root, plain = generated.copy_to("registered"), generated.root.with_name("plain")
    commit(root)
    remote = _remote(root)
    plain.mkdir()
    run(generated.gitops, "--project", root, "train", cwd=root)
    times, sizes, first, packed, loose = list[Figure](), list[Figure](), 1, 0, 0
    for mark in marks:
        progress(f"store, up to run {mark:,}")
        runs = mark - first + 1
        seconds = _fill(generated, root, first, mark, root)
        bare_seconds = _fill(generated, root, first, mark, plain, f"sqlite:///{plain / 'mlflow.db'}")
        name = f"register run {mark:,}"
        baseline = "MLflow on plain SQLite"
        times.append(Figure(name, "s", median(seconds), median(bare_seconds), baseline, len(seconds)))
        run("git", "gc", "--quiet", "--prune=now", cwd=remote)
        packed_before, packed, loose_before, loose = packed, _bytes(remote / "objects"), loose, _bytes(plain)
        growth = (packed - packed_before) / runs, (loose - loose_before) / runs
        name = "bytes of the first run" if mark == 1 else f"bytes a run, {first:,} to {mark:,}"
        sizes.append(Figure(name, "B", *growth, "SQLite and artefact files", 1))
        first = mark + 1
    return [*times, *sizes]


def _remote(root: Path) -> Path:
    """Create a bare remote repository that supports partial clones, as hosted ones do."""
    remote = root.with_name("remote.git")
    run("git", "init", "--quiet", "--bare", remote, cwd=root)
    for setting in ("uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true", "receive.autogc=false"):
        run("git", "config", *setting.split("="), cwd=remote)
    run("git", "remote", "add", "origin", remote, cwd=root)
    return remote


def _fill(generated: GeneratedRepository, root: Path, first: int, last: int, cwd: Path, *uri: str) -> list[float]:
    """Register runs with these numbers; return the seconds of the last ones."""
    seconds = list[float]()
    for start in range(first, last + 1, CHUNK):
        numbers = str(start), str(min(start + CHUNK - 1, last))
        done = run(generated.python, INSIDE / "fill_store.py", root, *numbers, *uri, cwd=cwd)
        seconds += json.loads(done.output.splitlines()[-1])
    return seconds[-LAST:]


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
