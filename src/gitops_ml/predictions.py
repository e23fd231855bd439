"""Predictions of a model, in one form for training, comparison and serving."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

VALUE = "prediction"
PROBABILITY = "probability of "


@dataclass(frozen=True)
class Predictions:
    """Predictions of n rows.

    Attributes:
        values: Predicted labels or numbers, shape (n,).
        probabilities: Probabilities of the classes, shape (n, classes); None if the model has none.
        classes: Labels in the order of the probabilities; empty for regression.
    """

    values: "np.ndarray[Any, Any]"
    probabilities: "np.ndarray[Any, Any] | None"
    classes: tuple[Any, ...]

    def take(self, rows: "np.ndarray[Any, Any]") -> "Predictions":
        """Return the predictions of some rows.

        Args:
            rows: Indices of the rows, in the order of the result, or a boolean mask.
        """
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        return Predictions(self.values[rows], probabilities, self.classes)

    @property
    def not_finite_count(self) -> int:
        """Number of rows with NaN or an infinite value."""
        bad = np.zeros(len(self.values), dtype=bool)
        if self.values.dtype.kind == "f":
            bad |= ~np.isfinite(self.values)
        if self.probabilities is not None:
            bad |= ~np.isfinite(self.probabilities).all(axis=1)
        return int(bad.sum())


def predict(model: "Pipeline", rows: pd.DataFrame) -> Predictions:
    """Predict rows with a fitted pipeline.

    Args:
        model: Fitted pipeline.
        rows: Features of n rows, without the target.

    Returns:
        The predictions, with probabilities if the model has `predict_proba`.
    """
    values = np.asarray(model.predict(rows))
    classes = tuple(np.asarray(getattr(model, "classes_", ())).tolist())
    if classes and hasattr(model, "predict_proba"):
        return Predictions(values, np.asarray(model.predict_proba(rows), dtype=float), classes)
    return Predictions(values if classes else values.astype(float), None, classes)


def to_frame(predictions: Predictions) -> pd.DataFrame:
    """Return predictions as columns: one with the label or number, and one for each class with its probability.

    Args:
        predictions: Predictions of n rows.
    """
    columns = {VALUE: predictions.values}
    if predictions.probabilities is not None:
        for index, label in enumerate(predictions.classes):
            columns[f"{PROBABILITY}{label}"] = predictions.probabilities[:, index]
    return pd.DataFrame(columns)


def read_predictions(file: Path, classes: tuple[Any, ...]) -> Predictions:
    """Read predictions from a Parquet file with the columns of `to_frame`.

    Args:
        file: Path of the file.
        classes: Labels of the model in the order of its probabilities; empty for regression.

    Returns:
        The predictions, with probabilities if the file has a column for each class.
    """
    frame = pd.read_parquet(file)
    columns = [f"{PROBABILITY}{label}" for label in classes]
    has_probabilities = bool(columns) and set(columns) <= set(frame.columns)
    probabilities = frame[columns].to_numpy(float) if has_probabilities else None
    return Predictions(frame[VALUE].to_numpy(), probabilities, classes)


def are_close(left: Predictions, right: Predictions, tolerance: float = 1e-6) -> bool:
    """Return whether two predictions of the same rows are equal within a tolerance.

    Args:
        left: Predictions of n rows.
        right: Predictions of the same rows, in the same order.
        tolerance: Relative and absolute tolerance of probabilities and numbers; labels must be equal.
    """
    if left.classes != right.classes or (left.probabilities is None) != (right.probabilities is None):
        return False
    if left.probabilities is not None and right.probabilities is not None:
        return bool(np.allclose(left.probabilities, right.probabilities, rtol=tolerance, atol=tolerance))
    if left.classes:
        return bool((left.values == right.values).all())
    return bool(np.allclose(left.values, right.values, rtol=tolerance, atol=tolerance))
