"""What is asked of a source, and what it answers; whichever source it is, the rest of the room sees only this."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from gitops_ml.bins import counted
from gitops_ml.monitoring.window import Seen

Array = np.ndarray[Any, Any]
LONG = 7  # windows: schedules come late, or fail for days, and nothing in between may be lost


@dataclass(frozen=True)
class Question:
    """What is to be counted.

    Attributes:
        version: As the servers label it.
        reference: Its reference.json, verified.
        last: When the last window of this version ended; None before the first.
        until: When this one ends.
        hours: How long a window is.
    """

    version: str
    reference: Mapping[str, Any]
    last: datetime | None
    until: datetime
    hours: float

    @property
    def start(self) -> datetime:
        """When the window starts where a source can look back: where the one before ended, unless that is long ago."""
        window = timedelta(hours=self.hours)
        return max(self.last, self.until - LONG * window) if self.last else self.until - window

    @property
    def sizes(self) -> dict[str, int]:
        """How many counts each column has."""
        return {name: len(counted(described)) for name, described in self.reference["columns"].items()}

    @property
    def prediction_size(self) -> int:
        """How many counts the prediction has."""
        return len(counted(self.reference["prediction"]))


@dataclass(frozen=True)
class Told:
    """Rows whose truth was told, with what had been said of them; shape (n,) each.

    Attributes:
        truth: Labels as text, or numbers.
        said: The same of the prediction.
        watched: What `bins.watched` watches of the prediction.
    """

    truth: Array
    said: Array
    watched: Array


@dataclass(frozen=True)
class Look:
    """What a source answers.

    Attributes:
        start: Of the stretch of time.
        seen: What was counted in it.
        servers: What each server has counted since it started, for the next look; other sources have none.
        told: Rows whose truth was told in it; None where the source knows no truth.
        notes: What a person should know, in sentences.
    """

    start: datetime
    seen: Seen
    servers: Mapping[str, Seen] = field(default_factory=dict)
    told: Told | None = None
    notes: tuple[str, ...] = ()
