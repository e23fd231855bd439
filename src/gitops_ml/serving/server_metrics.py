"""Metrics of a server: requests, times, errors, and the number of rows and predictions in each bin of the histograms in
reference.json (of the training rows, and of the predictions for the held-out rows).
"""

import threading
from collections import deque

import numpy as np
import pandas as pd
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.registry import Collector

from gitops_ml import counters
from gitops_ml.predictions import Predictions
from gitops_ml.serving import reference_gauge
from gitops_ml.serving.histograms import ReferenceHistograms
from gitops_ml.serving.service import Service

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# Counting one row takes as long as counting hundreds, so the rows and predictions of several requests are counted
# together: after this many requests, or this many rows, or when the metrics are read.
REQUESTS, ROWS = 64, 1000


class ServerMetrics:
    """The metrics of one process; each has the label `version`, so that a rollout is visible."""

    def __init__(self, service: Service) -> None:
        """Start with all counters at zero.

        Args:
            service: Service that is measured.
        """
        self.registry = CollectorRegistry()
        version = {"version": service.version_id.short}
        self._version = version
        self._requests = self._counter(counters.REQUESTS, "Answered requests.", "path", "status")
        self._errors = self._counter(counters.ERRORS, "Refused and failed requests.", "code")
        self._rows = self._counter(counters.ROWS, "Predicted rows.").labels(**version)
        self._seconds = Histogram(
            counters.SECONDS, "Seconds from the first byte of the request to the last byte of the response.",
            ["path", "version"], buckets=BUCKETS, registry=self.registry,
        )  # fmt: skip
        info = Gauge(counters.INFO, "Served model.", ["version", "digest", "release"], registry=self.registry)
        info.labels(**version, digest=service.version_id.digest, release=service.version_id.release or "").set(1)
        positive = service.repository.config.data.positive
        self._histograms = ReferenceHistograms(
            service.reference, service.metadata.columns, positive, service.version_id.short
        )
        self.registry.register(self._histograms)
        self._count_lock = threading.Lock()
        self._pending = deque[tuple[pd.DataFrame, Predictions]]()
        self._requests_since_due = self._rows_since_due = 0
        # The histograms of reference.json are exported too, with the drift that chance explains at this rate of false
        # alarms: the alert rules of Prometheus compare the counts with them.
        false_alarms = service.repository.config.monitoring.false_alarms
        reference_gauge.expose(self.registry, service.reference, service.version_id.short, false_alarms)

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(name, documentation, [*labels, "version"], registry=self.registry)

    def register(self, collector: Collector) -> None:
        """Export the metrics of another part of the server too.

        Args:
            collector: Collector of the metrics.
        """
        self.registry.register(collector)

    def record_predictions(self, rows: pd.DataFrame, predictions: Predictions) -> bool:
        """Note predicted rows, to be counted later.

        Args:
            rows: Rows as the model received them.
            predictions: Predictions of the rows.

        Returns:
            True if `count_pending` is due; the response need not wait for it.
        """
        self._pending.append((rows, predictions))
        self._requests_since_due += 1
        self._rows_since_due += len(rows)
        is_due = self._requests_since_due >= REQUESTS or self._rows_since_due >= ROWS
        if is_due:
            self._requests_since_due = self._rows_since_due = 0
        return is_due

    def count_pending(self) -> None:
        """Count the rows that were noted."""
        with self._count_lock:
            self._count()

    def _count(self) -> None:
        """Count the rows that were noted; the caller holds the lock."""
        pending = [self._pending.popleft() for _ in range(len(self._pending))]
        if not pending:
            return
        rows, predictions = _concatenate(pending)
        self._rows.inc(len(rows))
        self._histograms.add(rows, predictions)

    def record_request(self, path: str, status: int, seconds: float, code: str | None) -> None:
        """Count one request.

        Args:
            path: Path, or "other" for an unknown one.
            status: HTTP status of the response.
            seconds: Time that the request took.
            code: Error code; None if the request succeeded.
        """
        self._requests.labels(path=path, status=str(status), **self._version).inc()
        self._seconds.labels(path=path, **self._version).observe(seconds)
        if code is not None:
            self._errors.labels(code=code, **self._version).inc()

    def render(self) -> bytes:
        """Return the metrics in Prometheus' text format, with all pending rows counted."""
        with self._count_lock:
            self._count()
            return generate_latest(self.registry)


def _concatenate(pending: list[tuple[pd.DataFrame, Predictions]]) -> tuple[pd.DataFrame, Predictions]:
    """Return the rows and predictions of several requests as one."""
    if len(pending) == 1:
        return pending[0]
    rows = pd.concat([rows for rows, _ in pending], ignore_index=True)
    predictions = [each for _, each in pending]
    probabilities = [each.probabilities for each in predictions if each.probabilities is not None]
    values = np.concatenate([each.values for each in predictions])
    joined = np.concatenate(probabilities) if probabilities else None
    return rows, Predictions(values, joined, predictions[0].classes)
