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

from gitops_ml.bins import bins, watched
from gitops_ml.counters import FEATURES, PREDICTIONS, WITHIN
from gitops_ml.predictions import Predictions


class Tally:
    """The counts of one column.

    Attributes:
        words: What each bin holds.
        counts: Of each bin; the last one is of what is missing.
        numeric: Whether it is cut by edges.
    """

    def __init__(self, described: dict[str, Any], kind: str = "") -> None:
        """Start from zero.

        Args:
            described: The column in the reference.
            kind: Pandas' name of its type, where one is told.
        """
        self.words = bins(described)
        self.counts = np.zeros(len(self.words), dtype=np.int64)
        self.numeric = "edges" in described
        # NaN, which is sorted behind every number, is where numbers end and what is missing begins.
        self._ends = np.asarray([*described.get("edges", ()), np.nan], dtype=float)
        # How a date is written depends on the others beside it, so dates are compared as such.
        self._dated = kind.startswith("datetime")
        names = list(described.get("categories", ()))
        self._places = {pd.Timestamp(name) if self._dated else name: place for place, name in enumerate(names)}

    def add_sorted(self, numbers: "np.ndarray[Any, Any]") -> None:
        """Count values of a numeric column, ascending, NaN for what is missing."""
        before = np.searchsorted(numbers, self._ends)
        self.counts[:-1] += before
        self.counts[1:] -= before
        self.counts[-1] += len(numbers)

    def add(self, column: "pd.Series[Any]") -> None:
        """Count values of any column."""
        if self.numeric:
            self.add_sorted(np.sort(column.to_numpy(dtype=float, na_value=np.nan)))
        else:
            self.counts += self._by_category(column)

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
        self._numeric = [name for name, tally in self.columns.items() if tally.numeric]
        self._others = [name for name, tally in self.columns.items() if not tally.numeric]
        self._positive, self._version = positive, version

    def add(self, rows: pd.DataFrame, predictions: Predictions) -> None:
        """Count some rows, and what was said of them."""
        # Together, for to take a column out of a frame takes longer than to count it; and sorted at once, for few edges
        # are found among many numbers sooner than many numbers among few edges.
        numbers = (rows[self._numeric] if self._others else rows).to_numpy(dtype=float, na_value=np.nan)
        for name, column in zip(self._numeric, np.sort(numbers.T, axis=1), strict=True):
            self.columns[name].add_sorted(column)
        for name in self._others:
            self.columns[name].add(rows[name])
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
