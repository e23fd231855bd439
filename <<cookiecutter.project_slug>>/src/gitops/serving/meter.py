# machinery
"""What /metrics says: requests, time, rows, errors, and the predictions in the bins of the reference."""

from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gitops.bins import bins, count, watched
from gitops.predictions import Predictions
from gitops.serving.service import Service

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Meter:
    """The counters of one process; each carries the version, so that a roll-out shows."""

    def __init__(self, service: Service) -> None:
        """Start from zero."""
        self.registry = CollectorRegistry()
        self._named, self._reference = service.named, service.reference
        self._positive = service.repository.config.data.positive
        self._bins = bins(self._reference)
        version = {"version": service.named.short}
        self._version = version
        self._requests = self._counter("gitops_requests", "Requests answered.", "path", "status")
        self._errors = self._counter("gitops_errors", "Requests refused or failed.", "code")
        self._rows = self._counter("gitops_rows", "Rows predicted.")
        self._predictions = self._counter("gitops_predictions", "Predictions by bin of the reference.", "bin")
        self._seconds = Histogram(
            "gitops_request_seconds", "From the first byte to the last.", ["path", "version"],
            buckets=BUCKETS, registry=self.registry,
        )  # fmt: skip
        about = Gauge("gitops_model_info", "Which model.", ["version", "digest", "release"], registry=self.registry)
        about.labels(**version, digest=service.named.digest, release=service.named.release or "").set(1)
        self._rows.labels(**version)
        for name in self._bins:
            self._predictions.labels(bin=name, **version)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, [*labels, "version"], registry=self.registry)

    def predicted(self, predictions: Predictions) -> None:
        """Count some predictions into their bins."""
        self._rows.labels(**self._version).inc(len(predictions.values))
        counts = count(watched(predictions, self._positive), self._reference)
        for name, number in zip(self._bins, counts or (), strict=bool(counts)):
            if number:
                self._predictions.labels(bin=name, **self._version).inc(number)

    def answered(self, path: str, status: int, seconds: float, code: str | None) -> None:
        """Count one request."""
        self._requests.labels(path=path, status=str(status), **self._version).inc()
        self._seconds.labels(path=path, **self._version).observe(seconds)
        if code is not None:
            self._errors.labels(code=code, **self._version).inc()

    def text(self) -> bytes:
        """In Prometheus' own format."""
        return generate_latest(self.registry)


def answer(predictions: Predictions) -> dict[str, Any]:
    """Predictions as JSON has them: labels or numbers, and the probability of each class."""
    said: dict[str, Any] = {"predictions": np.asarray(predictions.values).tolist()}
    if predictions.probabilities is not None:
        columns = predictions.probabilities.T.tolist()
        said["probabilities"] = {str(label): column for label, column in zip(predictions.classes, columns, strict=True)}
    return said
