"""Lets the clock start schedules, as GitHub's does: on the default branch, to the minute, in UTC."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

from github.runner.repository import Repository
from github.runner.workflow import Invalid, read

FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 6))


def due(cron: str, now: datetime) -> bool:
    """Whether a schedule strikes in this minute."""
    parts = cron.split()
    values = (now.minute, now.hour, now.day, now.month, now.isoweekday() % 7)
    fits = [
        value in _values(part, low, high) for part, value, (_, low, high) in zip(parts, values, FIELDS, strict=True)
    ]
    # Where both days are given, either will do.
    day = fits[2] or fits[4] if "*" not in (parts[2], parts[4]) else fits[2] and fits[4]
    return fits[0] and fits[1] and fits[3] and day


def _values(part: str, low: int, high: int) -> set[int]:
    """The numbers that a field names."""
    found: set[int] = set()
    for piece in part.split(","):
        span, _, step = piece.partition("/")
        first, _, last = span.partition("-")
        start = low if first == "*" else int(first)
        end = int(last) if last else high if first == "*" or step else start
        found.update(range(start, end + 1, int(step or 1)))
    return found


class Clock(threading.Thread):
    """Looks at every full minute which workflows are due."""

    def __init__(self, repository: Repository, strike: Callable[[str, str], None]) -> None:
        """`strike` is told the workflow's file and the schedule."""
        super().__init__(name="clock", daemon=True)
        self.repository, self.strike = repository, strike
        self.stopped = threading.Event()

    def run(self) -> None:
        """Strike until stopped."""
        while not self.stopped.wait(60 - datetime.now(UTC).timestamp() % 60):
            for file, cron in self._schedules():
                if due(cron, datetime.now(UTC)):
                    self.strike(file, cron)

    def _schedules(self) -> Iterator[tuple[str, str]]:
        """Every schedule on the default branch."""
        with suppress(LookupError):
            for file, text in self.repository.workflows(self.repository.default_branch()).items():
                with suppress(Invalid):
                    rules = read(file, text).triggers.get("schedule", {}).get("list", [])
                    yield from ((file, rule["cron"]) for rule in rules)
