# machinery
"""The gain of one version over another, with its interval."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
from scipy.stats import bootstrap

from gitops.config import Config
from gitops.predictions import Predictions, same
from gitops.training.metrics import measure_many, orient

# How many rows of all resamples together are measured at once, so that memory does not grow with the holdout.
AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Interval:
    """A gain of the challenger, oriented so that more is better, with its bootstrap interval."""

    low: float
    point: float
    high: float


def gain(config: Config, truth: "np.ndarray[Any, Any]", ours: Predictions, theirs: Predictions) -> Interval:
    """The paired bootstrap interval of the gain: both are measured on the same resampled rows (percentile method;
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13)."""
    metric, positive, gates = config.evaluation.metric, config.data.positive, config.gates

    def of(rows: "np.ndarray[Any, Any]", axis: int = -1) -> "np.ndarray[Any, Any]":
        many = np.moveaxis(np.atleast_2d(rows), axis, -1)
        left, right = (measure_many(metric, truth, side, many, positive) for side in (ours, theirs))
        gained: np.ndarray[Any, Any] = sign * (left - right)
        return gained

    every, sign = np.arange(len(truth)), orient(metric, 1.0)
    point = float(of(every)[0])
    if not np.isfinite(point) or same(ours, theirs, 0.0):
        return Interval(point, point, point)
    # The same arrays are measured a thousand times; they need no checking each time.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        found = bootstrap(
            (every,), of, vectorized=True, batch=max(1, AT_ONCE // len(every)), n_resamples=gates.resamples,
            confidence_level=gates.confidence, method="percentile", rng=config.training.seed,
        )  # fmt: skip
    # A resample without a single row of a rare class has no roc_auc; it says nothing, the others do.
    tail = (1 - gates.confidence) / 2
    low, high = np.nanquantile(found.bootstrap_distribution, [tail, 1 - tail])
    return Interval(float(low), point, float(high))
