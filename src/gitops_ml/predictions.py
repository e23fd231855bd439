"""What a model says of rows, in one form for training, comparing and serving."""

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
    """What a model says of n rows.

    Attributes:
        values: The label, or the number, of each row; shape (n,).
        probabilities: Of each class; shape (n, classes), or None where the model gives none.
        classes: The labels in the order of the probabilities; empty for regression.
    """

    values: "np.ndarray[Any, Any]"
    probabilities: "np.ndarray[Any, Any] | None"
    classes: tuple[Any, ...]

    def take(self, rows: "np.ndarray[Any, Any]") -> "Predictions":
        """The predictions of some rows, in that order."""
        chosen = None if self.probabilities is None else self.probabilities[rows]
        return Predictions(self.values[rows], chosen, self.classes)

    @property
    def not_finite(self) -> int:
        """How many rows have a NaN or an infinite number."""
        bad = np.zeros(len(self.values), dtype=bool)
        if self.values.dtype.kind == "f":
            bad |= ~np.isfinite(self.values)
        if self.probabilities is not None:
            bad |= ~np.isfinite(self.probabilities).all(axis=1)
        return int(bad.sum())


def predict(model: "Pipeline", rows: pd.DataFrame) -> Predictions:
    """Ask a fitted pipeline about rows (without the target)."""
    values = np.asarray(model.predict(rows))
    classes = tuple(np.asarray(getattr(model, "classes_", ())).tolist())
    if classes and hasattr(model, "predict_proba"):
        return Predictions(values, np.asarray(model.predict_proba(rows), dtype=float), classes)
    return Predictions(values if classes else values.astype(float), None, classes)


def to_frame(predictions: Predictions) -> pd.DataFrame:
    """One column with the label or number, and one for each class with its probability."""
    columns = {VALUE: predictions.values}
    if predictions.probabilities is not None:
        for place, label in enumerate(predictions.classes):
            columns[f"{PROBABILITY}{label}"] = predictions.probabilities[:, place]
    return pd.DataFrame(columns)


def read(file: Path, classes: tuple[Any, ...]) -> Predictions:
    """Read back what `to_frame` wrote to Parquet, for a model with these classes."""
    frame = pd.read_parquet(file)
    columns = [f"{PROBABILITY}{label}" for label in classes]
    known = bool(columns) and set(columns) <= set(frame.columns)
    return Predictions(frame[VALUE].to_numpy(), frame[columns].to_numpy(float) if known else None, classes)


def same(left: Predictions, right: Predictions, tolerance: float = 1e-6) -> bool:
    """Whether two models, or one model twice, said the same of the same rows, within a relative tolerance."""
    if left.classes != right.classes or (left.probabilities is None) != (right.probabilities is None):
        return False
    if left.probabilities is not None and right.probabilities is not None:
        return bool(np.allclose(left.probabilities, right.probabilities, rtol=tolerance, atol=tolerance))
    if left.classes:
        return bool((left.values == right.values).all())
    return bool(np.allclose(left.values, right.values, rtol=tolerance, atol=tolerance))
