"""The gain of one version over another, with its interval."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.config import Config
from gitops_ml.predictions import Predictions, same
from gitops_ml.training.metrics import measure, orient
from gitops_ml.training.weigh import ON_LABELS, weigh

Array = np.ndarray[Any, Any]

# How many rows of all resamples together are measured at once, so that memory does not grow with their number.
AT_ONCE = 1_000_000
# Rows that are drawn from at once: their counts fit into a processor's cache, and their numbers into 16 bits.
BLOCK = 1 << 16
LUCK = 0.05  # how often the true end of an interval may lie beyond the one that is taken


@dataclass(frozen=True)
class Interval:
    """A gain of the challenger, oriented so that more is better, with its bootstrap interval."""

    low: float
    point: float
    high: float


def gain(config: Config, truth: Array, ours: Predictions, theirs: Predictions) -> Interval:
    """The paired bootstrap interval of the gain: both are measured on the same resampled rows (percentile method;
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13; expanded, see `_tail`)."""
    metric, positive, gates = config.evaluation.metric, config.data.positive, config.gates
    point = orient(metric, measure(metric, truth, ours, positive) - measure(metric, truth, theirs, positive))
    if not np.isfinite(point) or same(ours, theirs, 0.0):
        return Interval(point, point, point)
    rows, sizes = _alike(truth, ours, theirs) if metric in ON_LABELS else (np.arange(len(truth)), None)
    left, right = (weigh(metric, truth[rows], side.take(rows), positive) for side in (ours, theirs))
    draws = _draws(len(rows), sizes, gates.resamples, np.random.default_rng(config.training.seed))
    gained = orient(metric, 1.0) * np.concatenate([left(counts) - right(counts) for counts in draws])
    # A resample without a single row of a rare class has no roc_auc; it says nothing, the others do.
    tail = _tail((1 - gates.confidence) / 2, len(truth), gates.resamples)
    low, high = np.nanquantile(gained, [tail, 1 - tail], method="weibull")
    return Interval(float(low), point, float(high))


def _tail(level: float, rows: int, resamples: int) -> float:
    """The share of resamples that is cut off on each side; less than the level, for two reasons.

    Resamples of a sample vary less than samples do, as the normal distribution is narrower than Student's t: the
    expanded percentile interval (Hesterberg, The American Statistician 69, 2015). And where the end of the interval
    lies is known from so many resamples alone: of the places where it may be, but for one in twenty, the outermost is
    taken, so that luck in resampling promotes nobody. The k-th of B resamples stands for k / (B + 1) (Davison and
    Hinkley, "Bootstrap Methods and their Application", 1997, section 4.2).
    """
    from scipy.stats import binom, norm, t

    expanded = norm.cdf(math.sqrt(rows / (rows - 1)) * t.ppf(level, rows - 1)) if rows > 1 else level
    return float(max(1, binom.ppf(LUCK, resamples, expanded)) / (resamples + 1))


def _alike(truth: Array, ours: Predictions, theirs: Predictions) -> tuple[Array, Array]:
    """One row of each kind, and how many there are of it: to a metric on labels, rows with the same three labels (the
    true one and the two that are said) are the same row."""
    codes = np.zeros(len(truth), dtype=np.int64)
    for labels in (truth, ours.values, theirs.values):
        found, names = pd.factorize(labels)
        codes = codes * len(names) + found
    _, rows, sizes = np.unique(codes, return_index=True, return_counts=True)
    return rows, sizes


def _draws(kinds: int, sizes: Array | None, resamples: int, rng: np.random.Generator) -> Iterator[Array]:
    """How often each resample holds rows of each kind, some resamples at a time; shape (some, kinds)."""
    together = max(1, AT_ONCE // kinds)
    for start in range(0, resamples, together):
        some = min(together, resamples - start)
        if sizes is None:
            yield np.stack([_drawn(kinds, rng) for _ in range(some)])
        else:
            yield rng.multinomial(sizes.sum(), sizes / sizes.sum(), size=some)


def _drawn(rows: int, rng: np.random.Generator) -> Array:
    """How often each of so many rows is drawn, in as many draws with replacement: first how many draws fall into each
    block of rows, then which of its rows they are."""
    sizes = np.diff([*range(0, rows, BLOCK), rows])
    many = rng.multinomial(rows, sizes / rows)
    drawn = (rng.integers(0, size, number, dtype=np.uint16) for size, number in zip(sizes, many, strict=True))
    counts = [np.bincount(places, minlength=size) for size, places in zip(sizes, drawn, strict=True)]
    return np.concatenate(counts, dtype=np.int32, casting="same_kind")
