"""What a cell becomes: the same at every place where rows are read, or refused with row and value."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gitops_ml.bundled import DATA
from gitops_ml.config import parse_config
from gitops_ml.errors import ConfigError
from gitops_ml.rows.cell_rules import CellRules
from gitops_ml.rows.column_kind import FEW_CELLS, WRONG
from gitops_ml.rows.column_kinds import kind_of
from gitops_ml.rows.column_names import find_name_problem
from gitops_ml.rows.csv_table import CsvError, read_header, read_texts
from gitops_ml.rows.json_text import RepeatedKey, parse_json
from gitops_ml.rows.schema_check import check_rows
from unit.cell_doors import JSON_DOORS, TEXT_DOORS, TYPED_DOORS, Answer, Doors, Rows, plain
from unit.sample import MODEL_TOML, Project

PAGE = (DATA / "docs" / "cells.md").read_text(encoding="utf-8")
DECLARED = CellRules(("", "NA", "-999"), ("yes", "Y"), ("no", "N"), {"paid": "%d/%m/%Y"})
KINDS = ("bool", "int64", "uint8", "Int64", "float64", "str", "datetime64[ns]", "datetime64[ns, UTC]")
WITH_TEXTS = {"str", "category", "datetime64[ns]", "datetime64[ns, UTC]"}
TYPED = {"bool": True, "int64": 3, "float64": 2.5, "str": "x", "datetime64[ns]": "2017-01-02"}


def page_cells(title: str) -> list[tuple[str, str, str]]:
    """Return the kind of column, the cell and the result of each line of a section of the page."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line[:1] == "|"]
    found = []
    for column, cells, result in ([part.strip() for part in line] for line in lines[2:]):
        texts = re.findall(r"`([^`]*)`", cells) + [""] * ("an empty cell" in cells)
        kinds = [kind for kind in KINDS if title != "JSON" or kind in TYPED] if column == "any" else [column.strip("`")]
        found += [(kind, text, result.strip("`")) for kind in kinds for text in texts]
    assert found
    return found


def column_of(kind: str) -> pa.Column:
    """Return a column that may miss values, if its type has missing values."""
    return pa.Column(DTYPES.get(kind, kind), nullable=kind not in {"bool", "int64", "uint8"})


def check_answers(door: Callable[[Doors, Rows], Answer], rules: CellRules, title: str, kind: str) -> None:
    """Assert that a door makes of each cell of one kind what the page says."""
    doors = Doors({kind: column_of(kind)}, rules)
    cells = [(json.loads(text) if title == "JSON" else text, text, result)
             for each, text, result in page_cells(title) if each == kind and text != "1e400"]  # fmt: skip
    no_value = {"refused"} if column_of(kind).nullable else {"refused", "missing"}
    accepted = [each for each in cells if each[2] not in no_value]
    values = door(doors, [[value] for value, _, _ in accepted]) if accepted else []
    assert isinstance(values, list), values
    for (found,), (_, text, result) in zip(values, accepted, strict=True):
        expected = {"missing": None, "the same text": text}.get(result, WRONG)
        expected = eval(result, {"Timestamp": pd.Timestamp}) if expected is WRONG else expected  # noqa: S307
        # A boolean stays one: 1 == True.
        assert found == (None if expected is None else repr(expected)), (door.__name__, kind, text)
    refused = [each for each in cells if each[2] in no_value]
    assert not refused or door(doors, [[value] for value, _, _ in refused]) == {
        (row, kind) for row in range(len(refused))
    }


@pytest.mark.parametrize("title", ["Texts", "Declared texts", "JSON"])
def test_the_page_says_what_a_cell_becomes(title: str) -> None:
    """Each line of its tables, in files, queries and requests; in JSON, in rows and in columns."""
    rules = DECLARED if title == "Declared texts" else CellRules()
    for kind in dict.fromkeys(kind for kind, _, _ in page_cells(title)):
        for door in JSON_DOORS if title == "JSON" else TEXT_DOORS:
            check_answers(door, rules, title, kind)


CELLS = {
    "bool": ["true", "FALSE", "1", "0", "1.0", "yes", "no", "2", ""],
    "int64": ["7", "-3", "007", "+5", " 4", "5.0", "9007199254740993", "9007199254740993.0", "1,5", "NA", "", "1e2"],
    "uint8": ["0", "255", "256", "-1", "3.0", ""],
    "Int64": ["", "9223372036854775807", "9223372036854775808", "-1", "NA", "1.5"],
    "float64": ["0.1", "1e-3", ".5", "5.", "NA", "nan", "inf", "1,5", "5%", "", "123456789012345678901", "-999"],
    "float32": ["0.1", "1e39", "", "x"],
    "str": ["a", "a ", "007", "1.0", "NA", "nan", "", "true", 'say "x, y"', "two\nlines", "é"],
    "datetime64[ns]": ["2017-12-01", "2017-12-01T10:30:00.123456789", "01/12/2017", "2017-12-01T00:00Z", "", "NA"],
    "datetime64[ns, UTC]": ["2017-12-01T10:00+02:00", "2017-12-01", "2017-12-01T10:00:00Z", ""],
    "category": ["a", "b", "c", "", "NA"],
}
DTYPES: dict[str, Any] = {"str": str, "paid": "datetime64[ns]", "category": pd.CategoricalDtype(["a", "b"]),
                          "datetime64[ns, UTC]": pd.DatetimeTZDtype("ns", "UTC")}  # fmt: skip


@st.composite
def schemas_with_cells(draw: st.DrawFn) -> tuple[dict[str, pa.Column], dict[str, str], CellRules, Rows]:
    """Return columns, the kind of each, declarations, and rows of texts."""
    kinds = draw(st.lists(st.sampled_from(list(CELLS)), min_size=2, max_size=4))
    names = {f"c{number}": kind for number, kind in enumerate(kinds)}
    columns = {name: pa.Column(DTYPES.get(kind, kind), nullable=draw(st.booleans())) for name, kind in names.items()}
    rules = draw(st.sampled_from([CellRules(), DECLARED, CellRules(missing=()), CellRules(dates={"c0": "%d/%m/%Y"})]))
    cells = [st.sampled_from(CELLS[kind]) | st.text("0123456789+-.eE,%x ", min_size=1, max_size=6) for kind in kinds]
    return columns, names, rules, draw(st.lists(st.tuples(*cells).map(list), min_size=4, max_size=8))


def to_json(text: str, kind: str) -> Any:
    """Return a text as a writer of JSON would write it; texts that JSON has no own type for stay texts."""
    if kind in WITH_TEXTS:
        return text
    try:
        value = json.loads(text, parse_constant=str)
    except ValueError:
        return text
    return text if value in (math.inf, -math.inf) else value


def check_rows_at_all_doors(doors: Doors, kinds: dict[str, str], cells: Rows) -> Answer:
    """Assert that all doors give the same values or refuse the same cells; JSON also refuses numbers that are texts."""
    expected = doors.train_csv(cells)
    for door in TEXT_DOORS[1:]:
        assert door(doors, cells) == expected, door.__name__
    values = [[to_json(text, kind) for text, kind in zip(row, kinds.values(), strict=True)] for row in cells]
    texts = {(row, name) for row, each in enumerate(values) for name, value in zip(kinds, each, strict=True)
             if isinstance(value, str) and kinds[name] not in WITH_TEXTS}  # fmt: skip
    refused = expected if isinstance(expected, set) else set()
    for json_door in JSON_DOORS:
        answer = json_door(doors, values)
        if isinstance(answer, list):
            assert answer == expected, json_door.__name__
        else:
            assert answer - texts <= refused <= answer, json_door.__name__
    return expected


@settings(max_examples=12, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
@given(schemas_with_cells())
def test_no_two_doors_answer_differently(example: tuple[dict[str, pa.Column], dict[str, str], CellRules, Rows]) -> None:
    """Schemas and rows at random: all rows, those that are accepted, and these again as typed values."""
    columns, kinds, rules, cells = example
    doors = Doors(columns, rules)
    expected = check_rows_at_all_doors(doors, kinds, cells)
    if isinstance(expected, set):
        refused = {row for row, _ in expected}
        cells = [row for number, row in enumerate(cells) if number not in refused]
        expected = check_rows_at_all_doors(doors, kinds, cells) if cells else []
    assert isinstance(expected, list)
    typed = [[None if value is None else eval(value, {"Timestamp": pd.Timestamp}) for value in row]  # noqa: S307
             for row in expected]  # fmt: skip
    for door in TYPED_DOORS if typed else ():
        assert door(doors, typed) == expected, door.__name__


@pytest.mark.parametrize("kind", CELLS)
def test_a_long_column_is_read_as_its_cells_are(kind: str) -> None:
    """The fast way for long columns gives exactly what each cell gives alone, of texts and of typed values."""
    random = np.random.default_rng(0)
    signs = [*"0123456789+-.eE,%x_ ", "1e", "-0", "00", "\u0667"]
    made = ["".join(random.choice(signs, size=random.integers(1, 7))) for _ in range(300)]
    whole = random.integers(-300, 300, 100).tolist()
    texts = [*CELLS[kind], *made, *map(str, whole), None]
    columns: list[list[Any]] = [texts, list(map(str, whole)), [*whole, None], [*map(float, whole), 0.5]]
    for rules in (CellRules(), DECLARED):
        reader = kind_of(DTYPES.get(kind, kind), rules, "paid")
        for series in (*map(pd.Series, columns), *(pd.Series(cells, dtype=object) for cells in columns)):
            for is_json in (False, True):
                values, wrong = reader.parse(series, is_json=is_json)
                parts = [reader.parse(series[start : start + FEW_CELLS], is_json=is_json)
                         for start in range(0, len(series), FEW_CELLS)]  # fmt: skip
                assert len(parts) > 1
                assert wrong.tolist() == np.concatenate([each for _, each in parts]).tolist()
                pd.testing.assert_series_equal(values, pd.concat([each for each, _ in parts]))


@pytest.mark.parametrize("required", [True, False])
def test_a_pattern_of_names_that_no_column_has(required: bool) -> None:
    """It is a rule of the schema that the rows break, if it must match a column."""
    schema = pa.DataFrameSchema({"x": pa.Column(float), "^f_": pa.Column(float, regex=True, required=required)})
    rows, violations = check_rows(schema, "key", pd.DataFrame({"x": ["1.5"]}))
    assert (rows["x"].tolist(), len(violations)) == ([1.5], int(required))


def test_score_reads_categories_as_training_does(tmp_path: Path) -> None:
    """By the kind and the list in the schema, because the metadata of a version have neither."""
    doors = Doors({"c0": pa.Column(pd.CategoricalDtype([1, 2])), "c1": pa.Column(pd.CategoricalDtype(["a"]))}, DECLARED)
    for cells in ([["1", "a"], ["2", "a"]], [["1", "b"]], [["3", "a"]]):
        assert doors.score(tmp_path / "rows.csv", cells) == doors.train_csv(cells)


def test_a_missing_number_has_the_precision_of_its_column() -> None:
    """A float of four bytes in a Parquet file is the number that the CSV has, although its digits differ."""
    reader = kind_of("float32", CellRules(missing=("", "-999.9")), "c0")
    for number in (1, 2 * FEW_CELLS):
        for cells in (pd.Series(["-999.9"] * number), pd.Series([-999.9] * number, dtype="float32")):
            assert reader.parse(cells)[0].isna().all()


def test_score_reads_cells_as_training_does(tmp_path: Path) -> None:
    """It names the first refused cell."""
    for kind, cells in CELLS.items():
        doors = Doors({"c0": pa.Column(DTYPES.get(kind, kind), nullable=True)}, DECLARED)
        reader = kind_of(doors.dtypes["c0"], DECLARED, "c0")
        for text in cells if kind != "category" else ():
            value = reader.parse_value(text)
            expected: Answer = {(0, "c0")}
            if value is not WRONG and (value is not None or kind not in {"bool", "int64", "uint8"}):
                dtypes: Any = {"c0": doors.dtypes["c0"]}
                expected = plain(pd.DataFrame({"c0": reader.parse(pd.Series([text]))[0]}).astype(dtypes))
            assert doors.score(tmp_path / "rows.csv", [[text]]) == expected, (kind, text)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (pd.Series([True, False]), "boolean", [True, False]),
        (pd.Series([1, 0], dtype="int8"), "boolean", [True, False]),
        (pd.Series([1.0, 2.0]), "boolean", [2]),
        (pd.Series(["true", "maybe"], dtype="string"), "boolean", ["maybe"]),
        (pd.Series([np.True_, np.int64(0)], dtype=object), "boolean", [True, False]),
        (pd.Series([[True], False], dtype=object), "boolean", [[True]]),
        (pd.Series([pd.Timestamp("2026-01-01"), pd.NaT]), "boolean", [pd.Timestamp("2026-01-01")]),
        (pd.Series([2**53 + 1, None], dtype="Int64"), "Int64", [2**53 + 1, pd.NA]),
        (pd.Series([True, False]), "Int64", [True, False]),
        (pd.Series([7, 8]), str, ["7", "8"]),
        (pd.Series([7.0, 8.0]), str, [7.0, 8.0]),
    ],
)  # fmt: skip
def test_typed_values_of_parquet_and_sql(values: pd.Series, dtype: Any, expected: list[Any]) -> None:
    """Each type that such a column may have; a refused value is named."""
    schema = pa.DataFrameSchema({"id": pa.Column(str), "x": pa.Column(dtype, nullable=True)}, coerce=True)
    checked, violations = check_rows(schema, "id", pd.DataFrame({"id": ["a", "b"], "x": values}))
    found = [value for each in violations for value in each.values] or checked["x"].tolist()
    assert found == expected


@pytest.mark.parametrize(("dtype", "cells"), [(bool, "true,,false"), (int, "1,,3"), ("uint8", "1,,3")])
def test_a_gap_in_a_type_without_missing_values_is_a_sentence(dtype: object, cells: str) -> None:
    """The schema allows it, and the type does not have it: the rule says which type has."""
    schema = pa.DataFrameSchema({"id": pa.Column(str), "x": pa.Column(dtype, nullable=True)}, coerce=True)
    rows = pd.DataFrame({"id": "r", "x": cells.split(",")}, dtype="str")
    _, violations = check_rows(schema, "id", rows)
    ((rule, values),) = [(each.rule, each.values) for each in violations]
    assert "has no missing value: write" in rule
    assert list(values.index) == [1]


def read_csv(content: bytes) -> list[list[str]]:
    """Return the rows of a CSV."""
    frames = read_texts(content, ",", read_header(content, ","), 2)
    return [row for frame in frames for row in frame.to_numpy().tolist()]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"a,b\n1,2\n\n3,4\n5,6", [["1", "2"], ["3", "4"], ["5", "6"]]),
        (b'\xef\xbb\xbfa,b\r\n"1\r\n2",""\r\n', [["1\r\n2", ""]]),
        (b'a\n1\n\n""\n', [["1"], [""], [""]]),
        (b'a,b\n1,5" pipe\n', [["1", '5" pipe']]),
        (b"a,b\n", []),
        (b"a,b", []),
    ],
)
def test_csv_is_text(content: bytes, rows: list[list[str]]) -> None:
    """Quotes, line ends and empty lines; nothing is converted."""
    assert read_csv(content) == rows


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a,b\n1,2\n3\n", "line 3 has 1 values, and the header 2"),
        (b"a,b\n1,2,3\n", "line 2 has 3 values, and the header 2"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "the quote that opens in line 3 is not closed"),
    ],
)
def test_csv_that_is_no_table_is_refused(content: bytes, problem: str) -> None:
    """pandas fills a short row with missing values."""
    with pytest.raises(CsvError, match=problem):
        read_csv(content)


@pytest.mark.parametrize(
    ("content", "is_repeated"),
    [
        (b'{"rows": [{"a": 1, "b": "x: y"}, {"a": 2, "b": "\\u003a"}]}', False),
        (b'{"rows": [{"a": 1, "a": 1}]}', True),
        (b'{"rows": [{"a": "1:2", "a": 1, "b": "\\u003a"}]}', True),
        (b'{"rows": [], "rows": []}', True),
        (b'{"columns": {"a": [1], "a": [2]}}', True),
        (b'{"rows": [{"a": {"b": 1, "b": 2}}]}', True),
    ],
)
def test_a_key_of_json_is_there_once(content: bytes, is_repeated: bool) -> None:
    """A parser keeps the last value."""
    if is_repeated:
        with pytest.raises(RepeatedKey, match="2 times in one object"):
            parse_json(content)
    else:
        assert parse_json(content) == json.loads(content)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["a", "b", "a"], "the column 'a' is 2 times in the header"),
        (["Age", "age"], "the columns 'Age' and 'age' differ only in case or spaces"),
        (["age", "age "], "the columns 'age' and 'age ' differ only in case or spaces"),
        (["a", "ab", "b"], None),
    ],
)
def test_names_that_look_alike_are_refused(names: list[str], problem: str | None) -> None:
    """One of two such columns is taken for the other sooner or later."""
    assert find_name_problem(names) == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('true = ["yes"]\nfalse = ["yes"]', "the text 'yes' may stand once alone in `missing`, `true` and `false`"),
        ('true = ["0"]', "the text '0' has the other meaning already"),
        ('[data.dates]\npaid = "%Y-%d-%m"', "would read 2001-02-03, a date in ISO 8601, as 2001-03-02"),
        ('[data.dates]\npaid = "%d/%m"', "'%d/%m' has no year"),
        ('[data.dates]\npaid = "%d/%Q"', "is not a format of strptime"),
    ],
)
def test_declarations_have_one_meaning(text: str, problem: str) -> None:
    """A contradiction is found when model.toml is read."""
    with pytest.raises(ConfigError, match=re.escape(problem)):
        parse_config(MODEL_TOML.replace("[split]", f"{text}\n\n[split]"))


def test_texts_in_a_boolean_column_are_named_by_validate(project: Project) -> None:
    """Rows and values, exit code 4; nothing is trained. A declaration makes them booleans."""
    rows = pd.read_csv(project.root / "data/rows.csv")
    project.write_data(rows.assign(flag=["Yes" if value > 0 else "No" for value in rows["x1"]]))
    project.edit("src/sample/schema.py", "    note: float", "    flag: bool\n    note: float")
    result = project.gitops("validate")
    assert result.code == 4
    assert re.search(r"flag +│ must be bool +│ 500 +│ '(Yes|No)' in data/rows.csv row 2", result.out), result.out
    project.edit("model.toml", "[split]", 'true = ["Yes"]\nfalse = ["No"]\n\n[split]')
    assert project.must("validate").out.startswith("Accepted: 500 rows")


def test_a_missing_text_is_reported_as_it_reads(project: Project) -> None:
    """NA is a word unless model.toml declares it, and then it is named."""
    rows = pd.read_csv(project.root / "data/rows.csv").astype({"count": object})
    rows.loc[3, "count"] = "NA"
    project.write_data(rows)
    assert re.search(r"count +│ must be int64 +│ 1 +│ 'NA' in data/rows.csv row 5", project.gitops("validate").out)
    project.edit("model.toml", "[split]", 'missing = ["", "NA"]\n\n[split]')
    printed = project.gitops("validate").out
    assert re.search(r"count +│ must not be missing +│ 1 +│ 'NA' in data/rows.csv row 5", printed), printed
