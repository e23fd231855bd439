"""Histograms of the rows and predictions of a server, in the bins of the reference, in constant memory.

The reference is the version's reference.json: for each column, the bins and counts of the training rows; for the
prediction, those of the predictions for the held-out rows. Monitoring compares the server's counts with them, so both
use the same bins. Missing values are counted in the last bin. A column without numbers has one more special bin, the
last but one, for values that are not in the reference.

The counts are arrays, and are converted to metrics only when Prometheus scrapes the server: updating one counter for
each label would take longer than finding the bin.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from gitops_ml.bins import bin_labels, monitored_values
from gitops_ml.counters import FEATURES, PREDICTIONS, WITHIN
from gitops_ml.predictions import Predictions


class ColumnHistogram:
    """The number of rows in each bin of one column.

    Attributes:
        labels: Label of each bin, such as "in [1, 2)".
        counts: Number of rows in each bin. The last bin counts missing values; if the bins have no edges, the last but
            one counts values that are not in the reference.
        is_numeric: True if the bins have edges, so that they are intervals of numbers.
    """

    def __init__(self, reference_histogram: dict[str, Any], dtype: str = "") -> None:
        """Start with all counts at zero.

        Args:
            reference_histogram: Histogram of the column, as reference.json holds it: `edges`, or `categories`.
            dtype: Name of the column's pandas dtype; empty for the prediction.
        """
        self.labels = bin_labels(reference_histogram)
        self.counts = np.zeros(len(self.labels), dtype=np.int64)
        self.is_numeric = "edges" in reference_histogram
        # NumPy sorts NaN after every number, so NaN is the edge between the numbers and the last bin (missing values).
        self._edges = np.asarray([*reference_histogram.get("edges", ()), np.nan], dtype=float)
        # The text of a date depends on the other dates of the column, so dates are compared as timestamps.
        self._is_date = dtype.startswith("datetime")
        categories = list(reference_histogram.get("categories", ()))
        self._indexes = {pd.Timestamp(name) if self._is_date else name: index for index, name in enumerate(categories)}

    def add_sorted(self, numbers: "np.ndarray[Any, Any]") -> None:
        """Count the values of a numeric column.

        Args:
            numbers: Values in ascending order, with NaN for missing values; shape (n,).
        """
        before = np.searchsorted(numbers, self._edges)
        self.counts[:-1] += before
        self.counts[1:] -= before
        self.counts[-1] += len(numbers)

    def add(self, column: "pd.Series[Any]") -> None:
        """Count the values of a column of any type.

        Args:
            column: Values; shape (n,).
        """
        if self.is_numeric:
            self.add_sorted(np.sort(column.to_numpy(dtype=float, na_value=np.nan)))
        else:
            self.counts += self._count_categories(column)

    def _count_categories(self, column: "pd.Series[Any]") -> "np.ndarray[Any, Any]":
        present, counts = column[column.notna()], np.zeros(len(self.labels), dtype=np.int64)
        counts[-1] = len(column) - len(present)  # the last bin: missing values
        # The last bin but one: values that are not in the reference. The reference of free text has no categories.
        if not self._indexes:
            counts[-2] = len(present)
            return counts
        values = present.tolist() if self._is_date else present.astype(str).tolist()
        for value, number in Counter(values).items():
            counts[self._indexes.get(value, len(self.labels) - 2)] += number
        return counts


class ReferenceHistograms(Collector):
    """The histograms of all columns and of the prediction, as a collector of Prometheus.

    Attributes:
        columns: Histogram of each column that the reference has, by name.
        prediction: Histogram of the prediction.
    """

    def __init__(self, reference: dict[str, Any], columns: dict[str, str], positive: object, version: str) -> None:
        """Start with all counts at zero.

        Args:
            reference: Content of the version's reference.json (see `gitops_ml.training.reference`).
            columns: Columns of a request, with the names of their pandas dtypes.
            positive: Positive label of two classes, whose probability is counted; None for the last class.
            version: Version number; the value of the metrics' label `version`.
        """
        counted = {name: dtype for name, dtype in columns.items() if name in reference["columns"]}
        self.columns = {name: ColumnHistogram(reference["columns"][name], dtype) for name, dtype in counted.items()}
        self.prediction = ColumnHistogram(reference["prediction"])
        self._numeric = [name for name, histogram in self.columns.items() if histogram.is_numeric]
        self._others = [name for name, histogram in self.columns.items() if not histogram.is_numeric]
        self._positive, self._version = positive, version

    def add(self, rows: pd.DataFrame, predictions: Predictions) -> None:
        """Count rows and their predictions.

        Args:
            rows: Rows as the model received them; shape (n, columns).
            predictions: Predictions of the rows.
        """
        # All numeric columns at once, because selecting a column takes longer than counting it; and sorted, because
        # finding few edges among many numbers is faster than finding many numbers among few edges.
        numbers = (rows[self._numeric] if self._others else rows).to_numpy(dtype=float, na_value=np.nan)
        for name, column in zip(self._numeric, np.sort(numbers.T, axis=1), strict=True):
            self.columns[name].add_sorted(column)
        for name in self._others:
            self.columns[name].add(rows[name])
        self.prediction.add(monitored_values(predictions, self._positive))

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the counts of all bins; also of empty bins, so that Prometheus can compute a rate from the start."""
        labels = ["bin", WITHIN, "version"]
        features = CounterMetricFamily(FEATURES, "Rows by column and bin of the reference.", labels=["column", *labels])
        for name, histogram in self.columns.items():
            for index, within, number in _bins(histogram):
                features.add_metric([name, index, within, self._version], number)
        predictions = CounterMetricFamily(PREDICTIONS, "Predictions by bin of the reference.", labels=labels)
        for index, within, number in _bins(self.prediction):
            predictions.add_metric([index, within, self._version], number)
        yield features
        yield predictions


def _bins(histogram: ColumnHistogram) -> Iterator[tuple[str, str, int]]:
    for index, (within, number) in enumerate(zip(histogram.labels, histogram.counts.tolist(), strict=True)):
        yield str(index), within, number
