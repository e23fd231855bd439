"""A queue that holds a limited number of rows and returns them in batches."""

import threading
import time
from collections import deque
from collections.abc import Sized
from typing import Generic, TypeVar

T = TypeVar("T", bound=Sized)


class BoundedQueue(Generic[T]):
    """A queue of entries whose total number of rows is limited; adding an entry never blocks."""

    def __init__(self, max_rows: int, batch_rows: int, max_seconds: float) -> None:
        """Create an empty queue.

        Args:
            max_rows: Largest number of rows in the queue.
            batch_rows: Number of rows that make a batch.
            max_seconds: Seconds after which an incomplete batch is due.
        """
        self._max_rows, self._batch_rows, self._max_seconds = max_rows, batch_rows, max_seconds
        self._entries = deque[tuple[float, T]]()
        self._rows, self.closed = 0, False
        self._changed = threading.Condition()

    def put(self, entry: T) -> bool:
        """Add an entry.

        Args:
            entry: Entry whose length is its number of rows.

        Returns:
            True if it was added, False if the queue is full or closed.
        """
        with self._changed:
            if self.closed or self._rows + len(entry) > self._max_rows:
                return False
            is_first = not self._entries
            self._entries.append((time.monotonic(), entry))
            self._rows += len(entry)
            if is_first or self._rows >= self._batch_rows:  # otherwise the reader knows already how long to wait
                self._changed.notify()
            return True

    def take(self, seconds: float) -> list[T]:
        """Wait for the next batch.

        Args:
            seconds: Seconds to wait at most.

        Returns:
            The entries of the batch; empty if none was due in time, or if the queue is closed and empty.
        """
        until = time.monotonic() + seconds
        with self._changed:
            while (left := self._seconds_left(until)) > 0:
                self._changed.wait(left)
            return self._pop_batch()

    def close(self) -> None:
        """Refuse further entries; entries in the queue are due at once."""
        with self._changed:
            self.closed = True
            self._changed.notify()

    def _seconds_left(self, until: float) -> float:
        """Return the seconds until a batch is due, or until the wait ends."""
        if self.closed or self._rows >= self._batch_rows:
            return 0
        due = self._entries[0][0] + self._max_seconds if self._entries else until
        return due - time.monotonic()

    def _pop_batch(self) -> list[T]:
        batch, rows = list[T](), 0
        while self._entries and rows < self._batch_rows:
            _, entry = self._entries.popleft()
            batch.append(entry)
            rows += len(entry)
        self._rows -= rows
        return batch
