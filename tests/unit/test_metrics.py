"""The metrics are scikit-learn's; a NaN never counts as a good value."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.preprocessing import label_binarize

from gitops_ml.config import LOWER_IS_BETTER, REGRESSION_METRICS
from gitops_ml.errors import ConfigError
from gitops_ml.predictions import Predictions
from gitops_ml.training.metrics import (
    CLASSIFICATION,
    NEEDS_PROBABILITIES,
    measure,
    measure_all,
    orient,
)

Array = np.ndarray[Any, Any]
TWO, THREE = ("no", "yes"), ("a", "b", "c")


def labeled_rows(classes: tuple[Any, ...], number: int = 200) -> tuple[Array, Predictions]:
    """Labels, and predictions that are better than chance."""
    rng = np.random.default_rng(len(classes))
    indices = rng.integers(0, len(classes), number)
    raw = rng.random((number, len(classes))) + np.eye(len(classes))[indices] * 0.5
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    class_labels = np.asarray(classes)
    return class_labels[indices], Predictions(class_labels[probabilities.argmax(axis=1)], probabilities, classes)


def numeric_rows(number: int = 200) -> tuple[Array, Predictions]:
    """Numeric targets, and predictions that are better than chance."""
    labels = np.random.default_rng(1).normal(size=number)
    return labels, Predictions(labels + np.random.default_rng(2).normal(size=number), None, ())


# direct calls of scikit-learn; y: true values, p: probabilities, v: predicted values
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


def test_every_metric_is_in_a_table() -> None:
    """A new metric needs a line above."""
    assert set(BINARY) == set(MULTICLASS) == set(CLASSIFICATION)
    assert set(NUMBERS) == set(REGRESSION_METRICS)


@pytest.mark.parametrize("name", BINARY)
def test_two_classes_are_measured_like_scikit_learn(name: str) -> None:
    """The values are identical."""
    labels, predictions = labeled_rows(TWO)
    assert predictions.probabilities is not None
    assert measure(name, labels, predictions) == BINARY[name](labels, predictions.probabilities, predictions.values)


@pytest.mark.parametrize("name", MULTICLASS)
def test_more_classes_are_measured_like_scikit_learn(name: str) -> None:
    """The values are identical."""
    labels, predictions = labeled_rows(THREE)
    assert predictions.probabilities is not None
    assert measure(name, labels, predictions) == MULTICLASS[name](labels, predictions.probabilities, predictions.values)


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_measured_like_scikit_learn(name: str) -> None:
    """The values are identical."""
    labels, predictions = numeric_rows()
    assert measure(name, labels, predictions) == NUMBERS[name](labels, predictions.values)


@pytest.mark.parametrize("name", ["average_precision", "f1"])
def test_the_positive_label_can_be_chosen(name: str) -> None:
    """The default is the last class; these metrics differ between the two if one label is rare."""
    labels, predictions = labeled_rows(TWO)
    rare = np.flatnonzero(labels == "no")[:20]
    chosen = np.concatenate([rare, np.flatnonzero(labels == "yes")])
    labels, predictions = labels[chosen], predictions.take(chosen)
    assert measure(name, labels, predictions, "yes") == measure(name, labels, predictions)
    assert measure(name, labels, predictions, "no") != measure(name, labels, predictions)


def test_an_unknown_positive_label_is_refused() -> None:
    """The message lists the labels."""
    labels, predictions = labeled_rows(TWO)
    with pytest.raises(ConfigError, match='positive is "maybe", which is not a label of the target'):
        measure("f1", labels, predictions, "maybe")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", CLASSIFICATION)
def test_one_bad_probability_makes_every_metric_nan(name: str, bad: float) -> None:
    """The other 199 rows do not matter, and a NaN passes no limit."""
    labels, predictions = labeled_rows(TWO)
    assert predictions.probabilities is not None
    predictions.probabilities[7, 1] = bad
    assert np.isnan(measure(name, labels, predictions))


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
@pytest.mark.parametrize("name", REGRESSION_METRICS)
def test_one_bad_number_makes_every_metric_nan(name: str, bad: float) -> None:
    """The same holds for regression."""
    labels, predictions = numeric_rows()
    predictions.values[7] = bad
    assert np.isnan(measure(name, labels, predictions))


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_labels_of_one_class_have_no_metric(name: str) -> None:
    """The metric is NaN instead of an arbitrary value."""
    _, predictions = labeled_rows(TWO)
    assert np.isnan(measure(name, np.full(200, "yes"), predictions))


@pytest.mark.parametrize("name", CLASSIFICATION)
@pytest.mark.parametrize("known", [TWO, ("no", "perhaps", "yes")], ids=["two", "three"])
def test_an_unseen_label_has_probability_zero(name: str, known: tuple[str, ...]) -> None:
    """An older model is measured on new labels, and metrics about all labels get worse."""
    labels, predictions = labeled_rows(known)
    later = labels.astype("U9")
    later[:20] = "later"
    before, now = (orient(name, measure(name, class_labels, predictions)) for class_labels in (labels, later))
    assert np.isfinite(now)
    assert now < before


@pytest.mark.parametrize("name", sorted(NEEDS_PROBABILITIES))
def test_a_metric_without_its_probabilities_is_refused(name: str) -> None:
    """The message names an alternative."""
    labels, predictions = labeled_rows(TWO)
    with pytest.raises(ConfigError, match="needs probabilities, but the estimator has no `predict_proba`"):
        measure(name, labels, Predictions(predictions.values, None, TWO))


def test_all_possible_metrics_are_measured() -> None:
    """Without probabilities, only metrics of labels are possible."""
    labels, predictions = labeled_rows(TWO)
    assert set(measure_all(labels, predictions)) == set(CLASSIFICATION)
    assert set(measure_all(labels, Predictions(predictions.values, None, TWO))) == {
        "accuracy",
        "balanced_accuracy",
        "f1",
    }
    assert set(measure_all(*numeric_rows())) == set(REGRESSION_METRICS)


@pytest.mark.parametrize("classes", [(0, 1), (False, True)], ids=["numbers", "booleans"])
def test_labels_need_not_be_text(classes: tuple[Any, ...]) -> None:
    """Integers and booleans are labels too."""
    labels, predictions = labeled_rows(classes)
    assert measure("roc_auc", labels, predictions, 1) == sk.roc_auc_score(labels == 1, predictions.probabilities[:, 1])  # type: ignore[index]


@pytest.mark.parametrize("name", [*CLASSIFICATION, *REGRESSION_METRICS])
def test_oriented_metrics_grow_with_the_quality(name: str) -> None:
    """Errors and losses change their sign."""
    assert orient(name, 0.3) == (-0.3 if name in LOWER_IS_BETTER else 0.3)
