"""The library in a repository: size of its wheel as a file and in Git, and growth of the history by a change.

The duration of `make check` of this checkout is measured as well, with cold and with warm caches.
"""

import os
from pathlib import Path

from benchmarks.generated import TEMPLATE, GeneratedRepository
from benchmarks.process import run
from benchmarks.table import Figure, Progress
from gitops_ml.wheel import build

CHANGED = Path("src", "gitops_ml", "cli.py")
CACHES = ("MYPY_CACHE_DIR", "RUFF_CACHE_DIR")


def measure(generated: GeneratedRepository, progress: Progress) -> list[Figure]:
    """Measure the wheel, the generated repository, and its set-up."""
    progress("wheel")
    checkout = generated.root.with_name("checkout")
    run("git", "clone", "--quiet", TEMPLATE, checkout, cwd=generated.root)
    store = generated.root.with_name("wheels")
    store.mkdir()
    run("git", "init", "--quiet", cwd=store)
    wheel = build(checkout)
    first = _packed_size(store, wheel.content)
    with (checkout / CHANGED).open("a", encoding="utf-8") as file:
        file.write("\n# One line more.\n")
    second = _packed_size(store, build(checkout).content)
    files = sum(file.is_file() for file in generated.root.rglob("*") if ".venv" not in file.parts)
    return [
        Figure("wheel: bytes", "B", len(wheel.content), None, "", 1),
        Figure("wheel: bytes as Git packs it", "B", first, None, "", 1),
        Figure("wheel: bytes that a changed line adds to history", "B", second - first, None, "", 1),
        Figure("generated repository: files", "files", files, None, "", 1),
        Figure("make setup of a generated repository", "s", generated.setup, None, "", 1),
    ]


def check(generated: GeneratedRepository, progress: Progress) -> list[Figure]:
    """Measure `make check` with cold and with warm caches: elapsed time, and processor time."""
    figures = []
    caches = generated.root.with_name("caches")
    os.environ |= {name: str(caches / name) for name in CACHES}
    for state in ("cold", "warm"):
        progress(f"make check, {state}")
        cost = run("make", "check", cwd=TEMPLATE)
        figures.append(Figure(f"make check, {state}: time", "s", cost.seconds, None, "", 1))
        figures.append(Figure(f"make check, {state}: processors' time", "s", cost.processor, None, "", 1))
    for name in CACHES:
        del os.environ[name]
    return figures


def _packed_size(store: Path, content: bytes) -> int:
    """Replace the committed wheel; return the size of Git's objects (bytes)."""
    (store / "gitops_ml.whl").write_bytes(content)
    run("git", "add", "--all", cwd=store)
    run("git", "commit", "--quiet", "--message", "A wheel", cwd=store)
    run("git", "gc", "--quiet", "--prune=now", cwd=store)
    return sum(file.stat().st_size for file in (store / ".git" / "objects").rglob("*.pack"))
