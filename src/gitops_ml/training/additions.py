"""What new rows do to the data: balance, shifts, gaps, twins, and on which side of the split they fall."""

from typing import Literal

import numpy as np
import pandas as pd

from gitops_ml.bins import count
from gitops_ml.config import Repository
from gitops_ml.run import Document
from gitops_ml.training.data import row_hashes
from gitops_ml.training.reference import describe
from gitops_ml.training.shifts import LARGEST, Shift, shift
from gitops_ml.training.split import holdout_mask

LABELS = 30


class Balance(Document):
    """A figure of the target.

    Attributes:
        what: It is.
        unit: A share lies in [0, 1].
        before: Of the rows that are here.
        added: Of the new rows.
        after: Of both.
    """

    what: str
    unit: Literal["share", "number"]
    before: float
    added: float
    after: float


class Gap(Document):
    """Missing values of a column, as shares in [0, 1]."""

    column: str
    before: float
    added: float


class Additions(Document):
    """The data before, the new rows, and both.

    Attributes:
        rows_before: Rows that are here.
        rows_added: New rows.
        held_out_before: How many of those here are held out.
        held_out_added: How many of the new ones will be.
        columns: Each with its type.
        target: Its balance of classes, or its mean and standard deviation.
        shifts: The columns whose new rows differ most from those here, at most five.
        gaps: Columns of whose new rows some lack a value.
        twins: New rows with the content of another row, under another key.
        twins_across: Those of them whose twin is on the other side of the split.
    """

    rows_before: int
    rows_added: int
    held_out_before: int
    held_out_added: int
    columns: dict[str, str]
    target: tuple[Balance, ...]
    shifts: tuple[Shift, ...]
    gaps: tuple[Gap, ...]
    twins: int
    twins_across: int


def additions(repository: Repository, here: pd.DataFrame, new: pd.DataFrame) -> Additions:
    """Describe what new rows do to the data.

    Args:
        repository: Whose model.toml names key, target and split.
        here: The data, with the schema's types.
        new: The rows to add, likewise.

    Raises:
        ConfigError: The split does not fit the data.
    """
    data, both = repository.config.data, pd.concat([here, new], ignore_index=True)
    held, columns = holdout_mask(repository, both), [name for name in here.columns if name != data.key]
    twins, across = _twins(both[columns], held, len(here))
    return Additions(
        rows_before=len(here),
        rows_added=len(new),
        held_out_before=int(held[: len(here)].sum()),
        held_out_added=int(held[len(here) :].sum()),
        columns={str(name): str(kind) for name, kind in here.dtypes.items()},
        target=_balance(here[data.target], new[data.target], both[data.target], repository.config.project.task),
        shifts=_shifts(here, new, [name for name in columns if name != data.target]),
        gaps=_gaps(here, new),
        twins=twins,
        twins_across=across,
    )


def _balance(here: pd.Series, new: pd.Series, both: pd.Series, task: str) -> tuple[Balance, ...]:
    every = (here, new, both)
    if task == "regression":
        figures = {"mean": [each.mean() for each in every], "standard deviation": [each.std(ddof=0) for each in every]}
        return tuple(
            Balance(what=what, unit="number", before=b, added=n, after=a) for what, (b, n, a) in figures.items()
        )
    labels = both.astype(str).value_counts().index[:LABELS]
    shares = {label: [float((each.astype(str) == label).mean()) for each in every] for label in sorted(labels)}
    return tuple(Balance(what=what, unit="share", before=b, added=n, after=a) for what, (b, n, a) in shares.items())


def _shifts(here: pd.DataFrame, new: pd.DataFrame, columns: list[str]) -> tuple[Shift, ...]:
    """New rows in the bins of those that are here."""
    bins = {name: describe(here[name]) for name in columns}
    moved = (shift(name, described, count(new[name], described)) for name, described in bins.items())
    found = [each for each in moved if each and each.psi > 0]
    return tuple(sorted(found, key=lambda each: (-each.psi, each.column))[:LARGEST])


def _gaps(here: pd.DataFrame, new: pd.DataFrame) -> tuple[Gap, ...]:
    return tuple(
        Gap(column=str(name), before=float(here[name].isna().mean()), added=float(new[name].isna().mean()))
        for name in new.columns
        if new[name].isna().any()
    )


def _twins(content: pd.DataFrame, held: "np.ndarray[tuple[int], np.dtype[np.bool_]]", known: int) -> tuple[int, int]:
    """How many new rows say what another row says, and how many of these what one says across the split."""
    table = pd.DataFrame({"hash": row_hashes(content), "held": held})
    group = table.groupby("hash")["held"]
    many, sides = group.transform("size").to_numpy()[known:], group.transform("nunique").to_numpy()[known:]
    return int((many > 1).sum()), int((sides > 1).sum())
