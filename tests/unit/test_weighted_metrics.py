"""A metric of weighted rows equals the metric of the resampled rows."""

from typing import Any

import numpy as np
import pytest

from gitops_ml.config import REGRESSION_METRICS
from gitops_ml.predictions import Predictions
from gitops_ml.training.metrics import CLASSIFICATION, add_unseen_classes, measure
from gitops_ml.training.weighted_metrics import weighted_metric

Array = np.ndarray[Any, Any]
ROWS, RESAMPLES = 200, 30
TWO, THREE = ("no", "yes"), ("a", "b", "c")


def resampled() -> Array:
    """Rows of each resample; one resample repeats a single row."""
    indices = np.random.default_rng(3).integers(0, ROWS, (RESAMPLES, ROWS))
    indices[7] = 5
    return indices


def count_rows(indices: Array) -> Array:
    """Number of times that each resample contains each row."""
    return np.stack([np.bincount(each, minlength=ROWS) for each in indices])


def labeled_rows(classes: tuple[Any, ...], levels: int | None = None, rare: int = 0) -> tuple[Array, Predictions]:
    """Labels, and predictions that are better than chance, with so many score levels and rows of the last class."""
    rng = np.random.default_rng(len(classes))
    indices = rng.integers(0, len(classes) - (rare > 0), ROWS)
    indices[:rare] = len(classes) - 1
    raw = rng.random((ROWS, len(classes))) + np.eye(len(classes))[indices] * 0.5
    raw = raw if levels is None else np.ceil(raw * levels)
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    class_labels = np.asarray(classes)
    return class_labels[indices], Predictions(class_labels[probabilities.argmax(axis=1)], probabilities, classes)


def with_unseen_label(classes: tuple[Any, ...]) -> tuple[Array, Predictions]:
    """Rows with a label that the model was not trained on."""
    labels, predictions = labeled_rows(classes)
    labels = labels.astype("U9")
    labels[:20] = "later"
    return labels, predictions


CASES = {
    "two classes": labeled_rows(TWO),
    "two classes, with ties": labeled_rows(TWO, levels=3),
    "two classes, one of them rare": labeled_rows(TWO, rare=2),
    "integers as labels": labeled_rows((0, 1)),
    "booleans as labels": labeled_rows((False, True)),
    "three classes": labeled_rows(THREE),
    "three classes, with ties": labeled_rows(THREE, levels=3),
    "three classes, one of them rare": labeled_rows(THREE, rare=2),
    "two classes and an unseen one": with_unseen_label(TWO),
    "three classes and an unseen one": with_unseen_label(THREE),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # scikit-learn's, about a class that a resample does not hold
@pytest.mark.parametrize("metric", CLASSIFICATION)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.slow
def test_a_resample_is_measured_like_its_rows(case: str, metric: str) -> None:
    """The value equals scikit-learn's to twelve digits, and is NaN for the repeated single row."""
    labels, predictions = CASES[case]
    indices, predictions = resampled(), add_unseen_classes(predictions, labels)
    each = [measure(metric, labels[rows], predictions.take(rows)) for rows in indices]
    assert np.isnan(each[7])
    assert weighted_metric(metric, labels, predictions)(count_rows(indices)) == pytest.approx(
        each, abs=1e-12, rel=1e-12, nan_ok=True
    )


@pytest.mark.parametrize("metric", CLASSIFICATION)
def test_the_positive_label_may_be_the_first(metric: str) -> None:
    """Two-class metrics use the label that is named."""
    labels, predictions = labeled_rows(TWO, rare=60)
    indices = resampled()
    each = [measure(metric, labels[rows], predictions.take(rows), "no") for rows in indices]
    assert weighted_metric(metric, labels, predictions, "no")(count_rows(indices)) == pytest.approx(
        each, abs=1e-12, nan_ok=True
    )


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "f1"])
def test_metrics_of_labels_need_no_probabilities(metric: str) -> None:
    """An unseen label is one that is never predicted."""
    labels, predictions = with_unseen_label(TWO)
    predictions, indices = Predictions(predictions.values, None, TWO), resampled()
    each = [measure(metric, labels[rows], predictions.take(rows)) for rows in indices]
    assert weighted_metric(metric, labels, predictions)(count_rows(indices)) == pytest.approx(
        each, abs=1e-12, nan_ok=True
    )


@pytest.mark.parametrize("metric", REGRESSION_METRICS)
@pytest.mark.parametrize("offset", [0.0, 1e6], ids=["around zero", "far from zero"])
def test_numbers_are_measured_like_their_rows(metric: str, offset: float) -> None:
    """The variance of the target is the resample's, not that of all rows."""
    labels = np.random.default_rng(1).normal(size=ROWS)
    predictions = Predictions(labels + np.random.default_rng(2).normal(size=ROWS) + offset, None, ())
    indices, labels = np.delete(resampled(), 7, axis=0), labels + offset
    each = [measure(metric, labels[rows], predictions.take(rows)) for rows in indices]
    assert weighted_metric(metric, labels, predictions)(count_rows(indices)) == pytest.approx(
        each, abs=1e-12, rel=1e-12
    )


@pytest.mark.parametrize(("error", "r2"), [(0.1, 0.0), (0.0, 1.0)], ids=["wrong", "right"])
def test_a_resample_of_one_number_has_scikit_learns_r2(error: float, r2: float) -> None:
    """It is 0, or 1 if the model is right; rounding counts as no variance."""
    labels = np.random.default_rng(1).normal(size=ROWS)
    predictions = Predictions(labels + error, None, ())
    assert weighted_metric("r2", labels, predictions)(count_rows(resampled()))[7] == r2
    assert measure("r2", np.full(2, labels[5]), predictions.take(np.array([5, 5]))) == r2
