"""How a version answers rows whose truth has become known: its metric with an interval, and where it was wrong."""

from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.config import Config
from gitops_ml.predictions import Predictions
from gitops_ml.run import Document
from gitops_ml.training.flips import Answer, plain, sureness
from gitops_ml.training.intervals import intervals
from gitops_ml.training.metrics import measure

EXAMPLES = 5
Array = np.ndarray[Any, Any]


class Wrong(Document):
    """One row of which the version says something else than the truth.

    Attributes:
        key: Names the row.
        truth: What its target is.
        said: What the version says.
        probability: That it gives its answer; None where it gives none.
    """

    key: str
    truth: Answer | None
    said: Answer | None
    probability: float | None


class Answers(Document):
    """What the champion says of new rows.

    Attributes:
        version: The registry's number.
        metric: That decides between versions.
        value: On the new rows; None where it is not defined.
        low: Lower end of its interval.
        high: Upper end.
        promoted: The metric that earned it its place.
        rule: What counts as wrong, in words.
        rows: How many it was asked about.
        wrong: How many of them the truth contradicts.
        examples: Those that it was most sure of, or furthest off; at most five.
        unknown: Why nothing can be said; None where something can.
    """

    version: str
    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    promoted: float | None = None
    rule: str = ""
    rows: int = 0
    wrong: int = 0
    examples: tuple[Wrong, ...] = ()
    unknown: str | None = None


def answers(config: Config, said: Predictions, rows: pd.DataFrame, spread: float, known: Answers) -> Answers:
    """Compare what a version says with the truth.

    Args:
        config: Whose metric decides.
        said: Of the rows.
        rows: With key and target.
        spread: The standard deviation of a target of numbers; nothing else uses it.
        known: What is known of the version.

    Raises:
        ConfigError: The metric cannot be measured on such predictions.
    """
    truth, name = rows[config.data.target].to_numpy(), config.evaluation.metric
    value = measure(name, truth, said, config.data.positive)
    low, high = intervals(config, truth, said, {name: value}).get(name, (None, None))
    rule, wrong, how = _wrong(said, truth, spread)
    places = np.flatnonzero(wrong)
    most = places[np.argsort(-how[places], kind="stable")][:EXAMPLES]
    sure, keys = sureness(said), rows[config.data.key]
    examples = tuple(
        Wrong(key=str(keys.iloc[place]), truth=plain(truth[place]), said=plain(said.values[place]),
              probability=plain(float(sure[place])))
        for place in map(int, most)
    )  # fmt: skip
    changed = {"value": plain(float(value)), "low": low, "high": high, "rule": rule, "rows": len(rows)}
    return known.model_copy(update={**changed, "wrong": len(places), "examples": examples})


def _wrong(said: Predictions, truth: Array, spread: float) -> tuple[str, Array, Array]:
    """What counts as wrong, which rows are, and how much."""
    if said.classes:
        return "the label differs", np.asarray(said.values != truth, dtype=bool), np.nan_to_num(sureness(said))
    off = np.abs(said.values - truth.astype(float))
    return f"off by more than {spread:.4g}, the target's standard deviation", off > spread, off
