"""Plots of a training run, as PNG files."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.inspection import permutation_importance
from sklearn.metrics import ConfusionMatrixDisplay, PredictionErrorDisplay

from gitops_ml.predictions import Predictions
from gitops_ml.training.metrics import measure, orient

# Largest number of rows that permutation importance is measured on.
MAX_IMPORTANCE_ROWS = 1000
# Largest number of columns in the plot of the importance.
MAX_COLUMNS_SHOWN = 20


def draw_plots(
    folder: Path, labels: "np.ndarray[Any, Any]", predictions: Predictions, model: Any, rows: pd.DataFrame,
    row_labels: "np.ndarray[Any, Any]", metric: str, positive: object, seed: int,
) -> None:  # fmt: skip
    """Write plots of a cross-validation, as PNG files.

    The files are confusion_matrix.png (classification) or residuals.png (regression), and feature_importance.png. The
    feature importance is permutation importance (L. Breiman, "Random forests", Machine Learning 45,
    2001).

    Args:
        folder: Folder to write the files to.
        labels: True values of the predicted rows; shape (n,).
        predictions: Predictions of these rows, each by a model that was not fitted on it.
        model: Model of one fold, with the method `predict`.
        rows: Features of the rows that it was not fitted on; shape (m, columns).
        row_labels: True values of these rows; shape (m,).
        metric: Name of the primary metric, whose worsening is the importance of a column.
        positive: Label that two-class metrics count as positive; None for the last class.
        seed: Seed for sampling and shuffling.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"font.size": 9, "figure.autolayout": True}):
        figure = Figure(figsize=(5, 4))
        axes = figure.subplots()
        if predictions.classes:
            ConfusionMatrixDisplay.from_predictions(labels, predictions.values, ax=axes, colorbar=False)
            figure.savefig(folder / "confusion_matrix.png", dpi=120)
        else:
            PredictionErrorDisplay.from_predictions(labels, predictions.values, ax=axes)
            figure.savefig(folder / "residuals.png", dpi=120)
        importance = _importance(model, rows, row_labels, metric, positive, seed)
        figure = Figure(figsize=(6, 0.8 + 0.25 * len(importance)))
        axes = figure.subplots()
        axes.barh(importance.index.astype(str), importance.to_numpy())
        axes.set_xlabel(f"worsening of {metric} when the column is shuffled")
        figure.savefig(folder / "feature_importance.png", dpi=120)


def _importance(
    model: Any, rows: pd.DataFrame, labels: "np.ndarray[Any, Any]", metric: str, positive: object, seed: int
) -> pd.Series:
    """Return the permutation importance of the most important columns, in ascending order.

    It is the worsening of the metric when a column is shuffled, the mean of three repeats, on a sample of the rows.
    """

    def score(fitted: Any, sample_rows: pd.DataFrame, sample_labels: "np.ndarray[Any, Any]") -> float:
        return orient(metric, measure(metric, sample_labels, fitted.predict(sample_rows), positive))

    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:MAX_IMPORTANCE_ROWS])
    importance = permutation_importance(
        _Predictor(model), rows.iloc[chosen], labels[chosen], scoring=score, n_repeats=3, random_state=seed
    )
    return pd.Series(importance["importances_mean"], index=rows.columns).sort_values().tail(MAX_COLUMNS_SHOWN)


class _Predictor(BaseEstimator):
    """An estimator for scikit-learn whose code runs elsewhere."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, rows: Any, labels: Any) -> Any:
        """Refuse: the model is fitted."""
        raise NotImplementedError

    def predict(self, rows: pd.DataFrame) -> Any:
        """Return predictions."""
        return self.model.predict(rows)
