"""Changes of alarms: which alarms a new window starts and ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gitops_ml.monitoring.monitoring_history import ActiveAlarm, MonitoringHistory, MonitoringState
from gitops_ml.monitoring.window import Window
from gitops_ml.monitoring_config import MonitoringConfig

MAX_SEPARATE_ISSUES = 5  # up to this many drifting columns have an issue each; more columns share one issue
RETRAIN_REQUESTS_KEPT = timedelta(days=90)


@dataclass(frozen=True)
class AlarmChanges:
    """A new monitoring history, and the alarms that it starts and ends.

    Attributes:
        history: Monitoring history after the change.
        started: Keys of alarms that were not active before.
        ended: Keys of alarms that are no longer active.
    """

    history: MonitoringHistory
    started: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()


def change_version(history: MonitoringHistory, digest: str, at: datetime) -> AlarmChanges:
    """Return the history for the version that serves now; alarms of the version before it end.

    Args:
        history: History of the environment.
        digest: Digest of the version that serves.
        at: Time at which it was first observed to serve.
    """
    current = history.for_version(digest, at)
    return AlarmChanges(current, ended=tuple(history.state.alarms) if current is not history else ())


def add_window(
    monitoring: MonitoringConfig, history: MonitoringHistory, window: Window, state: MonitoringState
) -> AlarmChanges:
    """Return the history with a new window.

    An alarm ends if the window has enough data to evaluate it and does not raise it. It continues if the window has
    insufficient data.

    Args:
        monitoring: Configuration; limits how many windows are kept.
        history: History of this version before the window.
        window: Newest window.
        state: State of the servers after the window.
    """
    before, raised = history.state.alarms, set(window.alarms)
    evaluated = {finding.key for finding in window.findings if finding.verdict != "insufficient data"}
    started = tuple(key for key in window.alarms if key not in before)
    ended = tuple(key for key in before if key in evaluated - raised)
    kept = {key: alarm for key, alarm in before.items() if key not in ended}
    share = _share_an_issue([*kept, *started], kept)
    new = {key: ActiveAlarm(since=window.until, together=share and _is_column(key)) for key in started}
    asked = [request for request in history.state.asked if window.until - request.at < RETRAIN_REQUESTS_KEPT]
    update = {"alarms": {**kept, **new}, "asked": asked, "since": history.state.since}
    state = state.model_copy(update=update)
    windows = (*history.windows, window)[-monitoring.keep_windows :]
    return AlarmChanges(MonitoringHistory(windows, state), started, ended)


def _share_an_issue(keys: Sequence[str], kept: dict[str, ActiveAlarm]) -> bool:
    """Return whether drifting columns share one issue.

    Many columns that drift at once usually have one cause. They share the issue until all of them are quiet again.
    """
    return sum(map(_is_column, keys)) > MAX_SEPARATE_ISSUES or any(alarm.together for alarm in kept.values())


def _is_column(key: str) -> bool:
    return key.startswith("data drift: ")
