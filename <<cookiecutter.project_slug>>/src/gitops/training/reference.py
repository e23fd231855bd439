# machinery
"""Reference histograms: how the training data and the predictions were distributed, for comparing and monitoring."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from gitops.predictions import Predictions

BINS = 10
CATEGORIES = 50


def reference(rows: pd.DataFrame, target: pd.Series, predictions: Predictions, positive: object) -> dict[str, Any]:
    """Bins and counts of every column, of the target and of the prediction.

    Numbers: `edges` are inner quantiles, ascending, so that counts has one entry more than edges; a value belongs to
    the first bin whose edge is above it. Text, and the labels of a target: `categories` with their counts, the rest
    under "other". A target of numbers has its `mean` and `deviation` too. Runs of earlier versions have no target.
    """
    names = {str(name): _describe(rows[name]) for name in rows.columns}
    return {
        "rows": len(rows),
        "columns": names,
        "target": _target(target, predictions),
        "prediction": _describe(_score(predictions, positive)),
    }


def counted(described: dict[str, Any]) -> list[int]:
    """The counts of a column that was described, bin for bin; the last one is of what is missing."""
    counts = described["counts"] if "edges" in described else [*described["categories"].values(), described["other"]]
    return [*counts, described["missing"]]


def count(column: pd.Series, described: dict[str, Any]) -> list[int] | None:
    """Count other rows into the bins of a column that was described; None where it has no bins, or not of that type."""
    missing, values = int(column.isna().sum()), column.dropna()
    if _is_number(values) != ("edges" in described):
        return None
    if "edges" in described:
        return [*_fill(np.asarray(described["edges"]), values.to_numpy(dtype=float)), missing]
    if not described["categories"]:
        return None
    found = values.astype(str).value_counts()
    known = [int(found.get(name, 0)) for name in described["categories"]]
    return [*known, len(values) - sum(known), missing]


def bins(described: dict[str, Any]) -> list[str]:
    """The names of the bins, in the order of the counts."""
    if "edges" not in described:
        return [*(f"= {name}" for name in described["categories"]), "is anything else", "is missing"]
    edges = [f"{edge:.4g}" for edge in described["edges"]]
    if not edges:
        return ["is there", "is missing"]
    inner = [f"in [{low}, {high})" for low, high in pairwise(edges)]
    return [f"< {edges[0]}", *inner, f"≥ {edges[-1]}", "is missing"]


def _score(predictions: Predictions, positive: object) -> pd.Series:
    """What is watched of a prediction: the positive class's probability, the label, or the number."""
    if predictions.probabilities is None or len(predictions.classes) != 2:
        return pd.Series(predictions.values)
    place = predictions.classes.index(positive) if positive in predictions.classes else 1
    return pd.Series(predictions.probabilities[:, place])


def _target(target: pd.Series, predictions: Predictions) -> dict[str, Any]:
    if predictions.classes:
        return _describe(target.astype(str))
    numbers = target.to_numpy(dtype=float)
    return {**_describe(target), "mean": float(numbers.mean()), "deviation": float(numbers.std())}


def _is_number(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _fill(edges: "np.ndarray[Any, Any]", numbers: "np.ndarray[Any, Any]") -> list[int]:
    places = np.searchsorted(edges, numbers, side="right")
    return [int(number) for number in np.bincount(places, minlength=len(edges) + 1)]


def _describe(column: pd.Series) -> dict[str, Any]:
    missing, values = int(column.isna().sum()), column.dropna()
    if _is_number(values):
        numbers = values.to_numpy(dtype=float)
        edges = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1])) if len(numbers) else np.empty(0)
        return {"missing": missing, "edges": edges.tolist(), "counts": _fill(edges, numbers)}
    found = values.astype(str).value_counts()
    if len(found) > CATEGORIES:
        # As many values as rows, or nearly: a name, not a category; nothing to watch but its absence.
        return {"missing": missing, "categories": {}, "other": int(found.sum())}
    return {"missing": missing, "categories": {k: int(v) for k, v in sorted(found.items())}, "other": 0}
