"""Flips: held-out rows of which the challenger says something else than the champion."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gitops_ml.predictions import Predictions
from gitops_ml.reasons import NoReasons, Reasons, explain
from gitops_ml.run import Document
from gitops_ml.training.trial import Scored, Trial

EXAMPLES = 5
REASONS = 3
SHARE = 0.1
Answer = str | int | float | bool
Array = np.ndarray[Any, Any]


class Reason(Document):
    """What moved one prediction of one version.

    Attributes:
        column: Of the data.
        contribution: How far, from what an average training row gets; see `unit`.
    """

    column: str
    contribution: float


class Why(Document):
    """The columns that moved one prediction most; at most three.

    Attributes:
        of: The class that they speak for; None for a number.
        unit: "log-odds", "score", or the target's own.
        reasons: The largest first.
    """

    of: Answer | None
    unit: str
    reasons: tuple[Reason, ...]


class Flip(Document):
    """One such row.

    Attributes:
        key: Names the row.
        truth: What its target is.
        champion: What the champion says.
        champion_probability: That the champion gives its answer; None where it gives none.
        challenger: What the challenger says.
        challenger_probability: That the challenger gives its answer.
        champion_why: What moved the champion; None where nobody can tell.
        challenger_why: What moved the challenger.
    """

    key: str
    truth: Answer | None
    champion: Answer | None
    champion_probability: float | None
    challenger: Answer | None
    challenger_probability: float | None
    champion_why: Why | None = None
    challenger_why: Why | None = None


class Flips(Document):
    """All of them.

    Attributes:
        rule: What counts as a flip, in words.
        rows: Held out.
        count: How many of them flip.
        rate: The same as a share of the rows, in [0, 1].
        better: How many of them flip to the truth, or come nearer to it.
        worse: How many of them flip away from it.
        examples: Those that move most: both versions are sure of what they say; at most five.
    """

    rule: str
    rows: int
    count: int
    rate: float
    better: int
    worse: int
    examples: tuple[Flip, ...]


@dataclass(frozen=True)
class Moves:
    """How the answers of n rows move from one version to another.

    Attributes:
        rule: What counts as a flip, in words.
        flipped: Whether a row flips; shape (n,).
        nearer: 1 where it moves to the truth, -1 where away from it, else 0.
        moved: How far.
        sure: The probability that the one, and the other, gives to its own answer; NaN where it gives none.
    """

    rule: str
    flipped: Array
    nearer: Array
    moved: Array
    sure: tuple[Array, Array]


def moves(truth: Array, before: Predictions, after: Predictions) -> Moves:
    """Compare the answers to the same rows."""
    if after.classes:
        sure = sureness(before), sureness(after)
        flipped = np.asarray(before.values != after.values, dtype=bool)
        nearer = (after.values == truth).astype(int) - (before.values == truth).astype(int)
        return Moves("the label differs", flipped, nearer, np.nan_to_num(sure[0]) + np.nan_to_num(sure[1]), sure)
    least = SHARE * float(np.std(truth.astype(float)))
    moved, unknown = np.abs(after.values - before.values), np.full(len(truth), np.nan)
    nearer = np.sign(np.abs(before.values - truth) - np.abs(after.values - truth))
    rule = f"the number moves by more than {least:.4g}, a tenth of the target's standard deviation"
    return Moves(rule, moved > least, nearer, moved, (unknown, unknown))


def flips(trial: Trial) -> Flips | None:
    """What the challenger would answer otherwise than the champion; None where there is no champion."""
    if trial.champion is None:
        return None
    truth, before, after = trial.truth, trial.champion.predictions, trial.challenger.predictions
    found = moves(truth, before, after)
    places = np.flatnonzero(found.flipped)
    most = places[np.argsort(-found.moved[places], kind="stable")][:EXAMPLES]
    why = [_why(trial, each, most) for each in (trial.champion, trial.challenger)]
    return Flips(
        rule=found.rule,
        rows=len(truth),
        count=len(places),
        rate=len(places) / len(truth),
        better=int((found.nearer[places] > 0).sum()),
        worse=int((found.nearer[places] < 0).sum()),
        examples=tuple(
            _example(trial, int(place), before, after, found.sure, (theirs, ours))
            for place, theirs, ours in zip(most, *why, strict=True)
        ),
    )


def sureness(said: Predictions) -> Array:
    """The probability that a model gives to its own answer, for each row; NaN where it gives none."""
    if said.probabilities is None:
        return np.full(len(said.values), np.nan)
    places = {label: place for place, label in enumerate(said.classes)}
    chosen = np.array([places[label] for label in said.values.tolist()])
    return np.asarray(said.probabilities[np.arange(len(chosen)), chosen])


def _why(trial: Trial, scored: Scored, places: Array) -> list[Why | None]:
    """What moved a version's predictions of some rows; None for each where its model is not at hand, or not linear."""
    if scored.model is None or scored.basis is None or not len(places):
        return [None] * len(places)
    rows = trial.prepared.held_out[list(scored.run.columns)].iloc[places]
    try:
        found = explain(scored.model, scored.basis, rows)
    except NoReasons:
        return [None] * len(places)
    return [_of_row(found, row) for row in range(len(places))]


def _of_row(found: Reasons, row: int) -> Why:
    reasons = tuple(Reason(column=column, contribution=moved) for column, moved in found.largest(row, REASONS)
                    if math.isfinite(moved))  # fmt: skip
    of = found.of[row]
    return Why(of=None if of is None else plain(of), unit=found.unit, reasons=reasons)


def _example(
    trial: Trial, place: int, before: Predictions, after: Predictions, sure: tuple[Array, Array],
    why: tuple[Why | None, Why | None],
) -> Flip:  # fmt: skip
    return Flip(
        key=str(trial.prepared.held_out[trial.config.data.key].iloc[place]),
        truth=plain(trial.truth[place]),
        champion=plain(before.values[place]),
        champion_probability=_finite(float(sure[0][place])),
        challenger=plain(after.values[place]),
        challenger_probability=_finite(float(sure[1][place])),
        champion_why=why[0],
        challenger_why=why[1],
    )


def plain(value: Any) -> Answer | None:
    """As JSON says it."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float):
        return _finite(value)
    return value if isinstance(value, str | int | bool) else str(value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
