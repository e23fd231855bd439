"""How many rows one writer of the log took and wrote: numbers in a small file that outlives a kill of the process.

The file is memory that the system keeps when the process ends, however it ends; a number costs no system call. The
writer holds a lock on it for as long as it lives, so nobody takes the file of one that is only slow.
"""

import fcntl
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO

from gitops_ml.logged import DAY, OUTCOMES, PREDICTIONS

KINDS = (PREDICTIONS, OUTCOMES)
SUFFIX = ".count"
# Of each kind: rows taken, rows written or given up, what the latter becomes with the batch that is being written, that
# batch's number and its day. One store settles a batch, so that a kill never leaves half a truth.
ACCEPTED, SETTLED, AIM, BATCH, ON = range(5)
FIELDS, WORD = 5, 8
SIZE = len(KINDS) * FIELDS * WORD


class Track:
    """The numbers of this process.

    Attributes:
        writer: What this process is called.
        folder: Where the file lies; None where there is none, and the numbers end with the process.
    """

    def __init__(self, folder: Path | None, writer: str) -> None:
        """Start from zero, in a file that gets its name when it is locked.

        Args:
            folder: Of this machine: whoever answers callers stores into the file, and must not wait for a network.
            writer: A name that nobody else has.

        Raises:
            OSError: No file can be made there.
        """
        self.writer, self.folder = writer, folder
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        if folder is None:
            self._map = mmap.mmap(-1, SIZE)
        else:
            self._file, self._map = _file(folder, writer)
        self._numbers = memoryview(self._map).cast("q")

    def accept(self, kind: str, rows: int) -> None:
        """Rows are waiting to be written."""
        with self._lock:
            self._numbers[_place(kind, ACCEPTED)] += rows

    def begin(self, kind: str, rows: int, day: date) -> str:
        """A batch is about to be written; where."""
        numbers, batch = self._numbers, self._numbers[_place(kind, BATCH)] + 1
        numbers[_place(kind, AIM)] = numbers[_place(kind, SETTLED)]
        numbers[_place(kind, ON)], numbers[_place(kind, BATCH)] = day.toordinal(), batch
        numbers[_place(kind, AIM)] += rows
        return name(kind, day, self.writer, batch)

    def settle(self, kind: str) -> None:
        """It is written, or given up."""
        self._numbers[_place(kind, SETTLED)] = self._numbers[_place(kind, AIM)]

    def close(self) -> None:
        """Remove the file, unless rows are left of which the next server should know."""
        left = any(_left(self._numbers, kind) for kind in KINDS)
        self._numbers.release()
        self._map.close()
        if self.folder is not None and not left:
            (self.folder / f"{self.writer}{SUFFIX}").unlink(missing_ok=True)
        if self._file is not None:
            self._file.close()


@dataclass(frozen=True)
class Lost:
    """What a writer had taken, and had not written when it ended.

    Attributes:
        writer: Which one.
        rows: How many, by kind.
    """

    writer: str
    rows: dict[str, int]


def adopt(folder: Path, written: Callable[[str], bool]) -> Iterator[Lost]:
    """What writers lost that ended and left their numbers; each is told once, and its file removed.

    Args:
        folder: Where the files lie.
        written: Whether a file is in the sink: the last batch may have come there although nobody could note it.
    """
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            file = path.open("r+b")
        except FileNotFoundError:  # another server was quicker
            continue
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # it lives
                continue
            if os.fstat(file.fileno()).st_nlink:
                numbers = memoryview(file.read(SIZE).ljust(SIZE, b"\0")).cast("q")
                rows = {kind: _lost(numbers, kind, path.stem, written) for kind in KINDS}
                path.unlink()
                yield Lost(path.stem, rows)


def _file(folder: Path, writer: str) -> tuple[BinaryIO, mmap.mmap]:
    """A file of zeros that is locked, and the same as memory; nothing is left where it cannot be made."""
    new = folder / f"{writer}.new"
    with ExitStack() as undo:
        undo.callback(new.unlink, missing_ok=True)
        new.write_bytes(bytes(SIZE))
        file = undo.enter_context(new.open("r+b"))
        fcntl.flock(file, fcntl.LOCK_EX)
        mapped = mmap.mmap(file.fileno(), SIZE)
        new.rename(folder / f"{writer}{SUFFIX}")
        undo.pop_all()
    return file, mapped


def name(kind: str, day: date, writer: str, batch: int) -> str:
    """Where a batch lies in the sink."""
    return f"{kind}/{DAY}{day.isoformat()}/{writer}-{batch}.parquet"


def _lost(numbers: "memoryview[int]", kind: str, writer: str, written: Callable[[str], bool]) -> int:
    settled, aim = numbers[_place(kind, SETTLED)], numbers[_place(kind, AIM)]
    if aim > settled:
        day = date.fromordinal(numbers[_place(kind, ON)])
        settled = aim if written(name(kind, day, writer, numbers[_place(kind, BATCH)])) else settled
    return max(numbers[_place(kind, ACCEPTED)] - settled, 0)


def _left(numbers: "memoryview[int]", kind: str) -> int:
    return int(numbers[_place(kind, ACCEPTED)] - numbers[_place(kind, SETTLED)])


def _place(kind: str, field: int) -> int:
    return KINDS.index(kind) * FIELDS + field
