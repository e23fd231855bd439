"""The library in a repository: bytes of its wheel, as a file and as Git keeps it, and what a change of it adds.

And what working on it costs: `make check` of this checkout, with nothing in the caches of the tools and with all of it.
"""

import os
from pathlib import Path

from benchmarks.bake import TEMPLATE, Baked
from benchmarks.process import run
from benchmarks.table import Figure, Say
from gitops_ml.wheel import build

CHANGED = Path("src", "gitops_ml", "cli.py")
CACHES = ("MYPY_CACHE_DIR", "RUFF_CACHE_DIR")


def measure(baked: Baked, say: Say) -> list[Figure]:
    """The wheel, the repository that it lies in, and its set-up."""
    say("wheel")
    checkout = baked.root.with_name("checkout")
    run("git", "clone", "--quiet", TEMPLATE, checkout, cwd=baked.root)
    store = baked.root.with_name("wheels")
    store.mkdir()
    run("git", "init", "--quiet", cwd=store)
    wheel = build(checkout)
    first = _kept(store, wheel.content)
    with (checkout / CHANGED).open("a", encoding="utf-8") as file:
        file.write("\n# One line more.\n")
    second = _kept(store, build(checkout).content)
    files = sum(file.is_file() for file in baked.root.rglob("*") if ".venv" not in file.parts)
    return [
        Figure("wheel: bytes", "B", len(wheel.content), None, "", 1),
        Figure("wheel: bytes as Git packs it", "B", first, None, "", 1),
        Figure("wheel: bytes that a changed line adds to history", "B", second - first, None, "", 1),
        Figure("generated repository: files", "files", files, None, "", 1),
        Figure("make setup of a generated repository", "s", baked.setup, None, "", 1),
    ]


def check(baked: Baked, say: Say) -> list[Figure]:
    """`make check`, cold and then warm: seconds on the clock, and of all processors."""
    figures = []
    caches = baked.root.with_name("caches")
    os.environ |= {name: str(caches / name) for name in CACHES}
    for state in ("cold", "warm"):
        say(f"make check, {state}")
        cost = run("make", "check", cwd=TEMPLATE)
        figures.append(Figure(f"make check, {state}: time", "s", cost.seconds, None, "", 1))
        figures.append(Figure(f"make check, {state}: processors' time", "s", cost.processor, None, "", 1))
    for name in CACHES:
        del os.environ[name]
    return figures


def _kept(store: Path, content: bytes) -> int:
    """Commit a wheel in the place of the one before; bytes of all that Git keeps then."""
    (store / "gitops_ml.whl").write_bytes(content)
    run("git", "add", "--all", cwd=store)
    run("git", "commit", "--quiet", "--message", "A wheel", cwd=store)
    run("git", "gc", "--quiet", "--prune=now", cwd=store)
    return sum(file.stat().st_size for file in (store / ".git" / "objects").rglob("*.pack"))
