"""The schema for a chunk of rows whose cells were read already: integers and booleans that can be missing."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

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


def rows_without_value(
    schema: pa.DataFrameSchema, frame: pd.DataFrame, wrong: Mapping[str, pd.Series]
) -> dict[str, pd.Series]:
    """Return the missing values of columns that may miss values, but whose types have no missing value.

    Args:
        schema: Your schema.
        frame: Rows that were converted.
        wrong: Masks of wrong cells, which are missing in these rows and have another rule.

    Returns:
        For each such column, a boolean mask of the rows.
    """
    found = {}
    for name, column in schema.columns.items():
        is_plain = dtype_kind(column) in NULLABLE and isinstance(getattr(column.dtype, "type", None), np.dtype)
        if is_plain and column.nullable and name in frame:
            missing = frame[name].isna() & ~wrong.get(name, False)
            if missing.any():
                found[name] = missing
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
