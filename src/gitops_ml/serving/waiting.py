"""What waits to be written: so many rows at most, handed over together."""

import threading
import time
from collections import deque
from collections.abc import Sized
from typing import Generic, TypeVar

T = TypeVar("T", bound=Sized)


class Waiting(Generic[T]):
    """A queue that is bounded by rows; putting in never waits."""

    def __init__(self, most: int, batch: int, seconds: float) -> None:
        """Nothing waits yet.

        Args:
            most: Rows that may wait.
            batch: Rows that are handed over at once.
            seconds: That a row waits at most for others.
        """
        self._most, self._batch, self._seconds = most, batch, seconds
        self._entries = deque[tuple[float, T]]()
        self._rows, self.closed = 0, False
        self._changed = threading.Condition()

    def put(self, entry: T) -> bool:
        """Whether there was room."""
        with self._changed:
            if self.closed or self._rows + len(entry) > self._most:
                return False
            first = not self._entries
            self._entries.append((time.monotonic(), entry))
            self._rows += len(entry)
            if first or self._rows >= self._batch:  # else whoever takes knows already how long to sleep
                self._changed.notify()
            return True

    def take(self, seconds: float) -> list[T]:
        """What is due, as soon as it is; nothing if nothing came in so many seconds, or never will."""
        until = time.monotonic() + seconds
        with self._changed:
            while (left := self._left(until)) > 0:
                self._changed.wait(left)
            return self._taken()

    def close(self) -> None:
        """Nothing more comes; what waits is due."""
        with self._changed:
            self.closed = True
            self._changed.notify()

    def _left(self, until: float) -> float:
        """Seconds until something is due, or the patience ends."""
        if self.closed or self._rows >= self._batch:
            return 0
        due = self._entries[0][0] + self._seconds if self._entries else until
        return due - time.monotonic()

    def _taken(self) -> list[T]:
        taken, rows = list[T](), 0
        while self._entries and rows < self._batch:
            _, entry = self._entries.popleft()
            taken.append(entry)
            rows += len(entry)
        self._rows -= rows
        return taken
