"""The metrics are scikit-learn's, on labels and probabilities; a NaN is never a good value."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.preprocessing import label_binarize

from gitops_ml.config import REGRESSION
from gitops_ml.errors import ConfigError
from gitops_ml.predictions import Predictions
from gitops_ml.training.metrics import (
    CLASSIFICATION,
    LESS_IS_BETTER,
    NEEDS_PROBABILITIES,
    measure,
    measure_all,
    orient,
)

Array = np.ndarray[Any, Any]
TWO, THREE = ("no", "yes"), ("a", "b", "c")


def labelled(classes: tuple[Any, ...], number: int = 200) -> tuple[Array, Predictions]:
    """A truth, and predictions that know something of it."""
    rng = np.random.default_rng(len(classes))
    places = rng.integers(0, len(classes), number)
    raw = rng.random((number, len(classes))) + np.eye(len(classes))[places] * 0.5
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    labels = np.asarray(classes)
    return labels[places], Predictions(labels[probabilities.argmax(axis=1)], probabilities, classes)


def numeric(number: int = 200) -> tuple[Array, Predictions]:
    """The same of numbers."""
    truth = np.random.default_rng(1).normal(size=number)
    return truth, Predictions(truth + np.random.default_rng(2).normal(size=number), None, ())


# what scikit-learn says, called directly; y is the truth, p the probabilities, v the values
BINARY: dict[str, Callable[[Array, Array, Array], Any]] = {
    "roc_auc": lambda y, p, v: sk.roc_auc_score(y == "yes", p[:, 1]),
    "average_precision": lambda y, p, v: sk.average_precision_score(y == "yes", p[:, 1]),
    "accuracy": lambda y, p, v: sk.accuracy_score(y, v),
    "balanced_accuracy": lambda y, p, v: sk.balanced_accuracy_score(y, v),
    "f1": lambda y, p, v: sk.f1_score(y, v, pos_label="yes"),
    "log_loss": lambda y, p, v: sk.log_loss(y, p, labels=["no", "yes"]),
    "brier": lambda y, p, v: sk.brier_score_loss(y == "yes", p[:, 1]),
}
MULTICLASS: dict[str, Callable[[Array, Array, Array], Any]] = {
    "roc_auc": lambda y, p, v: sk.roc_auc_score(y, p, multi_class="ovr"),
    "average_precision": lambda y, p, v: sk.average_precision_score(label_binarize(y, classes=list(THREE)), p),
    "accuracy": lambda y, p, v: sk.accuracy_score(y, v),
    "balanced_accuracy": lambda y, p, v: sk.balanced_accuracy_score(y, v),
    "f1": lambda y, p, v: sk.f1_score(y, v, average="macro"),
    "log_loss": lambda y, p, v: sk.log_loss(y, p),
    "brier": lambda y, p, v: sk.brier_score_loss(y, p),
}
NUMBERS: dict[str, Callable[[Array, Array], Any]] = {
    "r2": sk.r2_score,
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
}


def test_every_metric_stands_in_a_table() -> None:
    """A new metric needs a line above."""
    assert set(BINARY) == set(MULTICLASS) == set(CLASSIFICATION)
    assert set(NUMBERS) == set(REGRESSION)


@pytest.mark.parametrize("name", BINARY)
def test_two_classes_are_measured_as_scikit_learn_does(name: str) -> None:
    """The very same number."""
    truth, said = labelled(TWO)
    assert said.probabilities is not None
    assert measure(name, truth, said) == BINARY[name](truth, said.probabilities, said.values)


@pytest.mark.parametrize("name", MULTICLASS)
def test_more_classes_are_measured_as_scikit_learn_does(name: str) -> None:
    """The very same number."""
    truth, said = labelled(THREE)
    assert said.probabilities is not None
    assert measure(name, truth, said) == MULTICLASS[name](truth, said.probabilities, said.values)


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_measured_as_scikit_learn_does(name: str) -> None:
    """The very same number."""
    truth, said = numeric()
    assert measure(name, truth, said) == NUMBERS[name](truth, said.values)


@pytest.mark.parametrize("name", ["average_precision", "f1"])
def test_the_positive_label_is_the_one_that_is_named(name: str) -> None:
    """By default the last one; these metrics differ between the two where one label is rare."""
    truth, said = labelled(TWO)
    rare = np.flatnonzero(truth == "no")[:20]
    chosen = np.concatenate([rare, np.flatnonzero(truth == "yes")])
    truth, said = truth[chosen], said.take(chosen)
    assert measure(name, truth, said, "yes") == measure(name, truth, said)
    assert measure(name, truth, said, "no") != measure(name, truth, said)


def test_a_positive_label_that_nobody_has_is_refused() -> None:
    """With the labels there are."""
    truth, said = labelled(TWO)
    with pytest.raises(ConfigError, match="positive is 'maybe', which is no label of the target"):
        measure("f1", truth, said, "maybe")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", CLASSIFICATION)
def test_one_bad_probability_makes_every_metric_nan(name: str, bad: float) -> None:
    """Whatever the other 199 say; and a NaN is not above anything."""
    truth, said = labelled(TWO)
    assert said.probabilities is not None
    said.probabilities[7, 1] = bad
    assert np.isnan(measure(name, truth, said))


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
@pytest.mark.parametrize("name", REGRESSION)
def test_one_bad_number_makes_every_metric_nan(name: str, bad: float) -> None:
    """The same of numbers."""
    truth, said = numeric()
    said.values[7] = bad
    assert np.isnan(measure(name, truth, said))


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_a_truth_of_one_class_has_no_metric(name: str) -> None:
    """Nothing is told apart there; NaN, not an accidental one."""
    _, said = labelled(TWO)
    assert np.isnan(measure(name, np.full(200, "yes"), said))


@pytest.mark.parametrize("name", CLASSIFICATION)
@pytest.mark.parametrize("known", [TWO, ("no", "perhaps", "yes")], ids=["two", "three"])
def test_a_label_that_came_later_has_probability_zero(name: str, known: tuple[str, ...]) -> None:
    """An older model is measured on it all the same, and loses by it, where the metric is about all labels."""
    truth, said = labelled(known)
    later = truth.astype("U9")
    later[:20] = "later"
    before, now = (orient(name, measure(name, labels, said)) for labels in (truth, later))
    assert np.isfinite(now)
    assert now < before


@pytest.mark.parametrize("name", sorted(NEEDS_PROBABILITIES))
def test_a_metric_that_needs_probabilities_says_so(name: str) -> None:
    """With what to choose instead."""
    truth, said = labelled(TWO)
    with pytest.raises(ConfigError, match="needs probabilities, but the estimator has no `predict_proba`"):
        measure(name, truth, Predictions(said.values, None, TWO))


def test_all_metrics_that_the_predictions_allow_are_measured() -> None:
    """Of the task, and without probabilities only those of labels."""
    truth, said = labelled(TWO)
    assert set(measure_all(truth, said)) == set(CLASSIFICATION)
    assert set(measure_all(truth, Predictions(said.values, None, TWO))) == {"accuracy", "balanced_accuracy", "f1"}
    assert set(measure_all(*numeric())) == set(REGRESSION)


@pytest.mark.parametrize("classes", [(0, 1), (False, True)], ids=["numbers", "booleans"])
def test_labels_need_not_be_text(classes: tuple[Any, ...]) -> None:
    """Whole numbers and booleans are labels too."""
    truth, said = labelled(classes)
    assert measure("roc_auc", truth, said, 1) == sk.roc_auc_score(truth == 1, said.probabilities[:, 1])  # type: ignore[index]


@pytest.mark.parametrize("name", [*CLASSIFICATION, *REGRESSION])
def test_oriented_metrics_grow_with_the_quality(name: str) -> None:
    """Errors and losses are turned around."""
    assert orient(name, 0.3) == (-0.3 if name in LESS_IS_BETTER else 0.3)
