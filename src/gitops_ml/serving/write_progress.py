"""Progress of a writer of the prediction log: counters in a small file that survives a killed process.

The file is mapped into memory, which the operating system keeps when the process ends, however it ends; updating a
counter needs no system call. The writer holds a lock on the file while it lives, so the file of a slow writer is not
taken for that of a dead one.
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

from gitops_ml.prediction_log import DAY_PREFIX, OUTCOMES, PREDICTIONS

KINDS = (PREDICTIONS, OUTCOMES)
SUFFIX = ".count"
# Counters of each kind: accepted rows; committed rows (written or dropped); committed rows after the current batch;
# number of the current batch; its day as an ordinal. One memory store commits a batch, so a kill never leaves a batch
# half committed.
ACCEPTED, COMMITTED, NEXT, BATCH, DAY = range(5)
FIELDS, WORD = 5, 8
SIZE = len(KINDS) * FIELDS * WORD


class WriteProgress:
    """The counters of this process.

    Attributes:
        writer: Unique name of the writer.
        folder: Folder of the file; None if there is no file, so that the counters end with the process.
    """

    def __init__(self, folder: Path | None, writer: str) -> None:
        """Create the file with all counters at zero; it gets its name when it is locked.

        Args:
            folder: Local folder. Request handlers write to the file, so it must not be on a network.
            writer: Unique name of the writer.

        Raises:
            OSError: The file cannot be created.
        """
        self.writer, self.folder = writer, folder
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        if folder is None:
            self._map = mmap.mmap(-1, SIZE)
        else:
            self._file, self._map = _create_file(folder, writer)
        self._counters = memoryview(self._map).cast("q")

    def accept(self, kind: str, rows: int) -> None:
        """Count rows that were queued.

        Args:
            kind: Kind of rows: predictions or outcomes.
            rows: Number of rows.
        """
        with self._lock:
            self._counters[_index(kind, ACCEPTED)] += rows

    def begin(self, kind: str, rows: int, day: date) -> str:
        """Note that a batch is about to be written.

        Args:
            kind: Kind of rows: predictions or outcomes.
            rows: Number of rows in the batch.
            day: Day of the batch, in UTC.

        Returns:
            Path of the batch in the sink.
        """
        counters, batch = self._counters, self._counters[_index(kind, BATCH)] + 1
        counters[_index(kind, NEXT)] = counters[_index(kind, COMMITTED)]
        counters[_index(kind, DAY)], counters[_index(kind, BATCH)] = day.toordinal(), batch
        counters[_index(kind, NEXT)] += rows
        return batch_path(kind, day, self.writer, batch)

    def commit(self, kind: str) -> None:
        """Note that the current batch is written, or dropped.

        Args:
            kind: Kind of rows: predictions or outcomes.
        """
        self._counters[_index(kind, COMMITTED)] = self._counters[_index(kind, NEXT)]

    def close(self) -> None:
        """Remove the file, unless rows are left that the next server must count as lost."""
        rows_left = any(_uncommitted(self._counters, kind) for kind in KINDS)
        self._counters.release()
        self._map.close()
        if self.folder is not None and not rows_left:
            (self.folder / f"{self.writer}{SUFFIX}").unlink(missing_ok=True)
        if self._file is not None:
            self._file.close()


@dataclass(frozen=True)
class LostRows:
    """Rows that a writer had accepted and not written when it ended.

    Attributes:
        writer: Name of the writer.
        rows: Number of rows, by kind.
    """

    writer: str
    rows: dict[str, int]


def recover_lost_rows(folder: Path, is_in_sink: Callable[[str], bool]) -> Iterator[LostRows]:
    """Yield the lost rows of each dead writer, and remove its file, so that they are counted once.

    Args:
        folder: Folder of the progress files.
        is_in_sink: Function that returns whether a path exists in the sink. The last batch may have been written
            although it was not committed.
    """
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            file = path.open("r+b")
        except FileNotFoundError:  # another server was faster
            continue
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # the writer is alive
                continue
            if os.fstat(file.fileno()).st_nlink:
                counters = memoryview(file.read(SIZE).ljust(SIZE, b"\0")).cast("q")
                rows = {kind: _lost_rows(counters, kind, path.stem, is_in_sink) for kind in KINDS}
                path.unlink()
                yield LostRows(path.stem, rows)


def _create_file(folder: Path, writer: str) -> tuple[BinaryIO, mmap.mmap]:
    """Create a locked file of zeros, and map it into memory; a failure leaves no file."""
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


def batch_path(kind: str, day: date, writer: str, batch: int) -> str:
    """Return the path of a batch in the sink.

    Args:
        kind: Kind of rows: predictions or outcomes.
        day: Day of the batch, in UTC.
        writer: Name of the writer.
        batch: Number of the batch, counted from 1.
    """
    return f"{kind}/{DAY_PREFIX}{day.isoformat()}/{writer}-{batch}.parquet"


def _lost_rows(counters: "memoryview[int]", kind: str, writer: str, is_in_sink: Callable[[str], bool]) -> int:
    committed, following = counters[_index(kind, COMMITTED)], counters[_index(kind, NEXT)]
    if following > committed:
        day = date.fromordinal(counters[_index(kind, DAY)])
        path = batch_path(kind, day, writer, counters[_index(kind, BATCH)])
        committed = following if is_in_sink(path) else committed
    return max(counters[_index(kind, ACCEPTED)] - committed, 0)


def _uncommitted(counters: "memoryview[int]", kind: str) -> int:
    return int(counters[_index(kind, ACCEPTED)] - counters[_index(kind, COMMITTED)])


def _index(kind: str, field: int) -> int:
    return KINDS.index(kind) * FIELDS + field
