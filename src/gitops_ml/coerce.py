"""Convert columns to the numeric types of the schema, value by value: a wrong value does not affect the others.

pandas converts a whole column at once, and pandera truncates 3.5 to 3 for an integer column. Numbers are therefore
converted here, before pandera checks the rows.
"""

from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa


def relax_schema(schema: pa.DataFrameSchema, key: str) -> pa.DataFrameSchema:
    """Return a copy of a schema that fits one chunk of rows.

    Integer columns get a nullable type, while their rule about missing values stays. Rules about uniqueness are
    removed, for they concern all chunks. The key must not be missing.

    Args:
        schema: Your schema.
        key: Name of the key column, which the schema may lack.
    """
    columns: dict[str, dict[str, Any]] = {name: {} for name in schema.columns}
    if key in columns:
        columns[key]["nullable"] = False
    for name, column in schema.columns.items():
        if column.unique:
            columns[name]["unique"] = False
        if dtype_kind(column) in "iu":
            columns[name]["dtype"] = _nullable(column)
    copy = schema.update_columns({name: change for name, change in columns.items() if change})
    copy.unique = None
    return copy


def coerce_numbers(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """Convert the columns that are numbers in the schema.

    Args:
        schema: Your schema.
        frame: Rows as they were read.

    Returns:
        The rows, with values that are no valid number as missing; and for each column with such values, a boolean mask
        of these rows.
    """
    typed, wrong = {}, {}
    for name, column in schema.columns.items():
        if dtype_kind(column) not in "iuf" or name not in frame or pd.api.types.is_datetime64_any_dtype(frame[name]):
            continue
        values = pd.to_numeric(frame[name], errors="coerce")
        bad = (frame[name].notna() & values.isna()).astype(bool)
        if dtype_kind(column) in "iu":
            if frame[name].dtype != column.dtype.type:
                bad |= ~_fits(values, column)
            values = values.mask(bad).astype(_nullable(column))
        else:
            values = values.astype(column.dtype.type)
        typed[name] = values
        if bad.any():
            wrong[name] = bad
    return frame.assign(**typed), wrong


def restore_types(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows that passed the relaxed schema with the types of your schema.

    Args:
        schema: Your schema.
        frame: Rows that `relax_schema` accepted.
    """
    types = {name: column.dtype.type for name, column in schema.columns.items() if dtype_kind(column) in "iu"}
    return frame.astype({name: kind for name, kind in types.items() if name in frame})


def dtype_kind(column: pa.Column) -> str:
    """Return numpy's letter for the kind of a column's type: i and u are integers, f is a float.

    Args:
        column: Column of a schema; a type that numpy does not have counts as "O".
    """
    return str(getattr(getattr(column.dtype, "type", None), "kind", "O"))


def _nullable(column: pa.Column) -> str:
    return "UInt64" if dtype_kind(column) == "u" else "Int64"


def _fits(values: pd.Series, column: pa.Column) -> pd.Series:
    """Return whether each value is missing, or a whole number within the bounds of the column's type."""
    kind: Any = column.dtype.type
    bounds = np.iinfo(getattr(kind, "numpy_dtype", kind))
    present = values.dropna()
    if pd.api.types.is_bool_dtype(present):
        present = present.astype(int)
    fits = (present >= bounds.min) & (present <= bounds.max) & (present % 1 == 0)
    return fits.astype(bool).reindex(values.index, fill_value=True)
