"""Bootstrap intervals of a version's metrics, for the model card."""

from typing import Any

import numpy as np

from gitops_ml.config import Config
from gitops_ml.predictions import Predictions
from gitops_ml.training.weighted_metrics import weighted_metric

Array = np.ndarray[Any, Any]
# No gate depends on these intervals, so they need fewer resamples than a gain.
RESAMPLES = 500
AT_ONCE = 1_000_000


def intervals(
    config: Config, labels: Array, predictions: Predictions, metrics: dict[str, float]
) -> dict[str, tuple[float, float]]:
    """Return the percentile interval of every finite metric, by name; all are measured on the same resampled rows.

    B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Args:
        config: Configuration with the confidence, the number of resamples and the seed.
        labels: True values of the held-out rows; shape (n,).
        predictions: Predictions for the same rows.
        metrics: Metrics on all of these rows, by name.
    """
    names = [name for name, value in metrics.items() if np.isfinite(value)]
    if predictions.not_finite_count or not names:
        return {}
    rng, positive, rows = np.random.default_rng(config.training.seed), config.data.positive, len(labels)
    metrics_by_name = {name: weighted_metric(name, labels, predictions, positive) for name in names}
    resamples, batch = min(RESAMPLES, config.gates.resamples), max(1, AT_ONCE // rows)
    samples: dict[str, list[Array]] = {name: [] for name in names}
    for start in range(0, resamples, batch):
        count = min(batch, resamples - start)
        counts = np.stack([np.bincount(rng.integers(0, rows, rows), minlength=rows) for _ in range(count)])
        for name, measure in metrics_by_name.items():
            samples[name].append(measure(counts))
    return {
        name: _percentiles(values[np.isfinite(values)], config.gates.confidence)
        for name, values in ((name, np.concatenate(parts)) for name, parts in samples.items())
        # A resample without a row of a rare class has no roc_auc; it is left out.
        if np.isfinite(values).any()
    }


def _percentiles(values: Array, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
