"""Clock that starts schedules as GitHub does: on the default branch, to the minute, in UTC."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

from github.runner.repository import Repository
from github.runner.workflow import InvalidWorkflow, parse_workflow

FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 6))


def is_due(cron: str, now: datetime) -> bool:
    """Return whether a schedule is due in this minute."""
    parts = cron.split()
    values = (now.minute, now.hour, now.day, now.month, now.isoweekday() % 7)
    matches = [
        value in _values(part, low, high) for part, value, (_, low, high) in zip(parts, values, FIELDS, strict=True)
    ]
    # If both day fields are set, one match suffices.
    day = matches[2] or matches[4] if "*" not in (parts[2], parts[4]) else matches[2] and matches[4]
    return matches[0] and matches[1] and matches[3] and day


def _values(part: str, low: int, high: int) -> set[int]:
    """Return the numbers that a field names."""
    numbers: set[int] = set()
    for interval in part.split(","):
        bounds, _, step = interval.partition("/")
        first, _, last = bounds.partition("-")
        start = low if first == "*" else int(first)
        end = int(last) if last else high if first == "*" or step else start
        numbers.update(range(start, end + 1, int(step or 1)))
    return numbers


class Clock(threading.Thread):
    """Thread that starts due workflows at every full minute."""

    def __init__(self, repository: Repository, trigger: Callable[[str, str], None]) -> None:
        """Call `trigger` with the workflow's file and the schedule when it is due."""
        super().__init__(name="clock", daemon=True)
        self.repository, self.trigger = repository, trigger
        self.stopped = threading.Event()

    def run(self) -> None:
        """Trigger due schedules until stopped."""
        while not self.stopped.wait(60 - datetime.now(UTC).timestamp() % 60):
            for file, cron in self._schedules():
                if is_due(cron, datetime.now(UTC)):
                    self.trigger(file, cron)

    def _schedules(self) -> Iterator[tuple[str, str]]:
        """Yield every schedule on the default branch."""
        with suppress(LookupError):
            for file, text in self.repository.workflows(self.repository.default_branch()).items():
                with suppress(InvalidWorkflow):
                    rules = parse_workflow(file, text).triggers.get("schedule", {}).get("list", [])
                    yield from ((file, rule["cron"]) for rule in rules)
