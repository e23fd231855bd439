"""A folder in memory, for what lays out tens of thousands of files and takes them away: a disk spends longer on that
than a job on its work.

Where a machine has too little memory, and with KEEP=1, everything lies on its disk, where pytest keeps it for a while.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOUNTED = Path("/dev/shm")  # noqa: S108 (what we make in it, mkdtemp makes)
ROOM = 10 * 2**30
NAMED = "LOCAL_MEMORY"
PREFIX = "gitops-tests-"


def begin() -> None:
    """Make the folder for this process and all that it starts, and take away what others left who were killed."""
    for left in MOUNTED.glob(f"{PREFIX}*"):
        if not Path("/proc", left.name.removeprefix(PREFIX).partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
    if MOUNTED.is_dir() and not os.environ.get("KEEP") and _room() >= ROOM:
        os.environ[NAMED] = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=MOUNTED)


def end() -> None:
    """Take it away."""
    if there := os.environ.pop(NAMED, None):
        shutil.rmtree(there, ignore_errors=True)


def place(otherwise: Path) -> Path:
    """The folder, where there is one."""
    return Path(os.environ.get(NAMED) or otherwise)


@contextmanager
def lent(otherwise: Path) -> Iterator[Path]:
    """A folder of one's own in it, for a while."""
    if NAMED not in os.environ:
        yield otherwise
        return
    with tempfile.TemporaryDirectory(dir=os.environ[NAMED], ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _room() -> int:
    """What the machine could give, as it estimates itself, in bytes."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    return min(shutil.disk_usage(MOUNTED).free, available)
