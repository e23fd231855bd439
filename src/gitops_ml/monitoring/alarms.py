"""Alarms begin and end: what a new window changes in what is remembered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gitops_ml.monitoring.memory import Alarm, Memory, State
from gitops_ml.monitoring.window import Window
from gitops_ml.watch import Monitoring

APART = 5  # columns that drift at the same time have an issue each up to here, and one together beyond
REMEMBERED = timedelta(days=90)


@dataclass(frozen=True)
class Turn:
    """What has changed.

    Attributes:
        memory: From now on.
        begun: Keys of alarms that were not there before.
        ended: Keys of those that are over.
    """

    memory: Memory
    begun: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()


def another(memory: Memory, digest: str, at: datetime) -> Turn:
    """Another version serves at this time: whatever was an alarm was about the one before."""
    now = memory.of(digest, at)
    return Turn(now, ended=tuple(memory.state.alarms) if now is not memory else ())


def turn(monitoring: Monitoring, memory: Memory, window: Window, state: State) -> Turn:
    """Remember a window. An alarm ends where the window knows better, and not where it says nothing of it.

    Args:
        monitoring: How many are kept.
        memory: Of this version, before it.
        window: The newest.
        state: Where the servers stand after it.
    """
    before, now = memory.state.alarms, set(window.alarms)
    known = {finding.key for finding in window.findings if finding.verdict != "insufficient data"}
    begun = tuple(key for key in window.alarms if key not in before)
    ended = tuple(key for key in before if key in known - now)
    kept = {key: alarm for key, alarm in before.items() if key not in ended}
    many = _share_an_issue([*kept, *begun], kept)
    new = {key: Alarm(since=window.until, together=many and _is_column(key)) for key in begun}
    asked = [each for each in memory.state.asked if window.until - each.at < REMEMBERED]
    update = {"alarms": {**kept, **new}, "asked": asked, "since": memory.state.since}
    state = state.model_copy(update=update)
    return Turn(Memory((*memory.windows, window)[-monitoring.keep_windows :], state), begun, ended)


def _share_an_issue(keys: Sequence[str], kept: dict[str, Alarm]) -> bool:
    """Many columns at once have one cause, and one issue; which stays theirs until all of them are quiet."""
    return sum(map(_is_column, keys)) > APART or any(alarm.together for alarm in kept.values())


def _is_column(key: str) -> bool:
    return key.startswith("data drift: ")
