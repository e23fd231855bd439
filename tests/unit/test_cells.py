"""What a cell becomes: the same at every place where rows are read, or refused with row and value."""

import io
import re
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

from gitops_ml.config import ServingConfig
from gitops_ml.rows.schema_check import check_rows
from gitops_ml.run import Run
from gitops_ml.serving.api_error import ApiError
from gitops_ml.serving.row_validator import RowValidator
from unit.sample import Project

REFUSED = object()
# A cell of a boolean column, in a file with true and false in other rows.
BOOLEANS: dict[str, object] = {
    "true": True, "True": True, "TRUE": True, "1": True, "1.0": True, "false": False, "False": False, "FALSE": False,
    "0": False, "0.0": False, "Yes": REFUSED, "No": REFUSED, "no": REFUSED, "t": REFUSED, "2": REFUSED, "-1": REFUSED,
    "0.5": REFUSED, "tRUE": True, "wahr": REFUSED,
}  # fmt: skip
JSON = {"true": True, "false": False, "1": True, "0": False, "1.0": True,
        "2": REFUSED, '"Yes"': REFUSED, "0.5": REFUSED, '"true"': REFUSED}  # fmt: skip


def schema(dtype: object, *, nullable: bool = False) -> pa.DataFrameSchema:
    """A schema with one column of a type."""
    return pa.DataFrameSchema({"id": pa.Column(str), "flag": pa.Column(dtype, nullable=nullable)}, coerce=True)


def read(text: str) -> pd.DataFrame:
    """Read a CSV file as training does."""
    return pd.read_csv(io.StringIO(text), dtype={"id": "str"}, low_memory=False)


def validator() -> RowValidator:
    """A server's validation of a model with one boolean column."""
    metadata = SimpleNamespace(columns={"flag": "bool"}, key="id", target="label")
    return RowValidator(schema(bool), cast("Run", metadata), pd.DataFrame({"flag": [True]}))


@pytest.mark.parametrize("cell", BOOLEANS)
@pytest.mark.parametrize("others", [["true", "false"], ["1", "0"], []], ids=["words", "digits", "alone"])
def test_a_boolean_in_a_csv_file_is_certainly_one_or_is_refused(cell: str, others: list[str]) -> None:
    """pandas takes any text for true; so do pandera and a cast."""
    cells = [*others, cell]
    rows = read("id,flag\n" + "".join(f"r{number},{each}\n" for number, each in enumerate(cells)))
    checked, violations = check_rows(schema(bool), "id", rows)
    if BOOLEANS[cell] is REFUSED:
        ((column, rule, values),) = [(each.column, each.rule, each.values) for each in violations]
        assert (column, rule, list(values.index), str(values.iloc[0])) == ("flag", "must be bool", [len(others)], cell)
    else:
        assert violations == []
        assert checked["flag"].tolist()[-1] is BOOLEANS[cell]


REQUESTS = [
    *(("text/csv", f"flag\ntrue\n{cell}\n", expected) for cell, expected in BOOLEANS.items()),
    *(("application/json", f'{{"rows": [{{"flag": true}}, {{"flag": {cell}}}]}}', expected)
      for cell, expected in JSON.items()),
]  # fmt: skip


@pytest.mark.parametrize(("content_type", "body", "expected"), REQUESTS)
def test_a_request_is_read_as_a_file_is(content_type: str, body: str, expected: object) -> None:
    """CSV as in training; JSON has types, so a text in it is no boolean, whatever it says. The row is named."""
    if expected is REFUSED:
        with pytest.raises(ApiError) as refused:
            validator().read_rows(content_type, body.encode(), ServingConfig())
        assert [(each.row, each.column, each.rule) for each in refused.value.problems] == [(2, "flag", "must be bool")]
    else:
        frame = validator().read_rows(content_type, body.encode(), ServingConfig())
        assert (frame["flag"].tolist(), str(frame["flag"].dtype)) == ([True, expected], "bool")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.Series([True, False]), [True, False]),
        (pd.Series([1, 0], dtype="int8"), [True, False]),
        (pd.Series([1.0, 2.0]), [2]),
        (pd.Series(["true", "maybe"], dtype="string"), ["maybe"]),
        (pd.Series([np.True_, np.int64(0)], dtype=object), [True, False]),
        (pd.Series([[True], False], dtype=object), [[True]]),
        (pd.Series([pd.Timestamp("2026-01-01"), pd.NaT]), [pd.Timestamp("2026-01-01")]),
    ],
    ids=["bool", "int", "float", "text", "numpy", "list", "date"],
)
def test_booleans_of_parquet_and_sql(values: pd.Series, expected: list[Any]) -> None:
    """Each type that such a column may have; a refused value is named."""
    frame = pd.DataFrame({"id": ["a", "b"], "flag": values})
    checked, violations = check_rows(schema("boolean", nullable=True), "id", frame)
    found = [value for each in violations for value in each.values] or checked["flag"].tolist()
    assert found == expected


@pytest.mark.parametrize(("dtype", "cells"), [(bool, "true,,false"), (int, "1,,3"), ("uint8", "1,,3")])
def test_a_gap_in_a_type_without_missing_values_is_a_sentence(dtype: object, cells: str) -> None:
    """The schema allows it, and the type does not have it: the rule says which type has."""
    rows = read("id,flag\n" + "".join(f"r{number},{each}\n" for number, each in enumerate(cells.split(","))))
    _, violations = check_rows(schema(dtype, nullable=True), "id", rows)
    ((rule, values),) = [(each.rule, each.values) for each in violations]
    assert "has no missing value: write" in rule
    assert list(values.index) == [1]


def test_texts_in_a_boolean_column_are_named_by_validate(project: Project) -> None:
    """Rows and values, exit code 4; nothing is trained."""
    rows = pd.read_csv(project.root / "data/rows.csv")
    project.write_data(rows.assign(flag=["Yes" if value > 0 else "No" for value in rows["x1"]]))
    project.edit("src/sample/schema.py", "    note: float", "    flag: bool\n    note: float")
    result = project.gitops("validate")
    assert result.code == 4
    assert re.search(r"flag +│ must be bool +│ 500 +│ '(Yes|No)' in data/rows.csv row 2", result.out), result.out
