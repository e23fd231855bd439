"""Rows against your schema, once for training and serving: every broken rule, with the rows that break it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pandera.pandas as pa

from gitops_ml.coerce import loosened, numbers

MEANINGS = {
    "not_nullable": "must not be missing",
    "column_in_dataframe": "column is missing",
    "column_in_schema": "column is not in the schema",
    "unique": "must be unique",
    "finite": "must be finite",
    "present": "is missing in every row",
}


@dataclass(frozen=True)
class Broken:
    """One rule that some rows break.

    Attributes:
        column: The column, or what pandera calls whole rows.
        check: The rule; MEANINGS has words for some.
        values: The value of each row that breaks it, by the row's index; none where the rule is about the column.
    """

    column: str
    check: str
    values: pd.Series


def check(schema: pa.DataFrameSchema, key: str, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Broken]]:
    """Check rows that lie together.

    Args:
        schema: Yours.
        key: The column that names a row, if it is there.
        rows: As they were read.

    Returns:
        The rows with the schema's types, as far as their values allow, and every rule that they break.
    """
    frame, wrong = numbers(schema, rows)
    broken = []
    for name, bad in wrong.items():
        values = pd.to_numeric(rows.loc[bad, name], errors="coerce").astype(object)
        broken.append(Broken(name, f"must be {schema.columns[name].dtype}", values.fillna(rows[name])))
    try:
        checked: pd.DataFrame = loosened(schema, key).validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        coerced = set(cases.loc[cases["check"].str.startswith("coerce_dtype"), "column"])
        for (column, rule), some in cases.groupby(["column", "check"], dropna=False, sort=False):
            if column in coerced and not rule.startswith("coerce_dtype"):
                continue  # a check on text that should be a date says nothing new
            if column in wrong:
                some = some[~some["index"].isin(rows.index[wrong[column]])]
            if len(some):
                broken += _broken(frame, str(column), str(rule), some)
        checked = errors.data  # coerced all the same, where it can be
    return checked, broken + _infinite(checked)


def _broken(frame: pd.DataFrame, column: str, rule: str, cases: pd.DataFrame) -> list[Broken]:
    if rule in {"column_in_dataframe", "column_in_schema"}:
        return [Broken(str(name), rule, pd.Series(dtype=object)) for name in cases["failure_case"]]
    rule = "must be " + rule.split("'")[1] if rule.startswith("coerce_dtype") else rule
    placed = cases.dropna(subset="index").drop_duplicates("index").set_index("index")["failure_case"]
    return [Broken(column, rule, frame.loc[placed.index, column] if column in frame else placed)]


def _infinite(checked: pd.DataFrame) -> list[Broken]:
    found = []
    for name in checked.select_dtypes("float"):
        infinite = np.isinf(checked[name].to_numpy())
        if infinite.any():
            found.append(Broken(str(name), "finite", checked[name][infinite]))
    return found
