"""Monitoring history of an environment: its windows, and the state of servers and alarms."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, Field, ValidationError

from gitops_ml.errors import IntegrityError
from gitops_ml.monitoring.window import Window, WindowCounts
from gitops_ml.run import Document


class ActiveAlarm(Document):
    """An alarm that has started and has not ended.

    Attributes:
        since: End of the window that raised it.
        together: True if it shares an issue with the drift of other columns.
    """

    since: AwareDatetime
    together: bool = False


class RetrainRequest(Document):
    """A training that alarms requested.

    Attributes:
        at: Time of the request.
        keys: Keys of the alarms.
        digest: Digest of the version that was champion.
        data: Digest of the data at that time; None if it is unknown without reading the data.
        by: User or workflow run that made the request.
    """

    at: AwareDatetime
    keys: list[str]
    digest: str
    data: str | None
    by: str


class MonitoringState(Document):
    """The current state of an environment.

    Attributes:
        digest: Digest of the version that the other fields describe.
        since: Time at which it was first observed to serve; None in a state that an older library wrote.
        until: End of its last window; None before the first.
        servers: Counts of each server at that time.
        run: Workflow run that evaluated the window; empty outside of a workflow.
        alarms: Active alarms by key.
        asked: Training requests of the last 30 days and since the alarms started, oldest first.
    """

    digest: str = ""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    servers: dict[str, WindowCounts] = Field({})
    run: str = ""
    alarms: dict[str, ActiveAlarm] = Field({})
    asked: list[RetrainRequest] = Field([])


@dataclass(frozen=True)
class MonitoringHistory:
    """The windows of an environment and its current state.

    Attributes:
        windows: Windows, oldest first.
        state: Current state.
    """

    windows: tuple[Window, ...]
    state: MonitoringState

    @property
    def current_windows(self) -> tuple[Window, ...]:
        """Windows of the current version since it serves; windows from before another version served are left out."""
        digest, since = self.state.digest, self.state.since
        return tuple(w for w in self.windows if w.digest == digest and (since is None or w.until >= since))

    def for_version(self, digest: str, at: datetime) -> "MonitoringHistory":
        """Return this history if it is about the version, else one with a new state for the version.

        Args:
            digest: Digest of the version.
            at: Time at which the version was first observed to serve.
        """
        if self.state.digest == digest:
            return self
        return replace(self, state=MonitoringState(digest=digest, since=at, asked=self.state.asked))


def parse_history(windows: Sequence[dict[str, Any]], state: dict[str, Any], environment: str) -> MonitoringHistory:
    """Parse the documents on the store branch.

    Args:
        windows: Documents of the windows, oldest first.
        state: Document of the state.
        environment: Name of the environment, for messages.

    Returns:
        The history of the environment.

    Raises:
        IntegrityError: A document is invalid.
    """
    try:
        parsed = tuple(Window.model_validate(each) for each in windows)
        return MonitoringHistory(parsed, MonitoringState.model_validate(state))
    except ValidationError as error:
        first = error.errors()[0]
        raise IntegrityError(
            f"monitoring/{environment} on the store branch: {'.'.join(map(str, first['loc']))}: {first['msg']}. "
            "A person probably edited the file.",
            "Restore it from Git (`git log` of that branch), or remove both files there to start over.",
        ) from error
