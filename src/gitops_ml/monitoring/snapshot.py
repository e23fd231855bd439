"""Snapshot of a served version: the request to a source and its result, the same for every source."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from gitops_ml.bins import bin_counts
from gitops_ml.monitoring.window import WindowCounts

Array = np.ndarray[Any, Any]
MAX_WINDOWS = 7  # schedules run late or fail for days; counts of up to this many windows are not lost


@dataclass(frozen=True)
class SnapshotRequest:
    """The version and the time span that a source counts.

    Attributes:
        version: Version as the servers label it.
        reference: Content of its verified reference.json.
        last_until: End of the last window of this version; None before the first.
        until: End of this window.
        window_hours: Length of a window in hours.
    """

    version: str
    reference: Mapping[str, Any]
    last_until: datetime | None
    until: datetime
    window_hours: float

    @property
    def start(self) -> datetime:
        """Start of the window for a source that has past data: the end of the last window, unless it is long ago."""
        window = timedelta(hours=self.window_hours)
        return max(self.last_until, self.until - MAX_WINDOWS * window) if self.last_until else self.until - window

    @property
    def column_sizes(self) -> dict[str, int]:
        """Number of counts of each column."""
        return {name: len(bin_counts(described)) for name, described in self.reference["columns"].items()}

    @property
    def prediction_size(self) -> int:
        """Number of counts of the prediction."""
        return len(bin_counts(self.reference["prediction"]))


@dataclass(frozen=True)
class LabeledPredictions:
    """Predictions whose outcomes are known; shape (n,) each.

    Attributes:
        labels: Outcomes: class labels as text, or numbers.
        predictions: Predictions in the same form.
        monitored: Monitored value of each prediction, see `bins.monitored_values`.
    """

    labels: Array
    predictions: Array
    monitored: Array


@dataclass(frozen=True)
class Snapshot:
    """The result of a source.

    Attributes:
        start: Start of the time span.
        counts: Counts in the time span.
        servers: Counts of each server since it started, for the next snapshot; empty for other sources.
        labeled: Predictions whose outcomes arrived in the time span; None if the source has no outcomes.
        notes: Notes for the user, in sentences.
    """

    start: datetime
    counts: WindowCounts
    servers: Mapping[str, WindowCounts] = field(default_factory=dict)
    labeled: LabeledPredictions | None = None
    notes: tuple[str, ...] = ()
