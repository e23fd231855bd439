"""The bins of a reference histogram: how other rows, and other predictions, fall into them."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.predictions import Predictions


def counted(described: dict[str, Any]) -> list[int]:
    """The counts of a column that was described, bin for bin; the last one is of what is missing."""
    counts = described["counts"] if "edges" in described else [*described["categories"].values(), described["other"]]
    return [*counts, described["missing"]]


def count(column: pd.Series, described: dict[str, Any]) -> list[int] | None:
    """Count other rows into the bins of a column that was described; None where it has no bins, or not of that type."""
    missing, values = int(column.isna().sum()), column.dropna()
    if is_number(values) != ("edges" in described):
        return None
    if "edges" in described:
        return [*fill(np.asarray(described["edges"]), values.to_numpy(dtype=float)), missing]
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


def watched(predictions: Predictions, positive: object) -> pd.Series:
    """What is watched of a prediction: the positive class's probability, the label, or the number."""
    if predictions.probabilities is None or len(predictions.classes) != 2:
        return pd.Series(predictions.values)
    place = predictions.classes.index(positive) if positive in predictions.classes else 1
    return pd.Series(predictions.probabilities[:, place])


def is_number(values: pd.Series) -> bool:
    """Whether values are cut by edges; a bool is a category."""
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def fill(edges: "np.ndarray[Any, Any]", numbers: "np.ndarray[Any, Any]") -> list[int]:
    """How many numbers fall between these inner edges."""
    places = np.searchsorted(edges, numbers, side="right")
    return [int(number) for number in np.bincount(places, minlength=len(edges) + 1)]
