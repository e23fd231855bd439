"""Slices: how the challenger does on parts of the holdout, for people to read; the gate SLICES looks at losses.py."""

import math
import warnings
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import sklearn

from gitops_ml.run import Document
from gitops_ml.training.gain import gain
from gitops_ml.training.metrics import measure, orient
from gitops_ml.training.trial import Trial

FEW = 12
MINIMUM_ROWS = 30
MINIMUM_OF_A_CLASS = 5
Mask = np.ndarray[Any, Any]


class Slice(Document):
    """One part of the holdout.

    Attributes:
        name: Such as "mean_radius in [11.7, 13.4)".
        rows: How many it has.
        challenger: The metric that decides, on these rows.
        champion: The same of the champion; None where there is none.
        loss: How much worse the challenger is than the champion, oriented so that more is worse.
        low: Lower end of the loss's interval, of this slice alone; None without champion, or where nobody asked.
        high: Upper end.
    """

    name: str
    rows: int
    challenger: float
    champion: float | None
    loss: float | None
    low: float | None = None
    high: float | None = None


def slices(trial: Trial, shown: int = 0) -> tuple[Slice, ...]:
    """Every slice of at least 30 rows, those with the largest loss first; without champion, the worst first.

    Args:
        trial: Champion and challenger.
        shown: So many of them, the first ones, have an interval.

    A column with few values gives a slice for each value, another column of numbers one for each quartile; missing
    values are a slice too. Two classes must have five rows each: a ranking of one row among many says nothing.
    """
    data, held = trial.config.data, trial.prepared.held_out
    found, masks = list[Slice | None](), dict[str, Mask]()
    # The same arrays are measured hundreds of times; they need no checking each time.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a slice where a metric is not defined is left out
        for name in held.columns.drop([data.key, data.target], errors="ignore"):
            for words, mask in parts(held[name]):
                if MINIMUM_ROWS <= mask.sum() < len(held):
                    masks[f"{name} {words}"] = mask
                    found.append(_measure(trial, f"{name} {words}", mask))
    metric = trial.metric
    worst = sorted(
        filter(None, found), key=lambda each: (-(each.loss or 0.0), orient(metric, each.challenger), each.name)
    )
    return tuple(_sure(trial, each, masks[each.name]) for each in worst[:shown]) + tuple(worst[shown:])


def _sure(trial: Trial, part: Slice, mask: Mask) -> Slice:
    """The same slice, with the interval of its loss."""
    if trial.champion is None:
        return part
    rows = np.flatnonzero(mask)
    ours, theirs = (side.predictions.take(rows) for side in (trial.challenger, trial.champion))
    gained = gain(trial.config, trial.truth[rows], ours, theirs)
    return part.model_copy(update={"low": -gained.high, "high": -gained.low})


def _measure(trial: Trial, name: str, mask: Mask) -> Slice | None:
    rows, metric, sides = np.flatnonzero(mask), trial.metric, [trial.challenger, trial.champion]
    if trial.challenger.predictions.classes:
        classes = np.unique(trial.truth[rows], return_counts=True)[1]
        if (classes >= MINIMUM_OF_A_CLASS).sum() < 2:
            return None
    ours, theirs = (
        measure(metric, trial.truth[rows], each.predictions.take(rows), trial.config.data.positive)
        if each else None for each in sides
    )  # fmt: skip
    if ours is None or not math.isfinite(ours) or (theirs is not None and not math.isfinite(theirs)):
        return None
    loss = None if theirs is None else orient(metric, theirs) - orient(metric, ours)
    return Slice(name=name, rows=len(rows), challenger=ours, champion=theirs, loss=loss)


def parts(column: pd.Series) -> Iterator[tuple[str, Mask]]:
    """The slices that one column makes: its quartiles or its few values, and where it is missing."""
    yield from _quartiles(column) if _is_wide(column) else _values(column)
    yield "is missing", column.isna().to_numpy()


def few_values(column: pd.Series) -> Iterator[tuple[str, Mask]]:
    """Each value of a column that has few, and the rows that have it; nothing where it has many."""
    there = column.notna().to_numpy()
    named = column.astype(str).astype(object).to_numpy()
    values = sorted(set(named[there]))
    for value in values if len(values) <= FEW else ():
        yield value, there & (named == value)


def _is_wide(column: pd.Series) -> bool:
    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return is_number and column.nunique() > FEW


def _values(column: pd.Series) -> Iterator[tuple[str, Mask]]:
    for value, mask in few_values(column):
        yield f"= {value}", mask


def _quartiles(column: pd.Series) -> Iterator[tuple[str, Mask]]:
    numbers = column.to_numpy(dtype=float, na_value=np.nan)
    there = ~np.isnan(numbers)
    edges = np.unique(np.quantile(numbers[np.isfinite(numbers)], [0.25, 0.5, 0.75]))
    places = np.searchsorted(edges, numbers, side="right")
    words = [f"< {edges[0]:.4g}", *(f"in [{low:.4g}, {high:.4g})" for low, high in pairwise(edges)),
             f"≥ {edges[-1]:.4g}"]  # fmt: skip
    for place, each in enumerate(words):
        yield each, there & (places == place)
