"""The metrics that model.toml can name, on labels and probabilities; scikit-learn computes them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import metrics as sk
from sklearn.preprocessing import label_binarize

from gitops_ml.config import REGRESSION
from gitops_ml.errors import ConfigError
from gitops_ml.predictions import Predictions

LESS_IS_BETTER = frozenset({"log_loss", "brier", "rmse", "mae"})
IN_THE_TARGETS_UNIT = frozenset({"rmse", "mae"})
NEEDS_PROBABILITIES = frozenset({"roc_auc", "average_precision", "log_loss", "brier"})
CLASSIFICATION = ("roc_auc", "average_precision", "accuracy", "balanced_accuracy", "f1", "log_loss", "brier")


def measure(name: str, truth: "np.ndarray[Any, Any]", predictions: Predictions, positive: object = None) -> float:
    """One metric on n rows; NaN where it is not defined, such as roc_auc on rows of one class.

    Args:
        name: As model.toml names it.
        truth: Shape (n,).
        predictions: Of the same rows.
        positive: The label that two-class metrics look for; by default the last one.

    Raises:
        ConfigError: The metric needs probabilities and the model gives none, or `positive` is no label.
    """
    if predictions.not_finite:
        return float("nan")
    if name in NEEDS_PROBABILITIES and predictions.probabilities is None:
        raise ConfigError(
            f"The metric {name!r} needs probabilities, but the estimator has no `predict_proba`.",
            "Choose balanced_accuracy under [evaluation] in model.toml, or an estimator that has it.",
        )
    if predictions.classes and len(set(truth.tolist())) < 2:
        return float("nan")
    if not predictions.classes:
        return float(_NUMBERS[name](truth, predictions.values))
    predictions = widened(predictions, truth)
    return float(_LABELS[name](truth, predictions, place_of_positive(predictions.classes, positive)))


def widened(predictions: Predictions, truth: "np.ndarray[Any, Any]") -> Predictions:
    """The same predictions with probability zero for labels that came after the model was trained."""
    new = sorted(set(truth.tolist()) - set(predictions.classes))
    if not new or predictions.probabilities is None:
        return predictions
    classes = tuple(sorted({*predictions.classes, *new}))
    known = [classes.index(label) for label in predictions.classes]
    probabilities = np.zeros((len(truth), len(classes)))
    probabilities[:, known] = predictions.probabilities
    return Predictions(predictions.values, probabilities, classes)


def orient(name: str, value: float) -> float:
    """The metric so that more is better."""
    return -value if name in LESS_IS_BETTER else value


def place_of_positive(classes: tuple[Any, ...], positive: object) -> int:
    """The place of the positive label among the classes."""
    if positive is None:
        return len(classes) - 1
    if positive not in classes:
        raise ConfigError(
            f"model.toml: [data] positive is {positive!r}, which is no label of the target.",
            f"Choose one of these: {', '.join(map(repr, classes))}.",
        )
    return classes.index(positive)


def _roc_auc(truth: Any, p: Predictions, positive: int) -> Any:
    if len(p.classes) == 2:
        return sk.roc_auc_score(truth == p.classes[positive], p.probabilities[:, positive])  # type: ignore[index]
    return sk.roc_auc_score(truth, p.probabilities, multi_class="ovr", labels=list(p.classes))


def _average_precision(truth: Any, p: Predictions, positive: int) -> Any:
    if len(p.classes) == 2:
        return sk.average_precision_score(truth == p.classes[positive], p.probabilities[:, positive])  # type: ignore[index]
    return sk.average_precision_score(label_binarize(truth, classes=list(p.classes)), p.probabilities)


def _f1(truth: Any, p: Predictions, positive: int) -> Any:
    if len(p.classes) == 2:
        return sk.f1_score(truth == p.classes[positive], p.values == p.classes[positive], zero_division=0.0)
    return sk.f1_score(truth, p.values, average="macro", zero_division=0.0)


def _brier(truth: Any, p: Predictions, positive: int) -> Any:
    if len(p.classes) == 2:
        return sk.brier_score_loss(truth == p.classes[positive], p.probabilities[:, positive])  # type: ignore[index]
    return sk.brier_score_loss(truth, p.probabilities, labels=list(p.classes))


_NUMBERS: dict[str, Callable[[Any, Any], Any]] = {
    "r2": sk.r2_score,
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
}
_LABELS: dict[str, Callable[[Any, Predictions, int], Any]] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "accuracy": lambda truth, p, positive: sk.accuracy_score(truth, p.values),
    "balanced_accuracy": lambda truth, p, positive: sk.balanced_accuracy_score(truth, p.values),
    "f1": _f1,
    "log_loss": lambda truth, p, positive: sk.log_loss(truth, p.probabilities, labels=list(p.classes)),
    "brier": _brier,
}


def measure_all(truth: "np.ndarray[Any, Any]", predictions: Predictions, positive: object = None) -> dict[str, float]:
    """Every metric of the task that these predictions allow."""
    names = CLASSIFICATION if predictions.classes else REGRESSION
    allowed = [n for n in names if predictions.probabilities is not None or n not in NEEDS_PROBABILITIES]
    return {name: measure(name, truth, predictions, positive) for name in allowed}
