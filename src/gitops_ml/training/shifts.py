"""Shifts: changes in the data since the champion was trained."""

from typing import Any, Literal

import numpy as np
from scipy.stats import chi2

from gitops_ml.bins import bin_counts, bin_labels, count_by_bin
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput
from gitops_ml.training.key_sample import share_new

LARGEST = 5


class FigureChange(Document):
    """A figure of the training rows, then and now.

    Attributes:
        what: Name of the figure.
        unit: "share" for a value in [0, 1], else "number".
        before: Value for the champion's rows; None if an older run did not record it.
        after: Value for the challenger's rows.
    """

    what: str
    unit: Literal["share", "number"]
    before: float | None
    after: float | None


class ColumnShift(Document):
    """Shift of a column's distribution.

    Attributes:
        column: Name of the column.
        psi: Population stability index over the champion's bins; 0 without a shift.
        chance: 95 % quantile of the index for two samples of these sizes from the same distribution.
        largest: Bin with the largest change of its share.
    """

    column: str
    psi: float
    chance: float
    largest: FigureChange


class DataChanges(Document):
    """Changes from the champion's data to the challenger's.

    Attributes:
        same: True if both were trained from the same data.
        rows_before: Number of rows in the champion's data, held-out rows included.
        rows_after: Number of rows in the challenger's data.
        share_new: Share of the challenger's rows that the champion's data did not contain, in [0, 1].
        added: Columns that only the challenger has.
        removed: Columns that only the champion has.
        retyped: Columns with another type: the type before, and after.
        target: Balance of classes of the target, or its mean and standard deviation.
        shifts: Columns with the largest shifts, at most five.
        unknown: Reason why shifts cannot be measured; None if they can.
    """

    same: bool
    rows_before: int
    rows_after: int
    share_new: float | None
    added: tuple[str, ...]
    removed: tuple[str, ...]
    retyped: dict[str, tuple[str, str]]
    target: tuple[FigureChange, ...]
    shifts: tuple[ColumnShift, ...]
    unknown: str | None


def find_data_changes(inputs: ComparisonInput) -> DataChanges | None:
    """Return the changes in the data since the champion was trained; None without a champion.

    Args:
        inputs: Versions to compare.
    """
    champion, challenger = inputs.champion, inputs.challenger
    if champion is None:
        return None
    before, after = champion.run.columns, challenger.run.columns
    champion_lineage, challenger_lineage = champion.run.lineage, challenger.run.lineage
    current = inputs.prepared.lineage
    # Counting into the champion's bins needs the challenger's rows; an older challenger's are no longer available.
    rows_available = (current.data, current.split) == (challenger_lineage.data, challenger_lineage.split)
    same = champion_lineage.data == challenger_lineage.data
    return DataChanges(
        same=same,
        rows_before=champion_lineage.rows,
        rows_after=challenger_lineage.rows,
        share_new=share_new(challenger.key_sample, champion.key_sample),
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        retyped={name: (before[name], after[name]) for name in after if before.get(name, after[name]) != after[name]},
        target=_target(champion.reference.get("target"), challenger.reference.get("target")),
        shifts=_shifts(inputs, champion.reference["columns"]) if rows_available and not same else (),
        unknown=None if rows_available or same else "the challenger was trained on other rows than the current data",
    )


def _target(before: dict[str, Any] | None, after: dict[str, Any] | None) -> tuple[FigureChange, ...]:
    """Return the balance of classes, or mean and standard deviation; older runs did not record the target."""
    if after is None:
        return ()
    if "edges" in after:
        earlier = before or {}
        return tuple(
            FigureChange(what=title, unit="number", before=earlier.get(name), after=after[name])
            for name, title in (("mean", "mean"), ("deviation", "standard deviation"))
        )
    shares = [_shares(each) if each else {} for each in (before, after)]
    return tuple(
        FigureChange(what=label, unit="share", before=shares[0].get(label, 0.0) if before else None,
              after=shares[1].get(label, 0.0))
        for label in sorted({*shares[0], *shares[1]})
    )  # fmt: skip


def _shares(described: dict[str, Any]) -> dict[str, float]:
    total = sum(described["categories"].values()) + described["other"]
    return {label: number / total for label, number in described["categories"].items()}


def _shifts(inputs: ComparisonInput, columns: dict[str, dict[str, Any]]) -> tuple[ColumnShift, ...]:
    rows = inputs.prepared.rows
    moved = [measure_shift(name, described, count_by_bin(rows[name], described))
             for name, described in columns.items() if name in rows.columns]  # fmt: skip
    found = [shift for shift in moved if shift and shift.psi > 0]
    return tuple(sorted(found, key=lambda shift: (-shift.psi, shift.column))[:LARGEST])


def measure_shift(name: str, described: dict[str, Any], after: list[int] | None) -> ColumnShift | None:
    """Return the population stability index of one column; None if it cannot be computed.

    The index is the sum of (a - b) ln(a / b) over the shares a and b of each bin (N. Siddiqi, "Credit Risk Scorecards",
    2006). Half a row is added to each bin, so that the logarithm of an empty bin is defined. For two samples of n and m
    rows from the same distribution, it is distributed as (1 / n + 1 / m) times chi-squared, with one degree of freedom
    less than bins (B. Yurdakul and J. Naranjo, "Statistical properties of the population stability index", Journal of
    Risk Model Validation, 2020).

    Args:
        name: Name of the column.
        described: Bins and counts of the column in the reference, as `reference.describe` returns them.
        after: Number of current rows in the same bins; None if they cannot be counted.
    """
    if after is None:
        return None
    pairs = np.array([bin_counts(described), after])
    used = pairs.any(axis=0)
    if used.sum() < 2 or not pairs.sum(axis=1).all():
        return None
    smooth = pairs[:, used] + 0.5
    before_shares, after_shares = smooth / smooth.sum(axis=1, keepdims=True)
    shares = pairs / pairs.sum(axis=1, keepdims=True)
    most = int(np.argmax(np.abs(shares[1] - shares[0])))
    same = bool((shares[0] == shares[1]).all())
    return ColumnShift(
        column=name,
        psi=0.0 if same else float(((after_shares - before_shares) * np.log(after_shares / before_shares)).sum()),
        chance=float((1 / pairs.sum(axis=1)).sum() * chi2.ppf(0.95, used.sum() - 1)),
        largest=FigureChange(
            what=f"{name} {bin_labels(described)[most]}", unit="share", before=shares[0, most], after=shares[1, most]
        ),
    )
