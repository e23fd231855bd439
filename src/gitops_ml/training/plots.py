"""The pictures of a training run, as PNG files."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.inspection import permutation_importance
from sklearn.metrics import ConfusionMatrixDisplay, PredictionErrorDisplay
from sklearn.pipeline import Pipeline

from gitops_ml.predictions import Predictions, predict
from gitops_ml.training.metrics import measure, orient

ROWS = 1000
FEATURES = 20


def draw(
    folder: Path, model: Pipeline, rows: pd.DataFrame, truth: "np.ndarray[Any, Any]", predictions: Predictions,
    metric: str, positive: object, seed: int,
) -> None:  # fmt: skip
    """Write the confusion matrix, or the residuals, and the importance of the features, on held-out rows."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"font.size": 9, "figure.autolayout": True}):
        figure = Figure(figsize=(5, 4))
        axes = figure.subplots()
        if predictions.classes:
            ConfusionMatrixDisplay.from_predictions(truth, predictions.values, ax=axes, colorbar=False)
            figure.savefig(folder / "confusion_matrix.png", dpi=120)
        else:
            PredictionErrorDisplay.from_predictions(truth, predictions.values, ax=axes)
            figure.savefig(folder / "residuals.png", dpi=120)
        importance = _importance(model, rows, truth, metric, positive, seed)
        figure = Figure(figsize=(6, 0.8 + 0.25 * len(importance)))
        axes = figure.subplots()
        axes.barh(importance.index.astype(str), importance.to_numpy())
        axes.set_xlabel(f"loss of {metric} when the column is shuffled")
        figure.savefig(folder / "feature_importance.png", dpi=120)


def _importance(
    model: Pipeline, rows: pd.DataFrame, truth: "np.ndarray[Any, Any]", metric: str, positive: object, seed: int
) -> pd.Series:
    """Permutation importance of the columns that matter most, on at most 1000 rows, ascending."""

    def score(fitted: Pipeline, some: pd.DataFrame, labels: "np.ndarray[Any, Any]") -> float:
        return orient(metric, measure(metric, labels, predict(fitted, some), positive))

    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:ROWS])
    found = permutation_importance(
        model, rows.iloc[chosen], truth[chosen], scoring=score, n_repeats=3, random_state=seed
    )
    return pd.Series(found["importances_mean"], index=rows.columns).sort_values().tail(FEATURES)
