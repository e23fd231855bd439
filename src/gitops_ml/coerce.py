"""Numbers as the schema types them, found wrong value by value, so that no verdict depends on a value's neighbours.

pandas types a whole column at once, and pandera then truncates 3.5 to 3 where an integer is wanted; so numbers are
told apart here, before pandera looks at them.
"""

from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa


def loosened(schema: pa.DataFrameSchema, key: str) -> pa.DataFrameSchema:
    """The same schema for one chunk: integers may be missing in the type, though not in the rule; repeats are left to
    who sees all chunks; the key, where it is asked for, is never missing."""
    columns: dict[str, dict[str, Any]] = {name: {} for name in schema.columns}
    if key in columns:
        columns[key]["nullable"] = False
    for name, column in schema.columns.items():
        if column.unique:
            columns[name]["unique"] = False
        if kind_of(column) in "iu":
            columns[name]["dtype"] = _nullable(column)
    copy = schema.update_columns({name: change for name, change in columns.items() if change})
    copy.unique = None
    return copy


def numbers(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """Type the columns that the schema says are numbers.

    Args:
        schema: Yours.
        frame: Rows as they were read.

    Returns:
        The rows, where what is no such number is missing; and for each column that has such values, which rows.
    """
    typed, wrong = {}, {}
    for name, column in schema.columns.items():
        if kind_of(column) not in "iuf" or name not in frame or pd.api.types.is_datetime64_any_dtype(frame[name]):
            continue
        values = pd.to_numeric(frame[name], errors="coerce")
        bad = (frame[name].notna() & values.isna()).astype(bool)
        if kind_of(column) in "iu":
            if frame[name].dtype != column.dtype.type:
                bad |= ~_fits(values, column)
            values = values.mask(bad).astype(_nullable(column))
        else:
            values = values.astype(column.dtype.type)
        typed[name] = values
        if bad.any():
            wrong[name] = bad
    return frame.assign(**typed), wrong


def restored(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that kept the loosened schema, with the types of yours."""
    types = {name: column.dtype.type for name, column in schema.columns.items() if kind_of(column) in "iu"}
    return frame.astype({name: kind for name, kind in types.items() if name in frame})


def kind_of(column: pa.Column) -> str:
    """numpy's letter for the kind of type: i and u are integers, f is a float; another where there is none."""
    return str(getattr(getattr(column.dtype, "type", None), "kind", "O"))


def _nullable(column: pa.Column) -> str:
    return "UInt64" if kind_of(column) == "u" else "Int64"


def _fits(values: pd.Series, column: pa.Column) -> pd.Series:
    """Whether each value that is there is whole and within the bounds of the column's type."""
    kind: Any = column.dtype.type
    bounds = np.iinfo(getattr(kind, "numpy_dtype", kind))
    there = values.dropna()
    if pd.api.types.is_bool_dtype(there):
        there = there.astype(int)
    fits = (there >= bounds.min) & (there <= bounds.max) & (there % 1 == 0)
    return fits.astype(bool).reindex(values.index, fill_value=True)
