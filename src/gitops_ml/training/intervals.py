"""How sure each metric of a version is: its bootstrap interval, for people who read the model card."""

from typing import Any

import numpy as np

from gitops_ml.config import Config
from gitops_ml.predictions import Predictions
from gitops_ml.training.weigh import weigh

Array = np.ndarray[Any, Any]
# No gate depends on these, so they need not be known as well as a gain.
RESAMPLES = 500
AT_ONCE = 1_000_000


def intervals(
    config: Config, truth: Array, predictions: Predictions, metrics: dict[str, float]
) -> dict[str, tuple[float, float]]:
    """The percentile interval of every metric that has a value; all are measured on the same resampled rows.

    Args:
        config: Whose confidence, resamples and seed are used.
        truth: Of the held-out rows.
        predictions: Of the same rows.
        metrics: What was measured on all of them.
    """
    known = [name for name, value in metrics.items() if np.isfinite(value)]
    if predictions.not_finite or not known:
        return {}
    rng, positive, rows = np.random.default_rng(config.training.seed), config.data.positive, len(truth)
    measured = {name: weigh(name, truth, predictions, positive) for name in known}
    resamples, some = min(RESAMPLES, config.gates.resamples), max(1, AT_ONCE // rows)
    found: dict[str, list[Array]] = {name: [] for name in known}
    for start in range(0, resamples, some):
        many = min(some, resamples - start)
        counts = np.stack([np.bincount(rng.integers(0, rows, rows), minlength=rows) for _ in range(many)])
        for name, of in measured.items():
            found[name].append(of(counts))
    return {
        name: _percentiles(values[np.isfinite(values)], config.gates.confidence)
        for name, values in ((name, np.concatenate(parts)) for name, parts in found.items())
        # A resample without a single row of a rare class has no roc_auc; it says nothing, the others do.
        if np.isfinite(values).any()
    }


def _percentiles(values: Array, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
