"""Folders that several processes of one test run share: the first process creates one, the others wait."""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path


def create_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Return the folder, filled by `make` unless a process of this test run has filled it already."""
    done = folder / ".made"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
