"""Convert numbers and booleans to the types of the schema, value by value: a wrong value does not affect the others.

pandas converts a whole column at once, takes any text for true, and pandera truncates 3.5 to 3 for an integer column.
Numbers and booleans are therefore converted here, before pandera checks the rows.
"""

from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

# Texts of a boolean column, in lower case. Only what is certainly true or false is accepted.
BOOLEANS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
NULLABLE = {"b": "boolean", "i": "Int64", "u": "UInt64"}


def relax_schema(schema: pa.DataFrameSchema, key: str) -> pa.DataFrameSchema:
    """Return a copy of a schema that fits one chunk of rows.

    Integer and boolean columns get a nullable type, while their rule about missing values stays. Rules about uniqueness
    are removed, for they concern all chunks. The key must not be missing.

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
        if dtype_kind(column) in NULLABLE:
            columns[name]["dtype"] = NULLABLE[dtype_kind(column)]
    copy = schema.update_columns({name: change for name, change in columns.items() if change})
    copy.unique = None
    return copy


def coerce_values(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """Convert the columns that are numbers or booleans in the schema.

    Args:
        schema: Your schema.
        frame: Rows as they were read.

    Returns:
        The rows, with values that are not valid as missing; and for each column with such values, a boolean mask of
        these rows.
    """
    typed, wrong = {}, {}
    for name, column in schema.columns.items():
        kind = dtype_kind(column)
        if name not in frame or kind not in "biuf":
            continue
        values: Any
        if kind == "b":
            values = _to_booleans(frame[name])
        elif pd.api.types.is_datetime64_any_dtype(frame[name]):
            continue
        else:
            values = pd.to_numeric(frame[name], errors="coerce")
        bad = (frame[name].notna() & values.isna()).astype(bool)
        if kind in "iu":
            if frame[name].dtype != column.dtype.type:
                bad |= ~_fits(values, column)
            values = values.mask(bad).astype(NULLABLE[kind])
        elif kind == "f":
            values = values.astype(column.dtype.type)
        typed[name] = values
        if bad.any():
            wrong[name] = bad
    return frame.assign(**typed), wrong


def rows_without_value(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the missing values of columns that may miss values, but whose types have no missing value.

    Args:
        schema: Your schema.
        frame: Rows that were converted.

    Returns:
        For each such column, a boolean mask of the rows.
    """
    found = {}
    for name, column in schema.columns.items():
        is_plain = dtype_kind(column) in NULLABLE and isinstance(getattr(column.dtype, "type", None), np.dtype)
        if is_plain and column.nullable and name in frame and frame[name].isna().any():
            found[name] = frame[name].isna()
    return found


def restore_types(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows that passed the relaxed schema with the types of your schema.

    Args:
        schema: Your schema.
        frame: Rows that `relax_schema` accepted.
    """
    types = {name: column.dtype.type for name, column in schema.columns.items() if dtype_kind(column) in NULLABLE}
    return frame.astype({name: kind for name, kind in types.items() if name in frame})


def dtype_kind(column: pa.Column) -> str:
    """Return numpy's letter for the kind of a column's type: b is a boolean, i and u are integers, f is a float.

    Args:
        column: Column of a schema; a type that numpy does not have counts as "O".
    """
    return str(getattr(getattr(column.dtype, "type", None), "kind", "O"))


def _to_booleans(values: pd.Series) -> pd.Series:
    """Return booleans; values that are not certainly true or false are missing."""
    found = values if pd.api.types.is_bool_dtype(values) else values.map(_to_boolean)
    return found.astype(pd.BooleanDtype())


def _to_boolean(value: Any) -> Any:
    if isinstance(value, str):
        return BOOLEANS.get(value.lower(), pd.NA)
    is_number = isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating)
    return bool(value) if is_number and value in (0, 1) else pd.NA


def _fits(values: pd.Series, column: pa.Column) -> pd.Series:
    """Return whether each value is missing, or a whole number within the bounds of the column's type."""
    kind: Any = column.dtype.type
    bounds = np.iinfo(getattr(kind, "numpy_dtype", kind))
    present = values.dropna()
    if pd.api.types.is_bool_dtype(present):
        present = present.astype(int)
    fits = (present >= bounds.min) & (present <= bounds.max) & (present % 1 == 0)
    return fits.astype(bool).reindex(values.index, fill_value=True)
