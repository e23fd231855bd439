"""Reference histograms: how the training data and the predictions were distributed, for comparing and monitoring."""

from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.bins import fill, is_number, watched
from gitops_ml.predictions import Predictions

BINS = 10
CATEGORIES = 50


def reference(rows: pd.DataFrame, target: pd.Series, predictions: Predictions, positive: object) -> dict[str, Any]:
    """Bins and counts of every column and of the target, and of what the model says of rows that it never saw.

    Numbers: `edges` are inner quantiles, ascending, so that counts has one entry more than edges; a value belongs to
    the first bin whose edge is above it. Text, and the labels of a target: `categories` with their counts, the rest
    under "other". A target of numbers has its `mean` and `deviation` too. Runs of earlier versions have no target.
    """
    names = {str(name): describe(rows[name]) for name in rows.columns}
    return {
        "rows": len(rows),
        "columns": names,
        "target": _target(target, predictions),
        "prediction": describe(watched(predictions, positive)),
    }


def _target(target: pd.Series, predictions: Predictions) -> dict[str, Any]:
    if predictions.classes:
        return describe(target.astype(str))
    numbers = target.to_numpy(dtype=float)
    return {**describe(target), "mean": float(numbers.mean()), "deviation": float(numbers.std())}


def describe(column: pd.Series) -> dict[str, Any]:
    """Bins and counts of one column."""
    missing, values = int(column.isna().sum()), column.dropna()
    if is_number(values):
        numbers = values.to_numpy(dtype=float)
        edges = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1])) if len(numbers) else np.empty(0)
        return {"missing": missing, "edges": edges.tolist(), "counts": fill(edges, numbers)}
    found = values.astype(str).value_counts()
    if len(found) > CATEGORIES:
        # As many values as rows, or nearly: a name, not a category; nothing to watch but its absence.
        return {"missing": missing, "categories": {}, "other": int(found.sum())}
    return {"missing": missing, "categories": {k: int(v) for k, v in sorted(found.items())}, "other": 0}
