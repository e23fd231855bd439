"""Metrics on slices of the holdout, for the report; the gate SLICES uses findings/losses.py."""

import math
import warnings
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import sklearn

from gitops_ml.bins import is_numeric
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput
from gitops_ml.training.gain import gain
from gitops_ml.training.metrics import measure, orient

MAXIMUM_VALUES = 12
MINIMUM_ROWS = 30
MINIMUM_OF_A_CLASS = 5
Mask = np.ndarray[Any, Any]


class Slice(Document):
    """Metrics on one slice of the holdout.

    Attributes:
        name: Condition of the slice, such as "mean_radius in [11.7, 13.4)".
        rows: Number of rows.
        challenger: The challenger's metric on these rows.
        champion: The champion's metric on these rows; None without a champion.
        loss: Difference between champion and challenger, for which larger is worse; None without a champion.
        low: Lower end of the loss's interval, for this slice alone; None without a champion, and for
            slices that the report does not show.
        high: Upper end of the loss's interval.
    """

    name: str
    rows: int
    challenger: float
    champion: float | None
    loss: float | None
    low: float | None = None
    high: float | None = None


def measure_slices(inputs: ComparisonInput, shown: int = 0) -> tuple[Slice, ...]:
    """Return every slice of at least 30 rows, the largest loss first; without a champion the worst metric first.

    A column with few values gives a slice for each value, another numeric column one for each quartile; missing values
    are a slice too. At least two classes must have five rows each, since a ranking of fewer rows has no meaning.

    Args:
        inputs: Versions to compare.
        shown: Number of slices, from the first on, to compute an interval for.
    """
    data, held = inputs.config.data, inputs.prepared.held_out
    found, masks = list[Slice | None](), dict[str, Mask]()
    # The same arrays are measured hundreds of times; scikit-learn need not check them each time.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a slice on which the metric is not defined is left out
        for name in held.columns.drop([data.key, data.target], errors="ignore"):
            for condition, mask in split_column(held[name]):
                if MINIMUM_ROWS <= mask.sum() < len(held):
                    masks[f"{name} {condition}"] = mask
                    found.append(_measure(inputs, f"{name} {condition}", mask))
    metric = inputs.metric
    worst = sorted(
        filter(None, found), key=lambda each: (-(each.loss or 0.0), orient(metric, each.challenger), each.name)
    )
    return tuple(_with_interval(inputs, each, masks[each.name]) for each in worst[:shown]) + tuple(worst[shown:])


def _with_interval(inputs: ComparisonInput, measured: Slice, mask: Mask) -> Slice:
    """Return the slice with the interval of its loss."""
    if inputs.champion is None:
        return measured
    rows = np.flatnonzero(mask)
    challenger, champion = (side.predictions.take(rows) for side in (inputs.challenger, inputs.champion))
    interval = gain(inputs.config, inputs.labels[rows], challenger, champion)
    return measured.model_copy(update={"low": -interval.high, "high": -interval.low})


def _measure(inputs: ComparisonInput, name: str, mask: Mask) -> Slice | None:
    rows, metric, sides = np.flatnonzero(mask), inputs.metric, [inputs.challenger, inputs.champion]
    if inputs.challenger.predictions.classes:
        classes = np.unique(inputs.labels[rows], return_counts=True)[1]
        if (classes >= MINIMUM_OF_A_CLASS).sum() < 2:
            return None
    challenger, champion = (
        measure(metric, inputs.labels[rows], each.predictions.take(rows), inputs.config.data.positive)
        if each else None for each in sides
    )  # fmt: skip
    if challenger is None or not math.isfinite(challenger) or (champion is not None and not math.isfinite(champion)):
        return None
    loss = None if champion is None else orient(metric, champion) - orient(metric, challenger)
    return Slice(name=name, rows=len(rows), challenger=challenger, champion=champion, loss=loss)


def split_column(column: pd.Series) -> Iterator[tuple[str, Mask]]:
    """Yield condition and mask of each slice of a column: quartiles or values, and missing values.

    Args:
        column: Values of one column; shape (n,).
    """
    yield from _quartiles(column) if _is_wide(column) else _values(column)
    yield "is missing", column.isna().to_numpy()


def split_by_value(column: pd.Series) -> Iterator[tuple[str, Mask]]:
    """Yield each value of a column with few values, and the mask of its rows; nothing for a column with many values.

    Args:
        column: Values of one column; shape (n,).
    """
    present = column.notna().to_numpy()
    named = column.astype(str).astype(object).to_numpy()
    values = sorted(set(named[present]))
    for value in values if len(values) <= MAXIMUM_VALUES else ():
        yield value, present & (named == value)


def _is_wide(column: pd.Series) -> bool:
    return is_numeric(column) and column.nunique() > MAXIMUM_VALUES


def _values(column: pd.Series) -> Iterator[tuple[str, Mask]]:
    for value, mask in split_by_value(column):
        yield f"= {value}", mask


def _quartiles(column: pd.Series) -> Iterator[tuple[str, Mask]]:
    numbers = column.to_numpy(dtype=float, na_value=np.nan)
    present = ~np.isnan(numbers)
    edges = np.unique(np.quantile(numbers[np.isfinite(numbers)], [0.25, 0.5, 0.75]))
    quartiles = np.searchsorted(edges, numbers, side="right")
    conditions = [f"< {edges[0]:.4g}", *(f"in [{low:.4g}, {high:.4g})" for low, high in pairwise(edges)),
                  f"≥ {edges[-1]:.4g}"]  # fmt: skip
    for number, condition in enumerate(conditions):
        yield condition, present & (quartiles == number)
