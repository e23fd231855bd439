"""Shifts: what changed in the data since the champion was trained."""

from typing import Any, Literal

import numpy as np
from scipy.stats import chi2

from gitops_ml.bins import bins, count, counted
from gitops_ml.run import Document
from gitops_ml.training.sketch import share_new
from gitops_ml.training.trial import Trial

LARGEST = 5


class Moved(Document):
    """A figure of the training rows, then and now.

    Attributes:
        what: It is.
        unit: A share lies in [0, 1].
        before: Of the champion's rows; None where an older run did not write it down.
        after: Of the challenger's rows.
    """

    what: str
    unit: Literal["share", "number"]
    before: float | None
    after: float | None


class Shift(Document):
    """How far a column's distribution moved.

    Attributes:
        column: Its name.
        psi: Population stability index over the champion's bins; 0 where nothing moved.
        chance: What the index stays below in 95 of 100 cases where two samples of these sizes differ by chance alone.
        largest: The bin whose share moved most.
    """

    column: str
    psi: float
    chance: float
    largest: Moved


class Changes(Document):
    """The data of the two, beside one another.

    Attributes:
        same: Both were trained from the very same data.
        rows_before: Of the champion's data, held-out ones included.
        rows_after: Of the challenger's.
        share_new: Which share of the challenger's rows the champion's data did not have, in [0, 1].
        added: Columns that the champion does not know.
        removed: Columns that are gone.
        retyped: Columns with another type: the type before, and after.
        target: Its balance of classes, or its mean and standard deviation.
        shifts: The columns that moved most, at most five.
        unknown: Why nothing can be said about shifts; None where something can.
    """

    same: bool
    rows_before: int
    rows_after: int
    share_new: float | None
    added: tuple[str, ...]
    removed: tuple[str, ...]
    retyped: dict[str, tuple[str, str]]
    target: tuple[Moved, ...]
    shifts: tuple[Shift, ...]
    unknown: str | None


def changes(trial: Trial) -> Changes | None:
    """What changed in the data since the champion was trained; None where there is no champion."""
    champion, challenger = trial.champion, trial.challenger
    if champion is None:
        return None
    before, after = champion.run.columns, challenger.run.columns
    then, now = champion.run.lineage, challenger.run.lineage
    here = trial.prepared.lineage
    # The champion's bins can only be filled from rows; those of an older challenger are no longer here.
    known = (here.data, here.split) == (now.data, now.split)
    same = then.data == now.data
    return Changes(
        same=same,
        rows_before=then.rows,
        rows_after=now.rows,
        share_new=share_new(challenger.sketch, champion.sketch),
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        retyped={name: (before[name], after[name]) for name in after if before.get(name, after[name]) != after[name]},
        target=_target(champion.reference.get("target"), challenger.reference.get("target")),
        shifts=_shifts(trial, champion.reference["columns"]) if known and not same else (),
        unknown=None if known or same else "the challenger was trained on other rows than lie here now",
    )


def _target(before: dict[str, Any] | None, after: dict[str, Any] | None) -> tuple[Moved, ...]:
    """The balance of classes, or mean and standard deviation; runs of earlier versions say nothing of their target."""
    if after is None:
        return ()
    if "edges" in after:
        then = before or {}
        return tuple(
            Moved(what=words, unit="number", before=then.get(name), after=after[name])
            for name, words in (("mean", "mean"), ("deviation", "standard deviation"))
        )
    shares = [_shares(each) if each else {} for each in (before, after)]
    return tuple(
        Moved(what=label, unit="share", before=shares[0].get(label, 0.0) if before else None,
              after=shares[1].get(label, 0.0))
        for label in sorted({*shares[0], *shares[1]})
    )  # fmt: skip


def _shares(described: dict[str, Any]) -> dict[str, float]:
    total = sum(described["categories"].values()) + described["other"]
    return {label: number / total for label, number in described["categories"].items()}


def _shifts(trial: Trial, columns: dict[str, dict[str, Any]]) -> tuple[Shift, ...]:
    rows = trial.prepared.rows
    moved = [shift(name, described, count(rows[name], described))
             for name, described in columns.items() if name in rows.columns]  # fmt: skip
    found = [shift for shift in moved if shift and shift.psi > 0]
    return tuple(sorted(found, key=lambda shift: (-shift.psi, shift.column))[:LARGEST])


def shift(name: str, described: dict[str, Any], after: list[int] | None) -> Shift | None:
    """The index of one column: the sum of (a - b) ln(a / b) over the shares a and b of each bin (N. Siddiqi, "Credit
    Risk Scorecards", 2006). Half a row is added to each bin, so that an empty one has a logarithm. By chance alone it
    is distributed as (1 / n + 1 / m) times chi-squared, with one degree of freedom less than bins (B. Yurdakul and
    J. Naranjo, "Statistical properties of the population stability index", Journal of Risk Model Validation, 2020)."""
    if after is None:
        return None
    pairs = np.array([counted(described), after])
    used = pairs.any(axis=0)
    if used.sum() < 2 or not pairs.sum(axis=1).all():
        return None
    smooth = pairs[:, used] + 0.5
    before, now = smooth / smooth.sum(axis=1, keepdims=True)
    shares = pairs / pairs.sum(axis=1, keepdims=True)
    most = int(np.argmax(np.abs(shares[1] - shares[0])))
    same = bool((shares[0] == shares[1]).all())
    return Shift(
        column=name,
        psi=0.0 if same else float(((now - before) * np.log(now / before)).sum()),
        chance=float((1 / pairs.sum(axis=1)).sum() * chi2.ppf(0.95, used.sum() - 1)),
        largest=Moved(
            what=f"{name} {bins(described)[most]}", unit="share", before=shares[0, most], after=shares[1, most]
        ),
    )
