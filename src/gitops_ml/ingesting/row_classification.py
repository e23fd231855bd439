"""Classification of fetched rows: new, already in the data, or in conflict with it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

# Number of conflicts that are listed.
LISTED = 5
# Relative tolerance; programs that write CSV differ in the last digit of a number.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class ClassifiedRows:
    """Fetched rows, by their relation to the data.

    Attributes:
        new: Rows whose key is not in the data, sorted by key.
        existing: Number of rows that the data has already, with the same values.
        conflicts: Key and differing columns of the first few rows that the data has with other values.
        conflict_count: Number of rows that the data has with other values.
    """

    new: pd.DataFrame
    existing: int
    conflicts: tuple[tuple[str, tuple[str, ...]], ...]
    conflict_count: int


def classify_rows(data: pd.DataFrame, fetched: pd.DataFrame, key: str) -> ClassifiedRows:
    """Return the fetched rows, classified by their key. Both tables fit the schema, and neither repeats a key.

    Args:
        data: The data.
        fetched: Rows of the source.
        key: Name of the key column.
    """
    overlap = fetched[fetched[key].isin(data[key])].reset_index(drop=True)
    in_data = data.set_index(key).loc[overlap[key]].reset_index()
    differs = compare_values(in_data, overlap)
    positions = np.flatnonzero(differs.to_numpy().any(axis=1))
    conflicts = tuple(
        (str(overlap[key].iloc[position]), tuple(str(name) for name in differs.columns[differs.iloc[position]]))
        for position in positions[:LISTED]
    )
    new = fetched[~fetched[key].isin(data[key])].sort_values(key, ignore_index=True)
    return ClassifiedRows(new, len(overlap) - len(positions), conflicts, len(positions))


def compare_values(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    """Return a boolean table that is True for each value that differs between two tables of the same rows.

    Args:
        left: First table, shape (n, k).
        right: Second table, with the same index. A column that one table lacks counts as missing values there.
    """
    names = [*left.columns, *(name for name in right.columns if name not in left.columns)]
    missing = pd.Series(np.nan, index=left.index, dtype=object)
    return pd.DataFrame(
        {name: _differ(left.get(name, missing), right.get(name, missing)) for name in names}, index=left.index
    )


def _differ(left: pd.Series, right: pd.Series) -> pd.Series:
    both_missing = left.isna() & right.isna()
    if all(pd.api.types.is_numeric_dtype(column) for column in (left, right)):
        left_values, right_values = (column.to_numpy(dtype=float, na_value=np.nan) for column in (left, right))
        same = np.isclose(left_values, right_values, rtol=TOLERANCE, atol=0)
    else:
        same = (left.astype(object) == right.astype(object)).fillna(value=False).to_numpy(dtype=bool)
    return pd.Series(~(both_missing.to_numpy() | same), index=left.index)
