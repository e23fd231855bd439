# machinery
"""Reference histograms: how the training data and the predictions were distributed, for monitoring later."""

from typing import Any

import numpy as np
import pandas as pd

from gitops.predictions import Predictions

BINS = 10
CATEGORIES = 50


def reference(rows: pd.DataFrame, predictions: Predictions, positive: object) -> dict[str, Any]:
    """Bins and counts of every column and of the prediction.

    Numbers: `edges` are inner quantiles, ascending, so that counts has one entry more than edges; a value belongs to
    the first bin whose edge is above it. Text: `categories` with their counts, the rest under "other".
    """
    names = {str(name): _describe(rows[name]) for name in rows.columns}
    return {"rows": len(rows), "columns": names, "prediction": _describe(_score(predictions, positive))}


def _score(predictions: Predictions, positive: object) -> pd.Series:
    """What is watched of a prediction: the positive class's probability, the label, or the number."""
    if predictions.probabilities is None or len(predictions.classes) != 2:
        return pd.Series(predictions.values)
    place = predictions.classes.index(positive) if positive in predictions.classes else 1
    return pd.Series(predictions.probabilities[:, place])


def _describe(column: pd.Series) -> dict[str, Any]:
    missing, values = int(column.isna().sum()), column.dropna()
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = values.to_numpy(dtype=float)
        edges = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1])) if len(numbers) else np.empty(0)
        counts = np.bincount(np.searchsorted(edges, numbers, side="right"), minlength=len(edges) + 1)
        return {"missing": missing, "edges": edges.tolist(), "counts": counts.tolist()}
    counted = values.astype(str).value_counts()
    if len(counted) > CATEGORIES:
        # As many values as rows, or nearly: a name, not a category; nothing to watch but its absence.
        return {"missing": missing, "categories": {}, "other": int(counted.sum())}
    return {"missing": missing, "categories": {k: int(v) for k, v in sorted(counted.items())}, "other": 0}
