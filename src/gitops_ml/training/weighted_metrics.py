"""Metrics of many bootstrap resamples at once, computed from the number of times that each resample contains each row.

Sorting and lookups happen once for all resamples. The results equal those of `metrics.measure` on the resampled rows,
up to rounding.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.predictions import Predictions
from gitops_ml.training.metrics import add_unseen_classes, positive_index

Array = np.ndarray[Any, Any]
ResampledMetric = Callable[[Array], Array]

LABEL_METRICS = frozenset({"accuracy", "balanced_accuracy", "f1"})  # computed from labels alone, without probabilities


def weighted_metric(name: str, labels: Array, predictions: Predictions, positive: object = None) -> ResampledMetric:
    """Return a function that computes a metric for many resamples.

    Args:
        name: Name of the metric, as in model.toml.
        labels: True values; shape (n,).
        predictions: Predictions for the same rows, all of them finite.
        positive: Label that two-class metrics count as positive; by default the last class.

    Returns:
        Function from row counts, shape (resamples, n), to values, shape (resamples,). A value is NaN if the metric is
        not defined, such as roc_auc on rows of one class.
    """
    if not predictions.classes:
        return _number_metric(name, labels.astype(float), predictions.values)
    predictions = add_unseen_classes(predictions, labels)
    positive = positive_index(predictions.classes, positive)
    classes = tuple(dict.fromkeys([*predictions.classes, *labels.tolist(), *predictions.values.tolist()]))
    actual = pd.Index(classes).get_indexer(labels)
    if name in LABEL_METRICS:
        predicted = pd.Index(classes).get_indexer(predictions.values)
        metric = _label_metric(name, actual, predicted, len(classes), len(predictions.classes), positive)
    elif name in _RANK_METRICS:
        metric = _rank_metric(_RANK_METRICS[name], actual, predictions, positive)
    else:
        metric = _mean_metric(_LOSSES[name](actual, predictions, positive))
    return _nan_for_one_class(metric, actual)


def _nan_for_one_class(metric: ResampledMetric, actual: Array) -> ResampledMetric:
    """Return the metric with NaN for resamples of one class."""
    means = _means(actual, actual**2)

    def measure(counts: Array) -> Array:
        mean, square = means(counts).T
        with np.errstate(invalid="ignore", divide="ignore"):
            # Both are means of whole numbers, so the comparison is exact where a resample has one class only.
            return np.where(square == mean**2, np.nan, metric(counts))

    return measure


def _take_columns(counts: Array, rows: Array) -> Array:
    """Return the counts of some rows; `np.take` keeps each resample contiguous in memory, unlike indexing."""
    return np.take(counts, rows, axis=1)


def _cumulative_sums(counts: Array) -> Array:
    """Return the sums of the first 0, 1, 2 ... columns."""
    sums = np.zeros((len(counts), counts.shape[1] + 1), dtype=np.int64)
    np.cumsum(counts, axis=1, out=sums[:, 1:])
    return sums


def _group_counts(groups: Array, number: int) -> ResampledMetric:
    """Return a function that counts the rows of each group in each resample; group -1 is not counted."""
    order = np.argsort(groups, kind="stable")
    edges = np.searchsorted(groups[order], np.arange(number + 1))
    return lambda counts: np.diff(_take_columns(_cumulative_sums(_take_columns(counts, order)), edges), axis=1)


def _label_metric(
    name: str, actual: Array, predictions: Array, groups: int, classes: int, positive: int
) -> ResampledMetric:
    """Return a metric computed from the counts of each label, of each prediction, and of correct predictions."""
    actual_counts, predicted, correct = (
        _group_counts(each, groups) for each in (actual, predictions, np.where(actual == predictions, actual, -1))
    )

    def accuracy(counts: Array) -> Array:
        return np.asarray(correct(counts).sum(axis=1) / counts.sum(axis=1))

    def recalls(counts: Array) -> Array:
        return np.asarray(np.nanmean(correct(counts) / actual_counts(counts), axis=1))

    def f1(counts: Array) -> Array:
        twice = actual_counts(counts) + predicted(counts)
        scores = 2 * correct(counts) / np.maximum(twice, 1)
        return np.asarray(scores[:, positive] if classes == 2 else scores.sum(axis=1) / (twice > 0).sum(axis=1))

    return {"accuracy": accuracy, "balanced_accuracy": recalls, "f1": f1}[name]


def _means(*columns: Array) -> ResampledMetric:
    """Return a function that computes the weighted mean of each column.

    It avoids BLAS, whose rounding depends on the number of processors and on the number of resamples.
    """
    numbers = np.stack(columns).astype(float)
    return lambda counts: np.einsum("ij,kj->ik", counts.astype(float), numbers) / counts.sum(axis=1, keepdims=True)


def _mean_metric(column: Array) -> ResampledMetric:
    means = _means(column)
    return lambda counts: means(counts)[:, 0]


def _log_loss(actual: Array, predictions: Predictions, _: int) -> Array:
    assert predictions.probabilities is not None  # noqa: S101 (measure checks it)
    epsilon = np.finfo(float).eps
    label_probabilities = predictions.probabilities[np.arange(len(actual)), actual]
    return np.asarray(-np.log(label_probabilities.clip(epsilon, 1 - epsilon)))


def _brier(actual: Array, predictions: Predictions, positive: int) -> Array:
    assert predictions.probabilities is not None  # noqa: S101 (measure checks it)
    if len(predictions.classes) == 2:
        return np.asarray(((actual == positive) - predictions.probabilities[:, positive]) ** 2)
    label_probabilities = predictions.probabilities[np.arange(len(actual)), actual]
    return np.asarray((predictions.probabilities**2).sum(axis=1) - 2 * label_probabilities + 1)


_LOSSES: dict[str, Callable[[Array, Predictions, int], Array]] = {"log_loss": _log_loss, "brier": _brier}


def _number_metric(name: str, labels: Array, predictions: Array) -> ResampledMetric:
    """Return a regression metric, computed from means of errors and, for r2, from the variance of the target."""
    if name == "mae":
        return _mean_metric(np.abs(labels - predictions))
    squares = (labels - predictions) ** 2
    if name == "rmse":
        error = _mean_metric(squares)
        return lambda counts: np.sqrt(error(counts))
    centred = labels - labels.mean()  # otherwise the difference of two squares would lose digits
    means = _means(squares, centred, centred**2)

    def r2(counts: Array) -> Array:
        residual, mean, square = means(counts).T
        variance = square - mean**2
        constant = variance <= 1e-12 * square  # a resample of one number, up to rounding, as in scikit-learn
        return np.where(constant, np.where(residual == 0, 1.0, 0.0), 1 - residual / np.where(constant, 1.0, variance))

    return r2


def _rank_metric(
    metric: Callable[[Array, Array], ResampledMetric], actual: Array, predictions: Predictions, positive: int
) -> ResampledMetric:
    """Return the metric of the positive class; for more than two classes, the mean over one class against the rest.

    The mean is over the classes that a resample has, as `metrics.measure` has it for all rows.
    """
    scores = predictions.probabilities
    assert scores is not None  # noqa: S101 (measure checks it)
    if len(predictions.classes) == 2:
        return metric(actual == positive, scores[:, positive])
    present = np.unique(actual)
    class_counts = _group_counts(np.searchsorted(present, actual), len(present))
    each = [metric(actual == group, scores[:, group]) for group in present]

    def mean(counts: Array) -> Array:
        values = np.stack([one(counts) for one in each], axis=1)
        has_class = class_counts(counts) > 0
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(has_class, values, 0.0).sum(axis=1) / has_class.sum(axis=1))

    return mean


def _rank_rows(hits: Array, score: Array) -> tuple[Array, Array, Array, Array]:
    """Sort the rows of each class by score.

    Returns:
        The positive rows and the negative rows, ascending; and for each positive row the number of negative rows that
        score lower, and lower or equal.
    """
    positive_rows, negative_rows = (
        np.flatnonzero(rows)[np.argsort(score[rows], kind="stable")] for rows in (hits, ~hits)
    )
    below, below_or_equal = (
        np.searchsorted(score[negative_rows], score[positive_rows], side) for side in ("left", "right")
    )
    return positive_rows, negative_rows, below, below_or_equal


def _roc_auc(hits: Array, score: Array) -> ResampledMetric:
    """Return the share of correctly ordered pairs, in which a tie counts half, computed in whole numbers.

    This is the Mann-Whitney statistic (J. Hanley and B. McNeil, "The meaning and use of the area under a receiver
    operating characteristic curve", Radiology 143, 1982).
    """
    positive_rows, negative_rows, below, below_or_equal = _rank_rows(hits, score)
    tied = not np.array_equal(below, below_or_equal)

    def measure(counts: Array) -> Array:
        positives = _take_columns(counts, positive_rows)
        negatives = _cumulative_sums(_take_columns(counts, negative_rows))
        lower = _take_columns(negatives, below)
        doubled = lower + (_take_columns(negatives, below_or_equal) if tied else lower)
        pairs = positives.sum(axis=1) * negatives[:, -1]
        return np.asarray(np.einsum("ij,ij->i", positives.astype(np.int64), doubled) / (2 * pairs))

    return measure


def _average_precision(hits: Array, score: Array) -> ResampledMetric:
    """Return the mean, over the positive rows, of the precision among rows with the same or a higher score."""
    positive_rows, negative_rows, below, _ = _rank_rows(hits, score)
    first = np.searchsorted(score[positive_rows], score[positive_rows], "left")

    def measure(counts: Array) -> Array:
        positives = _take_columns(counts, positive_rows)
        negatives = _cumulative_sums(_take_columns(counts, negative_rows))
        cumulative = _cumulative_sums(positives)
        true_positives = cumulative[:, -1:] - _take_columns(cumulative, first)
        false_positives = negatives[:, -1:] - _take_columns(negatives, below)
        precisions = true_positives / np.maximum(true_positives + false_positives, 1)
        return np.asarray((positives * precisions).sum(axis=1) / np.maximum(cumulative[:, -1], 1))

    return measure


_RANK_METRICS = {"roc_auc": _roc_auc, "average_precision": _average_precision}
