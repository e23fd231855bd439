"""What is remembered of an environment: its windows, and where the servers and the alarms stand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, Field, ValidationError

from gitops_ml.errors import IntegrityError
from gitops_ml.monitoring.window import Seen, Window
from gitops_ml.run import Document


class Alarm(Document):
    """An alarm that has begun and has not ended.

    Attributes:
        since: The end of the window that raised it.
        together: Whether it shares an issue with the drift of other columns.
    """

    since: AwareDatetime
    together: bool = False


class Retraining(Document):
    """A training that alarms asked for.

    Attributes:
        at: When.
        keys: Of the alarms.
        digest: Of the version that was champion.
        data: Digest of the data then; None where it cannot be known without reading it.
        by: Who asked, or which run.
    """

    at: AwareDatetime
    keys: list[str]
    digest: str
    data: str | None
    by: str


class State(Document):
    """Where things stand.

    Attributes:
        digest: Of the version that the rest is about.
        since: When it was first seen to serve; None in a state that is older than this.
        until: The end of its last window; None before the first.
        servers: What each server had counted then.
        run: The workflow run that judged it; empty outside of one.
        alarms: By key.
        asked: Trainings of the last 30 days and since the alarms began, oldest first.
    """

    digest: str = ""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    servers: dict[str, Seen] = Field({})
    run: str = ""
    alarms: dict[str, Alarm] = Field({})
    asked: list[Retraining] = Field([])


@dataclass(frozen=True)
class Memory:
    """All of it.

    Attributes:
        windows: Oldest first.
        state: The rest.
    """

    windows: tuple[Window, ...]
    state: State

    @property
    def served(self) -> tuple[Window, ...]:
        """The windows of this version since it serves; what it saw before another one did is of another time."""
        digest, since = self.state.digest, self.state.since
        return tuple(w for w in self.windows if w.digest == digest and (since is None or w.until >= since))

    def of(self, digest: str, at: datetime) -> "Memory":
        """The same as far as it is about this version: with another one, at this time, it starts anew."""
        if self.state.digest == digest:
            return self
        return replace(self, state=State(digest=digest, since=at, asked=self.state.asked))


def parse(windows: Sequence[dict[str, Any]], state: dict[str, Any], environment: str) -> Memory:
    """Read what the store's branch has.

    Raises:
        IntegrityError: It is not what was written there.
    """
    try:
        return Memory(tuple(Window.model_validate(each) for each in windows), State.model_validate(state))
    except ValidationError as error:
        first = error.errors()[0]
        raise IntegrityError(
            f"monitoring/{environment} on the store branch: {'.'.join(map(str, first['loc']))}: {first['msg']}.",
            "Restore it from Git: `git log` of that branch; or remove both files there to start over.",
        ) from error
