"""Reference histograms: distributions of the training data and of predictions, for comparisons and monitoring."""

from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.bins import count_between_edges, is_numeric, monitored_values
from gitops_ml.predictions import Predictions

BINS = 10
CATEGORIES = 50


def reference(rows: pd.DataFrame, target: pd.Series, predictions: Predictions, positive: object) -> dict[str, Any]:
    """Return bins and counts of every column, of the target, and of the predictions for held-out rows.

    A numeric column has `edges`, its inner quantiles in ascending order, and one count more than edges; a value belongs
    to the first bin whose edge is above it. Text, and the labels of a target, have `categories` with their counts, and
    the rest under "other". A numeric target also has its `mean` and `deviation`. Runs of earlier versions of the
    library have no target.

    Args:
        rows: Features of the training rows; shape (n, columns).
        target: Target of the training rows; shape (n,).
        predictions: Predictions for the held-out rows.
        positive: Label that counts as positive; None for the last class.
    """
    names = {str(name): describe(rows[name]) for name in rows.columns}
    return {
        "rows": len(rows),
        "columns": names,
        "target": _target(target, predictions),
        "prediction": describe(monitored_values(predictions, positive)),
    }


def _target(target: pd.Series, predictions: Predictions) -> dict[str, Any]:
    if predictions.classes:
        return describe(target.astype(str))
    numbers = target.to_numpy(dtype=float)
    return {**describe(target), "mean": float(numbers.mean()), "deviation": float(numbers.std())}


def describe(column: pd.Series) -> dict[str, Any]:
    """Return bins and counts of one column.

    Args:
        column: Values of the column; shape (n,).
    """
    missing, values = int(column.isna().sum()), column.dropna()
    if is_numeric(values):
        numbers = values.to_numpy(dtype=float)
        edges = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1])) if len(numbers) else np.empty(0)
        return {"missing": missing, "edges": edges.tolist(), "counts": count_between_edges(edges, numbers)}
    found = values.astype(str).value_counts()
    if len(found) > CATEGORIES:
        # A column with so many values is a name and not a category: only missing values are monitored.
        return {"missing": missing, "categories": {}, "other": int(found.sum())}
    return {"missing": missing, "categories": {k: int(v) for k, v in sorted(found.items())}, "other": 0}
