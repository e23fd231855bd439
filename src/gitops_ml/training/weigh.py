"""A metric of many resamples at once: each is told by how often it holds each row, so nothing is sorted a second time.

To the last digits it is what `measure` says of the resampled rows themselves; the tests hold the two together.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.predictions import Predictions
from gitops_ml.training.metrics import place_of_positive, widened

Array = np.ndarray[Any, Any]
Weighed = Callable[[Array], Array]

ON_LABELS = frozenset({"accuracy", "balanced_accuracy", "f1"})  # they ask for the labels alone, never how sure


def weigh(name: str, truth: Array, predictions: Predictions, positive: object = None) -> Weighed:
    """A metric, made ready to be asked for many resamples.

    Args:
        name: As model.toml names it.
        truth: Shape (n,).
        predictions: Of the same rows, all of them finite.
        positive: The label that two-class metrics look for; by default the last one.

    Returns:
        Takes how often each resample holds each row, shape (resamples, n); gives shape (resamples,), NaN where the
        metric is not defined, such as roc_auc on rows of one class.
    """
    if not predictions.classes:
        return _numbers(name, truth.astype(float), predictions.values)
    said = widened(predictions, truth)
    place = place_of_positive(said.classes, positive)
    classes = tuple(dict.fromkeys([*said.classes, *truth.tolist(), *said.values.tolist()]))
    actual = pd.Index(classes).get_indexer(truth)
    if name in ON_LABELS:
        of = _labels(name, actual, pd.Index(classes).get_indexer(said.values), len(classes), len(said.classes), place)
    elif name in _RANKED:
        of = _ranks(_RANKED[name], actual, said, place)
    else:
        of = _mean(_LOSSES[name](actual, said, place))
    return _of_several_classes(of, actual)


def _of_several_classes(of: Weighed, actual: Array) -> Weighed:
    """The same, and NaN for a resample of one class alone: nothing is told apart there."""
    means = _means(actual, actual**2)

    def weighed(counts: Array) -> Array:
        mean, square = means(counts).T
        with np.errstate(invalid="ignore", divide="ignore"):
            # Both are of whole numbers: where one class is all there is, no digit is lost.
            return np.where(square == mean**2, np.nan, of(counts))

    return weighed


def _of(counts: Array, rows: Array) -> Array:
    """The columns of these rows, each resample's side by side in memory as a subscript would not leave them."""
    return np.take(counts, rows, axis=1)


def _cumulated(counts: Array) -> Array:
    """The sums of the first 0, 1, 2 ... columns."""
    sums = np.zeros((len(counts), counts.shape[1] + 1), dtype=np.int64)
    np.cumsum(counts, axis=1, out=sums[:, 1:])
    return sums


def _sums(groups: Array, number: int) -> Weighed:
    """How often a resample holds rows of each group; a row of group -1 belongs to none."""
    order = np.argsort(groups, kind="stable")
    edges = np.searchsorted(groups[order], np.arange(number + 1))
    return lambda counts: np.diff(_of(_cumulated(_of(counts, order)), edges), axis=1)


def _labels(name: str, actual: Array, said: Array, number: int, known: int, place: int) -> Weighed:
    """From how often each label is true, is said, and is both."""
    true, told, both = (_sums(each, number) for each in (actual, said, np.where(actual == said, actual, -1)))

    def accuracy(counts: Array) -> Array:
        return np.asarray(both(counts).sum(axis=1) / counts.sum(axis=1))

    def recalls(counts: Array) -> Array:
        return np.asarray(np.nanmean(both(counts) / true(counts), axis=1))

    def f1(counts: Array) -> Array:
        twice = true(counts) + told(counts)
        scores = 2 * both(counts) / np.maximum(twice, 1)
        return np.asarray(scores[:, place] if known == 2 else scores.sum(axis=1) / (twice > 0).sum(axis=1))

    return {"accuracy": accuracy, "balanced_accuracy": recalls, "f1": f1}[name]


def _means(*columns: Array) -> Weighed:
    """The mean of each column. Without BLAS: its last digits depend on the number of processors, and on how many
    resamples are asked for at once."""
    numbers = np.stack(columns).astype(float)
    return lambda counts: np.einsum("ij,kj->ik", counts.astype(float), numbers) / counts.sum(axis=1, keepdims=True)


def _mean(column: Array) -> Weighed:
    means = _means(column)
    return lambda counts: means(counts)[:, 0]


def _log_loss(actual: Array, said: Predictions, _: int) -> Array:
    assert said.probabilities is not None  # noqa: S101 (measure has asked)
    epsilon = np.finfo(float).eps
    likely = said.probabilities[np.arange(len(actual)), actual]
    return np.asarray(-np.log(likely.clip(epsilon, 1 - epsilon)))


def _brier(actual: Array, said: Predictions, place: int) -> Array:
    assert said.probabilities is not None  # noqa: S101 (measure has asked)
    if len(said.classes) == 2:
        return np.asarray(((actual == place) - said.probabilities[:, place]) ** 2)
    likely = said.probabilities[np.arange(len(actual)), actual]
    return np.asarray((said.probabilities**2).sum(axis=1) - 2 * likely + 1)


_LOSSES: dict[str, Callable[[Array, Predictions, int], Array]] = {"log_loss": _log_loss, "brier": _brier}


def _numbers(name: str, truth: Array, said: Array) -> Weighed:
    """From means of errors and, for r2, of the truth's own spread."""
    if name == "mae":
        return _mean(np.abs(truth - said))
    squares = (truth - said) ** 2
    if name == "rmse":
        error = _mean(squares)
        return lambda counts: np.sqrt(error(counts))
    centred = truth - truth.mean()  # or the difference of two squares would lose digits
    means = _means(squares, centred, centred**2)

    def r2(counts: Array) -> Array:
        left, mean, square = means(counts).T
        spread = square - mean**2
        constant = spread <= 1e-12 * square  # a resample of one number, up to rounding; as scikit-learn has it
        return np.where(constant, np.where(left == 0, 1.0, 0.0), 1 - left / np.where(constant, 1.0, spread))

    return r2


def _ranks(of: Callable[[Array, Array], Weighed], actual: Array, said: Predictions, place: int) -> Weighed:
    """For two classes that of the positive one; for more the mean of each class against the others."""
    scores = said.probabilities
    assert scores is not None  # noqa: S101 (measure has asked)
    if len(said.classes) == 2:
        return of(actual == place, scores[:, place])
    each = [of(actual == number, scores[:, number]) for number in range(len(said.classes))]
    return lambda counts: np.mean([one(counts) for one in each], axis=0)


def _ascending(hits: Array, score: Array) -> tuple[Array, Array, Array, Array]:
    """The rows of each class by their score; and for each hit how many others lie below it, and below or level."""
    yes, no = (np.flatnonzero(rows)[np.argsort(score[rows], kind="stable")] for rows in (hits, ~hits))
    below, level = (np.searchsorted(score[no], score[yes], side) for side in ("left", "right"))
    return yes, no, below, level


def _roc_auc(hits: Array, score: Array) -> Weighed:
    """The share of pairs in the right order, a tie being half a pair: the Mann-Whitney statistic (Hanley and McNeil,
    Radiology 143, 1982), in whole numbers."""
    yes, no, below, level = _ascending(hits, score)
    tied = not np.array_equal(below, level)

    def weighed(counts: Array) -> Array:
        ours, others = _of(counts, yes), _cumulated(_of(counts, no))
        beaten = _of(others, below) + _of(others, level) if tied else 2 * _of(others, below)
        pairs = ours.sum(axis=1) * others[:, -1]
        return np.asarray(np.einsum("ij,ij->i", ours.astype(np.int64), beaten) / (2 * pairs))

    return weighed


def _average_precision(hits: Array, score: Array) -> Weighed:
    """The mean over the hits of the precision among the rows that score as high or higher."""
    yes, no, below, _ = _ascending(hits, score)
    first = np.searchsorted(score[yes], score[yes], "left")

    def weighed(counts: Array) -> Array:
        ours, others = _of(counts, yes), _cumulated(_of(counts, no))
        upto = _cumulated(ours)
        found, alarms = upto[:, -1:] - _of(upto, first), others[:, -1:] - _of(others, below)
        precise = found / np.maximum(found + alarms, 1)
        return np.asarray((ours * precise).sum(axis=1) / np.maximum(upto[:, -1], 1))

    return weighed


_RANKED = {"roc_auc": _roc_auc, "average_precision": _average_precision}
