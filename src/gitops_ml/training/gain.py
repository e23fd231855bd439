"""The gain of one version over another, with its interval."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.config import Config
from gitops_ml.predictions import Predictions, are_close
from gitops_ml.training.metrics import measure, orient
from gitops_ml.training.weighted_metrics import LABEL_METRICS, weighted_metric

Array = np.ndarray[Any, Any]

# Upper bound of rows x resamples in one batch; it bounds the memory.
AT_ONCE = 1_000_000
# Rows are drawn block by block. Size of a block: its counts fit into a processor's cache, its indices into 16 bits.
BLOCK = 1 << 16
# Probability that the end of an interval from infinitely many resamples lies outside the end from a limited number.
TAIL_RISK = 0.05


@dataclass(frozen=True)
class Interval:
    """The challenger's gain with its bootstrap interval; positive if the challenger is better, for every metric."""

    low: float
    point: float
    high: float


def gain(config: Config, labels: Array, challenger: Predictions, other: Predictions) -> Interval:
    """Return the challenger's gain with its paired bootstrap interval: each resample measures both on the same rows.

    Percentile method (B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13), expanded; see
    `_tail`. If the predictions are the same, or the metric of one version is undefined, the ends are the gain itself.

    Args:
        config: Configuration with the metric, the confidence, the number of resamples and the seed.
        labels: True values; shape (n,).
        challenger: The challenger's predictions for the same rows.
        other: The other version's predictions for the same rows.
    """
    metric, positive, gates = config.evaluation.metric, config.data.positive, config.gates
    point = orient(metric, measure(metric, labels, challenger, positive) - measure(metric, labels, other, positive))
    if not np.isfinite(point) or are_close(challenger, other, 0.0):
        return Interval(point, point, point)
    rows, sizes = _group_rows(labels, challenger, other) if metric in LABEL_METRICS else (np.arange(len(labels)), None)
    left, right = (weighted_metric(metric, labels[rows], side.take(rows), positive) for side in (challenger, other))
    draws = _resample_counts(len(rows), sizes, gates.resamples, np.random.default_rng(config.training.seed))
    gains = orient(metric, 1.0) * np.concatenate([left(counts) - right(counts) for counts in draws])
    # A resample without a row of a rare class has no roc_auc; it is left out.
    tail = _tail((1 - gates.confidence) / 2, len(labels), gates.resamples)
    low, high = np.nanquantile(gains, [tail, 1 - tail], method="weibull")
    return Interval(float(low), point, float(high))


def _tail(level: float, rows: int, resamples: int) -> float:
    """Return the share of resamples to cut off on each side; as a rule, it is smaller than the level, for two reasons.

    Resamples of a sample vary less than samples do, as the normal distribution is narrower than Student's t: the
    interval is expanded (T. Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69,
    2015). And a limited number of resamples gives only an estimate of the interval's end: so few resamples are cut off
    that, with a probability of 95 %, the end from infinitely many resamples lies inside the interval. So random
    resampling does not promote a version. The k-th of B resamples stands for k / (B + 1) (A. Davison and D. Hinkley,
    "Bootstrap Methods and their Application", 1997, section 4.2). At least one resample is cut off, so with few
    resamples the interval is their range.

    Args:
        level: Nominal share on each side, (1 - confidence) / 2.
        rows: Number of rows of a resample.
        resamples: Number of resamples.
    """
    from scipy.stats import binom, norm, t

    expanded = norm.cdf(math.sqrt(rows / (rows - 1)) * t.ppf(level, rows - 1)) if rows > 1 else level
    return float(max(1, binom.ppf(TAIL_RISK, resamples, expanded)) / (resamples + 1))


def _group_rows(labels: Array, challenger: Predictions, other: Predictions) -> tuple[Array, Array]:
    """Group rows that a metric of predicted labels cannot tell apart: with the same true label and two predictions.

    Returns:
        One row of each group, and the number of rows in each group.
    """
    codes = np.zeros(len(labels), dtype=np.int64)
    for column in (labels, challenger.values, other.values):
        codes_of_column, names = pd.factorize(column)
        codes = codes * len(names) + codes_of_column
    _, rows, sizes = np.unique(codes, return_index=True, return_counts=True)
    return rows, sizes


def _resample_counts(groups: int, sizes: Array | None, resamples: int, rng: np.random.Generator) -> Iterator[Array]:
    """Yield how often each resample contains rows of each group, in batches of shape (batch, groups).

    Args:
        groups: Number of groups.
        sizes: Number of rows in each group; None if each row is a group of its own.
        resamples: Number of resamples.
        rng: Random numbers.
    """
    batch_size = max(1, AT_ONCE // groups)
    for start in range(0, resamples, batch_size):
        batch = min(batch_size, resamples - start)
        if sizes is None:
            yield np.stack([_draw_counts(groups, rng) for _ in range(batch)])
        else:
            yield rng.multinomial(sizes.sum(), sizes / sizes.sum(), size=batch)


def _draw_counts(rows: int, rng: np.random.Generator) -> Array:
    """Return how often each row is drawn in as many draws with replacement as there are rows.

    First the number of draws in each block of rows is drawn, then the rows in the block.
    """
    sizes = np.diff([*range(0, rows, BLOCK), rows])
    block_draws = rng.multinomial(rows, sizes / rows)
    drawn = (rng.integers(0, size, number, dtype=np.uint16) for size, number in zip(sizes, block_draws, strict=True))
    counts = [np.bincount(indices, minlength=size) for size, indices in zip(sizes, drawn, strict=True)]
    return np.concatenate(counts, dtype=np.int32, casting="same_kind")
