"""The metrics that model.toml can name, computed by scikit-learn from labels and probabilities."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import metrics as sk

from gitops_ml.config import LOWER_IS_BETTER, REGRESSION_METRICS
from gitops_ml.errors import ConfigError
from gitops_ml.predictions import Predictions
from gitops_ml.training.labels import toml_label

NEEDS_PROBABILITIES = frozenset({"roc_auc", "average_precision", "log_loss", "brier"})
CLASSIFICATION = ("roc_auc", "average_precision", "accuracy", "balanced_accuracy", "f1", "log_loss", "brier")


def measure(name: str, labels: "np.ndarray[Any, Any]", predictions: Predictions, positive: object = None) -> float:
    """Return one metric of n predictions; NaN if it is not defined, such as roc_auc on rows of one class.

    Args:
        name: Name of the metric, as in model.toml.
        labels: True values; shape (n,).
        predictions: Predictions for the same rows.
        positive: Label that two-class metrics count as positive; by default the last class.

    Raises:
        ConfigError: The metric needs probabilities and the model has none, or `positive` is not a label.
    """
    if predictions.not_finite_count:
        return float("nan")
    if name in NEEDS_PROBABILITIES and predictions.probabilities is None:
        raise ConfigError(
            f"The metric {name!r} needs probabilities, but the estimator has no `predict_proba`.",
            'Set `metric` to "balanced_accuracy" under [evaluation] in model.toml, or use another estimator.',
        )
    if predictions.classes and len(set(labels.tolist())) < 2:
        return float("nan")
    if not predictions.classes:
        return float(_NUMBERS[name](labels, predictions.values))
    predictions = add_unseen_classes(predictions, labels)
    return float(_LABELS[name](labels, predictions, positive_index(predictions.classes, positive)))


def add_unseen_classes(predictions: Predictions, labels: "np.ndarray[Any, Any]") -> Predictions:
    """Return the predictions with probability zero for labels that the model was not trained on.

    Args:
        predictions: Predictions for n rows.
        labels: True values; shape (n,).
    """
    new = sorted(set(labels.tolist()) - set(predictions.classes))
    if not new or predictions.probabilities is None:
        return predictions
    classes = tuple(sorted({*predictions.classes, *new}))
    columns = [classes.index(label) for label in predictions.classes]
    probabilities = np.zeros((len(labels), len(classes)))
    probabilities[:, columns] = predictions.probabilities
    return Predictions(predictions.values, probabilities, classes)


def orient(name: str, value: float) -> float:
    """Return the metric with the sign for which larger is better.

    Args:
        name: Name of the metric.
        value: Value of the metric.
    """
    return -value if name in LOWER_IS_BETTER else value


def positive_index(classes: tuple[Any, ...], positive: object) -> int:
    """Return the index of the positive label among the classes.

    Args:
        classes: Labels in the order of the probabilities.
        positive: Positive label; None for the last class.

    Raises:
        ConfigError: `positive` is not one of the classes.
    """
    if positive is None:
        return len(classes) - 1
    if positive not in classes:
        raise ConfigError(
            f"model.toml: [data] positive is {toml_label(positive)}, which is not a label of the target.",
            f"Set it to one of these: {', '.join(map(toml_label, classes))}.",
        )
    return classes.index(positive)


def _roc_auc(labels: Any, p: Predictions, positive: int) -> Any:
    if len(p.classes) == 2:
        return sk.roc_auc_score(labels == p.classes[positive], p.probabilities[:, positive])  # type: ignore[index]
    return _mean_over_present(labels, p, sk.roc_auc_score)


def _average_precision(labels: Any, p: Predictions, positive: int) -> Any:
    if len(p.classes) == 2:
        return sk.average_precision_score(labels == p.classes[positive], p.probabilities[:, positive])  # type: ignore[index]
    return _mean_over_present(labels, p, sk.average_precision_score)


def _mean_over_present(labels: Any, p: Predictions, score: Callable[[Any, Any], Any]) -> Any:
    """Return the mean score of one class against the rest, over the classes that the rows have."""
    assert p.probabilities is not None  # noqa: S101 (measure checks it)
    present = [index for index, label in enumerate(p.classes) if (labels == label).any()]
    return np.mean([score(labels == p.classes[index], p.probabilities[:, index]) for index in present])


def _balanced_accuracy(labels: Any, p: Predictions, positive: int) -> Any:
    with warnings.catch_warnings():
        # The mean is over the labels that the rows have; predictions of others count as wrong.
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        return sk.balanced_accuracy_score(labels, p.values)


def _f1(labels: Any, p: Predictions, positive: int) -> Any:
    if len(p.classes) == 2:
        return sk.f1_score(labels == p.classes[positive], p.values == p.classes[positive], zero_division=0.0)
    return sk.f1_score(labels, p.values, average="macro", zero_division=0.0)


def _brier(labels: Any, p: Predictions, positive: int) -> Any:
    if len(p.classes) == 2:
        return sk.brier_score_loss(labels == p.classes[positive], p.probabilities[:, positive])  # type: ignore[index]
    return sk.brier_score_loss(labels, p.probabilities, labels=list(p.classes))


_NUMBERS: dict[str, Callable[[Any, Any], Any]] = {
    "r2": sk.r2_score,
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
}
_LABELS: dict[str, Callable[[Any, Predictions, int], Any]] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "accuracy": lambda labels, p, positive: sk.accuracy_score(labels, p.values),
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "log_loss": lambda labels, p, positive: sk.log_loss(labels, p.probabilities, labels=list(p.classes)),
    "brier": _brier,
}


def measure_all(labels: "np.ndarray[Any, Any]", predictions: Predictions, positive: object = None) -> dict[str, float]:
    """Return all metrics of the task that the predictions allow, by name.

    Args:
        labels: True values; shape (n,).
        predictions: Predictions for the same rows.
        positive: Label that two-class metrics count as positive; by default the last class.
    """
    names = CLASSIFICATION if predictions.classes else REGRESSION_METRICS
    allowed = [n for n in names if predictions.probabilities is not None or n not in NEEDS_PROBABILITIES]
    return {name: measure(name, labels, predictions, positive) for name in allowed}
