"""Effects of new rows on the data: balance, shifts, missing values, duplicates, and the split."""

from typing import Literal

import numpy as np
import pandas as pd

from gitops_ml.bins import count_by_bin
from gitops_ml.config import Repository
from gitops_ml.run import Document
from gitops_ml.training.data import row_hashes
from gitops_ml.training.reference import describe
from gitops_ml.training.shifts import LARGEST, ColumnShift, measure_shift
from gitops_ml.training.split import holdout_mask

LABELS = 30


class TargetBalance(Document):
    """A figure of the target.

    Attributes:
        what: Name of the figure.
        unit: "share" for a value in [0, 1], else "number".
        before: Value for the existing rows.
        added: Value for the new rows.
        after: Value for all rows.
    """

    what: str
    unit: Literal["share", "number"]
    before: float
    added: float
    after: float


class MissingShares(Document):
    """Shares of missing values of a column, in [0, 1].

    Attributes:
        column: Name of the column.
        before: Share in the existing rows.
        added: Share in the new rows.
    """

    column: str
    before: float
    added: float


class Additions(Document):
    """The existing rows and the new rows.

    Attributes:
        rows_before: Number of existing rows.
        rows_added: Number of new rows.
        held_out_before: Number of existing rows that are held out.
        held_out_added: Number of new rows that will be held out.
        held_out_after: Number of all rows that will be held out; with a cutoff that moves with the rows, it is not the
            sum, because existing rows become training rows.
        method: Method of the split; "newest" for method "time" with a share.
        columns: Types of the columns, by name.
        target: Balance of classes of the target, or its mean and standard deviation.
        shifts: Columns whose new rows differ most from the existing rows, at most five.
        gaps: Columns with missing values in the new rows.
        twins: Number of new rows with the content of another row, under another key.
        twins_across: Number of these whose duplicate is on the other side of the split.
    """

    rows_before: int
    rows_added: int
    held_out_before: int
    held_out_added: int
    held_out_after: int
    method: Literal["hash", "group", "time", "newest"]
    columns: dict[str, str]
    target: tuple[TargetBalance, ...]
    shifts: tuple[ColumnShift, ...]
    gaps: tuple[MissingShares, ...]
    twins: int
    twins_across: int


def additions(repository: Repository, existing: pd.DataFrame, new: pd.DataFrame) -> Additions:
    """Return the effects of new rows on the data.

    Args:
        repository: Repository with key, target and split in model.toml.
        existing: Existing rows, with the schema's types.
        new: Rows to add, with the schema's types.

    Raises:
        ConfigError: The split does not fit the data.
    """
    data, combined = repository.config.data, pd.concat([existing, new], ignore_index=True)
    split = repository.config.split
    moves = split.method == "time" and split.cutoff is None
    held, columns = holdout_mask(repository, combined), [name for name in existing.columns if name != data.key]
    duplicates, duplicates_across = _count_duplicates(combined[columns], held, len(existing))
    return Additions(
        rows_before=len(existing),
        rows_added=len(new),
        held_out_before=int((holdout_mask(repository, existing) if moves else held[: len(existing)]).sum()),
        held_out_added=int(held[len(existing) :].sum()),
        held_out_after=int(held.sum()),
        method="newest" if moves else split.method,
        columns={str(name): str(kind) for name, kind in existing.dtypes.items()},
        target=_balance(existing[data.target], new[data.target], combined[data.target], repository.config.project.task),
        shifts=_shifts(existing, new, [name for name in columns if name != data.target]),
        gaps=_missing_shares(existing, new),
        twins=duplicates,
        twins_across=duplicates_across,
    )


def _balance(existing: pd.Series, new: pd.Series, combined: pd.Series, task: str) -> tuple[TargetBalance, ...]:
    frames = (existing, new, combined)
    if task == "regression":
        figures = {
            "mean": [each.mean() for each in frames],
            "standard deviation": [each.std(ddof=0) for each in frames],
        }
        return tuple(
            TargetBalance(what=figure, unit="number", before=b, added=n, after=a)
            for figure, (b, n, a) in figures.items()
        )
    labels = combined.astype(str).value_counts().index[:LABELS]
    shares = {label: [float((each.astype(str) == label).mean()) for each in frames] for label in sorted(labels)}
    return tuple(
        TargetBalance(what=figure, unit="share", before=b, added=n, after=a) for figure, (b, n, a) in shares.items()
    )


def _shifts(existing: pd.DataFrame, new: pd.DataFrame, columns: list[str]) -> tuple[ColumnShift, ...]:
    """Return the columns with the largest shifts, measured in bins of the existing rows."""
    bins = {name: describe(existing[name]) for name in columns}
    moved = (measure_shift(name, described, count_by_bin(new[name], described)) for name, described in bins.items())
    found = [each for each in moved if each and each.psi > 0]
    return tuple(sorted(found, key=lambda each: (-each.psi, each.column))[:LARGEST])


def _missing_shares(existing: pd.DataFrame, new: pd.DataFrame) -> tuple[MissingShares, ...]:
    return tuple(
        MissingShares(
            column=str(name), before=float(existing[name].isna().mean()), added=float(new[name].isna().mean())
        )
        for name in new.columns
        if new[name].isna().any()
    )


def _count_duplicates(
    content: pd.DataFrame, held: "np.ndarray[tuple[int], np.dtype[np.bool_]]", existing_rows: int
) -> tuple[int, int]:
    """Return the number of new rows that duplicate another row, and of those that do so across the split."""
    table = pd.DataFrame({"hash": row_hashes(content), "held": held})
    group = table.groupby("hash")["held"]
    group_sizes, group_sides = (
        group.transform("size").to_numpy()[existing_rows:],
        group.transform("nunique").to_numpy()[existing_rows:],
    )
    return int((group_sizes > 1).sum()), int((group_sides > 1).sum())
