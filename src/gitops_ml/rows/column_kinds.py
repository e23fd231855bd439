"""The kind of each column of your schema, and the parsing of rows by these kinds."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from gitops_ml.rows.cell_rules import CellRules
from gitops_ml.rows.column_kind import ColumnKind
from gitops_ml.rows.date_kind import DateKind
from gitops_ml.rows.number_kinds import BooleanKind, FloatKind, IntegerKind
from gitops_ml.rows.text_kinds import CategoryKind, FreeCategoryKind, OtherKind, TextKind

DEFAULT = CellRules()


def kind_of(dtype: Any, rules: CellRules = DEFAULT, name: str = "") -> ColumnKind:
    """Return the kind of a column.

    Args:
        dtype: Type of the column: of pandera, pandas or NumPy, or the name of one.
        rules: Declarations about cells.
        name: Name of the column, for its format of dates.
    """
    own: Any = pd.api.types.pandas_dtype(dtype) if isinstance(dtype, str) else getattr(dtype, "type", dtype)
    if not isinstance(own, np.dtype | pd.api.extensions.ExtensionDtype):
        own = dtype
    letter, rule = str(getattr(own, "kind", "O")), f"must be {dtype}"
    if isinstance(own, pd.CategoricalDtype):
        if own.categories is None:
            return FreeCategoryKind(rules)
        return CategoryKind(kind_of(own.categories.dtype, rules, name), own.categories, own)
    if letter == "b":
        return BooleanKind(rule, rules)
    if letter in "iu":
        return IntegerKind(rule, rules, np.dtype(getattr(own, "numpy_dtype", own)))
    if letter == "f":
        return FloatKind(rule, rules, own)
    if letter == "M":
        return DateKind(rules, own, rules.dates.get(name))
    return TextKind(rules) if "str" in str(dtype) or str(dtype) == "object" else OtherKind(rules)


def expand_columns(schema: pa.DataFrameSchema, names: Iterable[str]) -> dict[str, pa.Column]:
    """Return the schema's column of each name, including those that a regular expression describes.

    Args:
        schema: Your schema.
        names: Names of the columns of the rows.
    """
    names = list(names)
    columns = {name: schema.columns[name] for name in names if name in schema.columns}
    for column in schema.columns.values():
        if column.regex:
            index = pd.Index([name for name in names if isinstance(name, str)])
            try:
                matched = column.get_regex_columns(pd.DataFrame(columns=index))
            except pa.errors.SchemaError:
                continue  # no name matches, which the check of the rows reports
            columns |= {str(name): column for name in matched if name not in columns}
    return columns


def find_kinds(schema: pa.DataFrameSchema, names: Iterable[str], rules: CellRules = DEFAULT) -> dict[str, ColumnKind]:
    """Return the kind of each column of the rows; a column that the schema does not name has none of its own.

    Args:
        schema: Your schema.
        names: Names of the columns of the rows.
        rules: Declarations about cells.
    """
    names = list(names)
    columns = expand_columns(schema, names)
    return {name: kind_of(columns[name].dtype, rules, name) if name in columns else OtherKind(rules)
            for name in names}  # fmt: skip


def parse_rows(
    kinds: Mapping[str, ColumnKind], rows: pd.DataFrame, *, is_json: bool = False
) -> "tuple[pd.DataFrame, dict[str, pd.Series[Any]]]":
    """Read the cells of rows.

    Args:
        kinds: Kind of each column.
        rows: Rows as they were read.
        is_json: The rows are of JSON.

    Returns:
        The rows with their types, with wrong cells as missing; and for each column with wrong cells their mask.
    """
    typed, wrong = {}, {}
    for name in rows.columns:
        typed[name], bad = kinds[name].parse(rows[name], is_json=is_json)
        if bad.any():
            wrong[str(name)] = pd.Series(bad, index=rows.index)
    return pd.DataFrame(typed, index=rows.index, columns=rows.columns), wrong
