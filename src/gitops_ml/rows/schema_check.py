"""Read and check rows by your schema, for training and serving: every violated rule, with the rows that violate it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from gitops_ml.rows.cell_rules import CellRules
from gitops_ml.rows.coerce import NULLABLE, dtype_kind, relax_schema, rows_without_value
from gitops_ml.rows.column_kind import ColumnKind
from gitops_ml.rows.column_kinds import DEFAULT, expand_columns, find_kinds, parse_rows

MANY = 100  # unknown columns
MEANINGS = {
    "not_nullable": "must not be missing",
    "column_in_dataframe": "column is missing",
    "column_in_schema": "column is not in the schema",
    "unique": "must be unique",
    "finite": "must be finite",
    "present": "is missing in every row",
}


@dataclass(frozen=True)
class RuleViolation:
    """A rule that some rows violate.

    Attributes:
        column: Name of the column, or pandera's name for a rule about whole rows.
        rule: The rule, as pandera names it; MEANINGS explains some of them.
        values: Value of each row that violates the rule, by the row's index; empty if the rule is about the column.
        more: Number of further rows that violate it, without their values.
    """

    column: str
    rule: str
    values: pd.Series
    more: int = 0


def check_rows(
    schema: pa.DataFrameSchema, key: str, rows: pd.DataFrame, rules: CellRules = DEFAULT
) -> tuple[pd.DataFrame, list[RuleViolation]]:
    """Read and check one chunk of rows.

    Args:
        schema: Your schema.
        key: Name of the key column, which the rows may lack.
        rows: Rows as they were read.
        rules: Declarations about cells.

    Returns:
        The rows with the schema's types, as far as their values allow, and every rule that they violate.
    """
    unknown = _many_unknown_columns(schema, rows)
    rows = rows.drop(columns=unknown)
    kinds = find_kinds(schema, rows.columns, rules)
    checked, violations = check_typed_rows(schema, key, rows, kinds, *parse_rows(kinds, rows))
    return checked, violations + [RuleViolation(name, "column_in_schema", pd.Series(dtype=object)) for name in unknown]


def _many_unknown_columns(schema: pa.DataFrameSchema, rows: pd.DataFrame) -> list[str]:
    """Return the columns that a strict schema refuses if they are many: to read their cells would take minutes."""
    if schema.strict is not True or len(rows.columns) <= len(schema.columns) + MANY:
        return []
    known = expand_columns(schema, rows.columns).keys() | schema.columns.keys()
    return [name for name in map(str, rows.columns) if name not in known]


def find_wrong_cells(
    rows: pd.DataFrame, kinds: Mapping[str, ColumnKind], wrong: "Mapping[str, pd.Series[Any]]"
) -> list[RuleViolation]:
    """Return the violations of cells that are not certainly a value of their column.

    Args:
        rows: Rows as they were read, for messages.
        kinds: Kind of each column.
        wrong: Masks of wrong cells, as `parse_rows` returns them.
    """
    return [
        RuleViolation(name, kinds[name].rule, rows.loc[bad, name].astype(object).map(_read_number))
        for name, bad in wrong.items()
    ]


def check_typed_rows(
    schema: pa.DataFrameSchema, key: str, rows: pd.DataFrame, kinds: Mapping[str, ColumnKind], frame: pd.DataFrame,
    wrong: "Mapping[str, pd.Series[Any]]",
) -> tuple[pd.DataFrame, list[RuleViolation]]:  # fmt: skip
    """Check rows whose cells were read.

    Args:
        schema: Your schema.
        key: Name of the key column, which the rows may lack.
        rows: Rows as they were read, for messages.
        kinds: Kind of each column.
        frame: The rows with their types, as `parse_rows` returns them.
        wrong: Masks of wrong cells, as `parse_rows` returns them.

    Returns:
        As `check_rows`.
    """
    violations = find_wrong_cells(rows, kinds, wrong)
    for name, missing in rows_without_value(schema, frame, wrong).items():
        column = schema.columns[name]
        rule = f"is missing, and the type {column.dtype} has no missing value: write {NULLABLE[dtype_kind(column)]}"
        violations.append(RuleViolation(name, rule, rows.loc[missing, name]))
    try:
        checked: pd.DataFrame = relax_schema(schema, key).validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        coerced = set(cases.loc[cases["check"].str.startswith("coerce_dtype"), "column"])
        for (column, rule), group in cases.groupby(["column", "check"], dropna=False, sort=False):
            if column in coerced and not rule.startswith("coerce_dtype"):
                continue  # the column has the wrong type already; other rules about it add nothing
            if column in wrong:
                group = group[~group["index"].isin(rows.index[wrong[column]])]
            if len(group):
                # A missing value is shown as the cell reads.
                shown = rows if rule == "not_nullable" else frame
                violations += _violations(shown, str(column), str(rule), group)
        checked = errors.data  # the columns that could be coerced
    return checked, violations + _infinite_values(checked)


def check_at_once(schema: pa.DataFrameSchema, key: str, frame: pd.DataFrame) -> pd.DataFrame | None:
    """Check rows whose cells were read, without a list of what is wrong.

    Args:
        schema: Your schema.
        key: Name of the key column, which the rows may lack.
        frame: The rows with their types, as `parse_rows` returns them if no cell is wrong.

    Returns:
        The rows with the schema's types; None if they violate a rule.
    """
    if any(missing.any() for missing in rows_without_value(schema, frame, {}).values()):
        return None
    try:
        checked: pd.DataFrame = relax_schema(schema, key).validate(frame)
    except (pa.errors.SchemaError, pa.errors.SchemaErrors):
        return None
    return None if _infinite_values(checked) else checked


def _read_number(value: Any) -> Any:
    """Return the number that a text is, so that a message shows it without quotes; other values as they are."""
    number = pd.to_numeric(value, errors="coerce") if isinstance(value, str) else np.nan
    return value if np.isnan(number) else number


def _violations(frame: pd.DataFrame, column: str, rule: str, cases: pd.DataFrame) -> list[RuleViolation]:
    if rule in {"column_in_dataframe", "column_in_schema"}:
        return [RuleViolation(str(name), rule, pd.Series(dtype=object)) for name in cases["failure_case"]]
    rule = "must be " + rule.split("'")[1] if rule.startswith("coerce_dtype") else rule
    indexed = cases.dropna(subset="index").drop_duplicates("index").set_index("index")["failure_case"]
    return [RuleViolation(column, rule, frame.loc[indexed.index, column] if column in frame else indexed)]


def _infinite_values(checked: pd.DataFrame) -> list[RuleViolation]:
    violations = []
    for name in checked.select_dtypes("float"):
        infinite = np.isinf(checked[name].to_numpy())
        if infinite.any():
            violations.append(RuleViolation(str(name), "finite", checked[name][infinite]))
    return violations
