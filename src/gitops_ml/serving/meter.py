"""What /metrics says: requests, time, errors, and rows and predictions in the bins of the reference."""

import threading
from collections import deque
from typing import Any

import numpy as np
import pandas as pd
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.registry import Collector

from gitops_ml import counters
from gitops_ml.predictions import Predictions
from gitops_ml.serving import reference_gauge
from gitops_ml.serving.service import Service
from gitops_ml.serving.tally import Tallies

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# Counting a row alone takes as long as counting hundreds, so requests wait to be counted together: so many of them, or
# of their rows, or until somebody asks.
REQUESTS, ROWS = 64, 1000


class Meter:
    """The counters of one process; each carries the version, so that a roll-out shows."""

    def __init__(self, service: Service) -> None:
        """Start from zero."""
        self.registry = CollectorRegistry()
        version = {"version": service.named.short}
        self._version = version
        self._requests = self._counter(counters.REQUESTS, "Requests answered.", "path", "status")
        self._errors = self._counter(counters.ERRORS, "Requests refused or failed.", "code")
        self._rows = self._counter(counters.ROWS, "Rows predicted.").labels(**version)
        self._seconds = Histogram(
            counters.SECONDS, "From the first byte to the last.", ["path", "version"],
            buckets=BUCKETS, registry=self.registry,
        )  # fmt: skip
        about = Gauge(counters.INFO, "Which model.", ["version", "digest", "release"], registry=self.registry)
        about.labels(**version, digest=service.named.digest, release=service.named.release or "").set(1)
        positive = service.repository.config.data.positive
        self._tallies = Tallies(service.reference, service.described.columns, positive, service.named.short)
        self.registry.register(self._tallies)
        self._counting = threading.Lock()
        self._waiting = deque[tuple[pd.DataFrame, Predictions]]()
        self._uncounted = 0
        false_alarms = service.repository.config.monitoring.false_alarms
        reference_gauge.expose(self.registry, service.reference, service.named.short, false_alarms)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, [*labels, "version"], registry=self.registry)

    def register(self, collector: Collector) -> None:
        """Show the counters of another part of the server too."""
        self.registry.register(collector)

    def predicted(self, rows: pd.DataFrame, predictions: Predictions) -> bool:
        """Note what was answered; whether it is time to `count`, which need not be waited for."""
        self._waiting.append((rows, predictions))
        self._uncounted += max(len(rows), ROWS // REQUESTS)
        due = self._uncounted >= ROWS
        if due:
            self._uncounted = 0
        return due

    def count(self) -> None:
        """Count what was noted."""
        with self._counting:
            self._count()

    def _count(self) -> None:
        noted = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not noted:
            return
        rows, said = _together(noted)
        self._rows.inc(len(rows))
        self._tallies.add(rows, said)

    def answered(self, path: str, status: int, seconds: float, code: str | None) -> None:
        """Count one request."""
        self._requests.labels(path=path, status=str(status), **self._version).inc()
        self._seconds.labels(path=path, **self._version).observe(seconds)
        if code is not None:
            self._errors.labels(code=code, **self._version).inc()

    def text(self) -> bytes:
        """In Prometheus' own format, with everything counted that was answered."""
        with self._counting:
            self._count()
            return generate_latest(self.registry)


def answer(predictions: Predictions) -> dict[str, Any]:
    """Predictions as JSON has them: labels or numbers, and the probability of each class."""
    said: dict[str, Any] = {"predictions": np.asarray(predictions.values).tolist()}
    if predictions.probabilities is not None:
        columns = predictions.probabilities.T.tolist()
        said["probabilities"] = {str(label): column for label, column in zip(predictions.classes, columns, strict=True)}
    return said


def _together(noted: list[tuple[pd.DataFrame, Predictions]]) -> tuple[pd.DataFrame, Predictions]:
    """Several requests as one."""
    if len(noted) == 1:
        return noted[0]
    rows = pd.concat([rows for rows, _ in noted], ignore_index=True)
    said = [predictions for _, predictions in noted]
    chances = [one.probabilities for one in said if one.probabilities is not None]
    values = np.concatenate([one.values for one in said])
    return rows, Predictions(values, np.concatenate(chances) if chances else None, said[0].classes)
