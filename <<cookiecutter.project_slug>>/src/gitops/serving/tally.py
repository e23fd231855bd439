# machinery
"""Rows and predictions counted into the bins of the reference, as training counted its own; memory stays the same.

Kept as arrays and shown when Prometheus asks: a label's own counter would cost more than finding the bin.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from gitops.bins import bins, watched
from gitops.counters import FEATURES, PREDICTIONS, WITHIN
from gitops.predictions import Predictions


class Tally:
    """The counts of one column.

    Attributes:
        words: What each bin holds.
        counts: Of each bin; the last one is of what is missing.
    """

    def __init__(self, described: dict[str, Any], kind: str = "") -> None:
        """Start from zero.

        Args:
            described: The column in the reference.
            kind: Pandas' name of its type, where one is told.
        """
        self.words = bins(described)
        self.counts = np.zeros(len(self.words), dtype=np.int64)
        self._edges = np.asarray(described["edges"], dtype=float) if "edges" in described else None
        # How a date is written depends on the others beside it, so dates are compared as such.
        self._dated = kind.startswith("datetime")
        names = [] if "edges" in described else list(described["categories"])
        self._places = {pd.Timestamp(name) if self._dated else name: place for place, name in enumerate(names)}

    def add(self, column: "pd.Series[Any]") -> None:
        """Count some values."""
        self.counts += self._by_category(column) if self._edges is None else self._by_edge(column)

    def _by_edge(self, column: "pd.Series[Any]") -> "np.ndarray[Any, Any]":
        assert self._edges is not None  # noqa: S101 (else nobody asks)
        numbers = column.to_numpy(dtype=float, na_value=np.nan)
        places = np.searchsorted(self._edges, numbers, side="right")
        places[np.isnan(numbers)] = len(self._edges) + 1
        return np.bincount(places, minlength=len(self.words))

    def _by_category(self, column: "pd.Series[Any]") -> "np.ndarray[Any, Any]":
        there, found = column[column.notna()], np.zeros(len(self.words), dtype=np.int64)
        found[-1] = len(column) - len(there)
        if not self._places:  # a name rather than a category: nothing to watch but its absence
            found[-2] = len(there)
            return found
        values = there.tolist() if self._dated else there.astype(str).tolist()
        for value, number in Counter(values).items():
            found[self._places.get(value, len(self.words) - 2)] += number
        return found


class Tallies(Collector):
    """The counts of every column and of the prediction, as Prometheus collects them."""

    def __init__(self, reference: dict[str, Any], columns: dict[str, str], positive: object, version: str) -> None:
        """Start from zero.

        Args:
            reference: What training wrote.
            columns: That a request has, with pandas' names of their types.
            positive: The label that two-class metrics look for.
            version: As metrics are labelled.
        """
        known = {name: kind for name, kind in columns.items() if name in reference["columns"]}
        self.columns = {name: Tally(reference["columns"][name], kind) for name, kind in known.items()}
        self.prediction = Tally(reference["prediction"])
        self._positive, self._version = positive, version

    def add(self, rows: pd.DataFrame, predictions: Predictions) -> None:
        """Count some rows, and what was said of them."""
        for name, tally in self.columns.items():
            tally.add(rows[name])
        self.prediction.add(watched(predictions, self._positive))

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Every bin, those without rows too, so that each has a rate from the beginning."""
        labels = ["bin", WITHIN, "version"]
        rows = CounterMetricFamily(FEATURES, "Rows by column and bin of the reference.", labels=["column", *labels])
        for name, tally in self.columns.items():
            for bin, within, number in _lines(tally):
                rows.add_metric([name, bin, within, self._version], number)
        said = CounterMetricFamily(PREDICTIONS, "Predictions by bin of the reference.", labels=labels)
        for bin, within, number in _lines(self.prediction):
            said.add_metric([bin, within, self._version], number)
        yield rows
        yield said


def _lines(tally: Tally) -> Iterator[tuple[str, str, int]]:
    for place, (within, number) in enumerate(zip(tally.words, tally.counts.tolist(), strict=True)):
        yield str(place), within, number
