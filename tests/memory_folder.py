"""A folder in memory for tests that create and delete tens of thousands of files, which takes long on a disk.

If the machine has too little memory, or with KEEP=1, the files are on disk, where pytest keeps them for a while.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOUNT = Path("/dev/shm")  # noqa: S108 (folders in it are created by mkdtemp)
MIN_FREE_BYTES = 10 * 2**30
VARIABLE = "LOCAL_MEMORY"
PREFIX = "gitops-tests-"


def create() -> None:
    """Create the folder for this process and its children, and remove folders of killed processes."""
    for leftover in MOUNT.glob(f"{PREFIX}*"):
        if not Path("/proc", leftover.name.removeprefix(PREFIX).partition("-")[0]).exists():
            shutil.rmtree(leftover, ignore_errors=True)
    if MOUNT.is_dir() and not os.environ.get("KEEP") and _free_bytes() >= MIN_FREE_BYTES:
        os.environ[VARIABLE] = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=MOUNT)


def remove() -> None:
    """Remove the folder."""
    if folder := os.environ.pop(VARIABLE, None):
        shutil.rmtree(folder, ignore_errors=True)


def path_or(fallback: Path) -> Path:
    """Return the folder, or the fallback if there is none."""
    return Path(os.environ.get(VARIABLE) or fallback)


@contextmanager
def temporary_folder(fallback: Path) -> Iterator[Path]:
    """Create a temporary folder in it; use the fallback if there is none."""
    if VARIABLE not in os.environ:
        yield fallback
        return
    with tempfile.TemporaryDirectory(dir=os.environ[VARIABLE], ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _free_bytes() -> int:
    """Return the available memory in bytes, as the machine estimates it."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    return min(shutil.disk_usage(MOUNT).free, available)
