"""Count rows and predictions in the bins of a reference histogram."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.predictions import Predictions
from gitops_ml.rows.column_kinds import kind_of


def bin_counts(histogram: dict[str, Any]) -> list[int]:
    """Return the counts of a reference column.

    Args:
        histogram: A column of the reference, as reference.json holds it.

    Returns:
        One count for each bin, in the order of `bin_labels`; the last one counts missing values.
    """
    counts = histogram["counts"] if "edges" in histogram else [*histogram["categories"].values(), histogram["other"]]
    return [*counts, histogram["missing"]]


def count_by_bin(column: pd.Series, histogram: dict[str, Any]) -> list[int] | None:
    """Count the values of a column in the bins of a reference column.

    Args:
        column: Values of current rows.
        histogram: The same column of the reference, as reference.json holds it.

    Returns:
        One count for each bin, in the order of `bin_labels`; None if the reference has no bins for values of this type.
    """
    missing, values = int(column.isna().sum()), column.dropna()
    if is_numeric(values) != ("edges" in histogram):
        return None
    if "edges" in histogram:
        return [*count_between_edges(np.asarray(histogram["edges"]), values.to_numpy(dtype=float)), missing]
    if not histogram["categories"]:
        return None
    frequencies = values.astype(str).value_counts()
    counts = [int(frequencies.get(name, 0)) for name in histogram["categories"]]
    return [*counts, len(values) - sum(counts), missing]


def bin_labels(histogram: dict[str, Any]) -> list[str]:
    """Return the labels of the bins of a reference column.

    Args:
        histogram: A column of the reference, as reference.json holds it.

    Returns:
        One phrase for each bin, such as "in [1, 2)" or "is missing"; the last one is for missing values.
    """
    if "edges" not in histogram:
        return [*(f"= {name}" for name in histogram["categories"]), "is anything else", "is missing"]
    edges = [f"{edge:.4g}" for edge in histogram["edges"]]
    if not edges:
        return ["is there", "is missing"]
    inner = [f"in [{low}, {high})" for low, high in pairwise(edges)]
    return [f"< {edges[0]}", *inner, f"≥ {edges[-1]}", "is missing"]


def monitored_values(predictions: Predictions, positive: object) -> pd.Series:
    """Return the monitored value of each prediction.

    Args:
        predictions: Predictions of n rows.
        positive: The positive label of model.toml, or None.

    Returns:
        Probabilities of the positive class for two classes, labels for more classes, numbers for regression; n values.
    """
    if predictions.probabilities is None or len(predictions.classes) != 2:
        return pd.Series(predictions.values)
    column = predictions.classes.index(positive) if positive in predictions.classes else 1
    return pd.Series(predictions.probabilities[:, column])


def is_numeric(values: pd.Series) -> bool:
    """Return whether values are binned by numeric edges; booleans are categories.

    Args:
        values: Values of one column.
    """
    return kind_of(values.dtype).is_number


def count_between_edges(edges: "np.ndarray[Any, Any]", numbers: "np.ndarray[Any, Any]") -> list[int]:
    """Count numbers between inner edges.

    Args:
        edges: Inner edges in ascending order, shape (k,).
        numbers: Numbers to count, shape (n,).

    Returns:
        Counts of k + 1 bins; a number that equals an edge belongs to the bin above it.
    """
    indices = np.searchsorted(edges, numbers, side="right")
    return [int(number) for number in np.bincount(indices, minlength=len(edges) + 1)]
