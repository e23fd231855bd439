"""New rows against those that are here: what is known already, what contradicts it, and what is left to add."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

FIRST = 5
# A CSV keeps the last digit of a number or not, depending on who wrote it.
CLOSE = 1e-9


@dataclass(frozen=True)
class Sorted:
    """What became of n rows.

    Attributes:
        new: Those whose key is not here, sorted by key.
        known: How many are here already, with the same content.
        conflicts: Of those that are here with other content: the key, and the columns that differ; the first few.
        conflicting: How many those are.
    """

    new: pd.DataFrame
    known: int
    conflicts: tuple[tuple[str, tuple[str, ...]], ...]
    conflicting: int


def sort_out(here: pd.DataFrame, rows: pd.DataFrame, key: str) -> Sorted:
    """Tell the rows apart by their key; both tables keep the schema, and neither repeats a key.

    Args:
        here: The data.
        rows: What the source has.
        key: The column that names a row.
    """
    known = rows[rows[key].isin(here[key])].reset_index(drop=True)
    theirs = here.set_index(key).loc[known[key]].reset_index()
    differs = different(theirs, known)
    hit = np.flatnonzero(differs.to_numpy().any(axis=1))
    conflicts = tuple(
        (str(known[key].iloc[place]), tuple(str(name) for name in differs.columns[differs.iloc[place]]))
        for place in hit[:FIRST]
    )
    new = rows[~rows[key].isin(here[key])].sort_values(key, ignore_index=True)
    return Sorted(new, len(known) - len(hit), conflicts, len(hit))


def different(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    """For each value of tables of the same rows, whether the two differ; a column that one lacks differs where the
    other has something."""
    names = [*left.columns, *(name for name in right.columns if name not in left.columns)]
    nothing = pd.Series(np.nan, index=left.index, dtype=object)
    return pd.DataFrame(
        {name: _differ(left.get(name, nothing), right.get(name, nothing)) for name in names}, index=left.index
    )


def _differ(left: pd.Series, right: pd.Series) -> pd.Series:
    missing = left.isna() & right.isna()
    if all(pd.api.types.is_numeric_dtype(each) for each in (left, right)):
        ours, theirs = (each.to_numpy(dtype=float, na_value=np.nan) for each in (left, right))
        same = np.isclose(ours, theirs, rtol=CLOSE, atol=0)
    else:
        same = (left.astype(object) == right.astype(object)).fillna(value=False).to_numpy(dtype=bool)
    return pd.Series(~(missing.to_numpy() | same), index=left.index)
