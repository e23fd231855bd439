"""Validation of the data: the accepted data, and the message and exit code for each problem."""

import gzip
import html
import json
import os
import sqlite3
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gitops_ml import config, testing, user_package
from gitops_ml.training import data as reading
from gitops_ml.training.validate import Validation, validate
from unit.sample import MODEL_TOML, Project, Result, make_rows

PATH = 'path = "data/rows.csv"'
FEW = 60
Change = Callable[[Project], object]


def frame(**columns: Any) -> pd.DataFrame:
    """A few valid rows, in which some columns are replaced."""
    return make_rows(FEW).assign(**columns)


def with_value(column: str, index: int | list[int], value: Any) -> pd.DataFrame:
    """A few valid rows, in which some values are replaced."""
    rows = make_rows(FEW)
    rows[column] = rows[column].astype(object)
    rows.loc[index, column] = value
    return rows


def write_text(project: Project, content: str | bytes) -> None:
    """Write the data file."""
    (project.root / "data" / "rows.csv").write_bytes(content.encode() if isinstance(content, str) else content)


def add_setting(project: Project, line: str) -> None:
    """Add a line under [data]."""
    project.edit("model.toml", 'key = "id"', f'key = "id"\n{line}')


def set_source(project: Project, line: str) -> None:
    """Replace the source of the data."""
    project.edit("model.toml", PATH, line)


def use_database(project: Project, query: str, rows: pd.DataFrame | None = None) -> None:
    """Store the data in a SQLite database, and query it."""
    with sqlite3.connect(project.root / "rows.db") as connection:
        (make_rows(FEW) if rows is None else rows).to_sql("rows", connection, index=False)
    connection.close()
    os.environ["DATABASE_URL"] = f"sqlite:///{project.root / 'rows.db'}"
    set_source(project, f'query = "{query}"')


def use_parquet(project: Project, rows: pd.DataFrame) -> bytes:
    """Store the data as Parquet, and return the file's bytes."""
    file = project.root / "data" / "rows.parquet"
    rows.to_parquet(file, index=False)
    set_source(project, 'path = "data/rows.parquet"')
    return file.read_bytes()


def cut_off(project: Project) -> None:
    """Truncate a Parquet file."""
    content = use_parquet(project, make_rows(FEW))
    (project.root / "data" / "rows.parquet").write_bytes(content[: len(content) // 2])


def link_outside(project: Project) -> None:
    """Replace the data by a link to a file outside the repository."""
    outside = project.root.parent / "outside.csv"
    make_rows(FEW).to_csv(outside, index=False)
    (project.root / "data" / "rows.csv").unlink()
    (project.root / "data" / "rows.csv").symlink_to(outside)


def no_database(project: Project) -> None:
    """Query a database whose folder does not exist."""
    use_database(project, "SELECT * FROM rows")
    os.environ["DATABASE_URL"] = f"sqlite:///{project.root / 'nowhere' / 'rows.db'}"


def no_database_url(project: Project) -> None:
    """Query without the URL of a database."""
    set_source(project, 'query = "SELECT 1"')
    os.environ.pop("DATABASE_URL", None)


def all_of(*changes: Change) -> Change:
    """All changes, one after the other."""
    return lambda project: [change(project) for change in changes]


@pytest.fixture(autouse=True)
def database_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore the URL of the database, which tests may set."""
    monkeypatch.setenv("DATABASE_URL", "")


CSV = make_rows(FEW).to_csv(index=False)
HEADER = CSV.splitlines()[0]

# the change of the data, the exit code, and parts of the message or the table
INVALID: dict[str, tuple[Change, int, tuple[str, ...]]] = {
    "missing file": (lambda p: (p.root / "data/rows.csv").unlink(), 5, ("data/rows.csv does not exist.",)),
    "a pointer of Git LFS": (
        lambda p: write_text(p, "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
        5,
        ("data/rows.csv is a pointer of Git LFS", "git lfs pull"),
    ),
    "a pointer of DVC": (
        lambda p: write_text(p, "outs:\n- md5: a304afb96060aad90176268345e10355\n  path: rows.csv\n"),
        5,
        ("data/rows.csv is a pointer of DVC", "dvc pull"),
    ),
    "a gzip file": (
        lambda p: (p.root / "data/rows.csv").write_bytes(gzip.compress(b"id,label\n1,yes\n")),
        5,
        ("data/rows.csv is compressed with gzip", "gzip -d"),
    ),
    "a workbook": (
        lambda p: (p.root / "data/rows.csv").write_bytes(b"PK\x03\x04rest"),
        5,
        ("data/rows.csv is a zip archive or a workbook", "CSV UTF-8"),
    ),
    "empty file": (lambda p: write_text(p, ""), 5, ("data/rows.csv is empty.",)),
    "blank lines": (lambda p: write_text(p, "\n\n"), 5, ("the header has only one column",)),
    "header only": (lambda p: write_text(p, HEADER + "\n"), 4, ("there is a header but no rows",)),
    "another delimiter": (
        lambda p: write_text(p, CSV.replace(",", ";")),
        5,
        ("data/rows.csv: with the delimiter ',', the header has only one column.", 'set `delimiter = ";"`'),
    ),
    "duplicated column": (
        lambda p: write_text(p, CSV.replace("x2", "x1", 1)),
        5,
        ("data/rows.csv: the column 'x1' is 2 times in the header.",),
    ),
    "mixed types": (
        lambda p: p.write_data(with_value("x1", 3, "abc")),
        4,
        ("x1", "must be float64", "'abc' in data/rows.csv row 5"),
    ),
    "a fraction in a column of integers": (
        lambda p: p.write_data(with_value("count", 3, 3.5)),
        4,
        ("count", "must be int64", "3.5 in data/rows.csv row 5"),
    ),
    "a missing value": (
        lambda p: p.write_data(with_value("count", 3, None)),
        4,
        ("count", "must not be missing", "nothing in data/rows.csv row 5"),
    ),
    "100 % missing column": (lambda p: p.write_data(frame(note=np.nan)), 4, ("note", "is missing in every row", "60")),
    "100 % missing column that is required": (
        lambda p: p.write_data(frame(x1=np.nan)),
        4,
        ("x1", "must not be missing", "60", "nothing in data/rows.csv row 2"),
    ),
    "missing keys": (
        all_of(
            lambda p: p.edit("src/sample/schema.py", "Field(unique=True)", "Field(unique=True, nullable=True)"),
            lambda p: p.write_data(with_value("id", [3, 4], None)),
        ),
        4,
        ("1 rule(s)", "id", "must not be missing", "nothing in data/rows.csv row 5"),
    ),
    "missing column": (lambda p: p.write_data(make_rows(FEW).drop(columns="kind")), 4, ("kind", "column is missing")),
    "missing key": (lambda p: p.write_data(make_rows(FEW).drop(columns="id")), 4, ("id", "column is missing")),
    "additional column": (lambda p: p.write_data(frame(extra=1)), 4, ("extra", "column is not in the schema")),
    "unseen category": (
        lambda p: p.write_data(with_value("kind", 3, "z")),
        4,
        ("kind", "isin(['a', 'b', 'c'])", "'z' in data/rows.csv row 5"),
    ),
    "out of range": (
        lambda p: p.write_data(with_value("x2", 3, 77)),
        4,
        ("x2", "less_than_or_equal_to(10)", "77.0 in data/rows.csv row 5"),
    ),
    "infinite values": (
        lambda p: p.write_data(with_value("x1", 3, np.inf)),
        4,
        ("x1", "must be finite", "inf in data/rows.csv row 5"),
    ),
    "a key twice": (
        lambda p: p.write_data(with_value("id", 3, "r00001")),
        4,
        ("id", "must be unique", "'r00001' in data/rows.csv row 2", "'r00001' in data/rows.csv row 5"),
    ),
    "not UTF-8": (
        lambda p: write_text(p, CSV.replace(",a,", ",ä,").encode("latin-1")),
        5,
        ("data/rows.csv: line ", "UTF-8"),
    ),
    "UTF-16": (lambda p: write_text(p, CSV.encode("utf-16")), 5, ("data/rows.csv: line 1 is not UTF-8.",)),
    "truncated Parquet": (cut_off, 5, ("data/rows.parquet is not a complete Parquet file",)),
    "CSV called Parquet": (
        all_of(lambda p: set_source(p, 'path = "data/rows.pq"'), lambda p: p.write("data/rows.pq", CSV)),
        5,
        ("data/rows.pq is not a complete Parquet file",),
    ),
    "a directory": (lambda p: set_source(p, 'path = "data"'), 5, ("data is a directory.", "'data/*.csv'")),
    "a symlink outside the repository": (
        link_outside,
        5,
        ("data/rows.csv is a symbolic link to a path outside the repository.",),
    ),
    "a path outside the repository": (
        lambda p: set_source(p, 'path = "../outside.csv"'),
        5,
        ("'../outside.csv' is outside the repository.",),
    ),
    "an absolute path": (lambda p: set_source(p, 'path = "/etc/*"'), 5, ("'/etc/*' is outside the repository.",)),
    "a glob without a match": (lambda p: set_source(p, 'path = "data/*.tsv"'), 5, ("No file matches 'data/*.tsv'.",)),
    "a row with an additional value": (
        lambda p: write_text(p, CSV + "r9,1,1,1,a,1,yes,extra\n"),
        5,
        ("data/rows.csv: line 62 has 8 values, and the header 7.",),
    ),
    "a first row with an additional value": (
        lambda p: write_text(p, HEADER + "\nr9,1,1,1,a,1,yes,extra\n"),
        5,
        ("data/rows.csv: ", "Every row needs as many values as the header has columns."),
    ),
    "a row that was cut off": (
        lambda p: write_text(p, CSV + "r9,1,1\n"),
        5,
        ("data/rows.csv: line 62 has 3 values, and the header 7.",),
    ),
    "an open quote": (
        lambda p: write_text(p, CSV + 'r9,1,1,1,"a\n'),
        5,
        ("data/rows.csv: the quote that opens in line 62 is not closed.",),
    ),
    "too large": (
        all_of(lambda p: add_setting(p, "max_mib = 1"), lambda p: write_text(p, CSV * 600)),
        5,
        ("'data/rows.csv' is 1.", " MiB, more than the 1 MiB that model.toml allows."),
    ),
    "SQL that fails": (
        lambda p: use_database(p, "SELECT * FROM nowhere"),
        5,
        ("The query failed: no such table: nowhere.", "or DATABASE_URL"),
    ),
    "invalid SQL": (lambda p: use_database(p, "SELEKT"), 5, ("The query failed: near", "syntax error")),
    "a database that is not there": (no_database, 5, ("The query failed: unable to open database file.",)),
    "a query with too many rows": (
        all_of(
            lambda p: use_database(p, "SELECT * FROM rows"), lambda p: add_setting(p, "max_rows = 59\nchunk_rows = 10")
        ),
        5,
        ("The query returns more than the 59 rows that model.toml allows.",),
    ),
    "a query without rows": (lambda p: use_database(p, "SELECT * FROM rows LIMIT 0"), 4, ("no rows",)),
    "a bad row of a query": (
        lambda p: use_database(p, "SELECT * FROM rows", with_value("kind", 3, "z")),
        4,
        ("kind", "'z' in query row 4"),
    ),
    "no URL for the query": (
        no_database_url,
        3,
        ("model.toml: [data] has a query, but the environment variable DATABASE_URL is not set.",),
    ),
    "a key outside the schema": (
        lambda p: p.edit("model.toml", 'key = "id"', 'key = "ident"'),
        3,
        ("[data] names the column 'ident', but Schema in schema.py has no such column.",),
    ),
    "a schema that cannot be imported": (
        lambda p: p.write("src/sample/schema.py", "import no_such_module"),
        3,
        ("src/sample: Schema in schema.py cannot be imported: ModuleNotFoundError",),
    ),
    "a schema of another type": (
        lambda p: p.write("src/sample/schema.py", "Schema = 3"),
        3,
        ("Schema in schema.py is not a pandera DataFrameModel",),
    ),
}

URLS = {
    "no such dialect": "nonsense://ada:s3cret@host/rows",
    "driver not installed": "oracle://ada:s3cret@host/rows",
    "port that is no number": "postgresql://ada:s3cret@host:port/rows",
    "user where SQLite has none": "sqlite://ada:s3cret@/rows.db",
    "no URL at all": "ada s3cret",
    "slash in the password": "postgresql://ada:x/s3cret@host:port/rows",
    "no such file": "sqlite:////nowhere/s3cret/rows.db",
}


def printed(result: Result) -> str:
    """Everything that the command prints."""
    return result.out + result.err


def validation_of(project: Project, **settings: int) -> Validation:
    """The result of a validation in this process."""
    project.write("model.toml", MODEL_TOML)
    for key, value in settings.items():
        add_setting(project, f"{key} = {value}")
    for name in [name for name in sys.modules if name.split(".")[0] == "sample"]:
        del sys.modules[name]
    repository = config.find_repository(project.root)
    return validate(repository, user_package.load_user_package(repository), keep_rows=True)


@pytest.mark.parametrize(("change", "code", "messages"), INVALID.values(), ids=INVALID)
def test_bad_data_is_refused(project: Project, change: Change, code: int, messages: tuple[str, ...]) -> None:
    """Each problem has its exit code and its message, without a traceback, and the store is not changed."""
    change(project)
    result = project.gitops("validate")
    assert result.code == code
    assert [sentence for sentence in messages if sentence not in printed(result)] == []
    assert "Traceback" not in printed(result)
    assert project.git("branch", "--list", "mlflow") == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["missing file", "missing key"])
def test_training_refuses_invalid_data(project: Project, name: str) -> None:
    """Message and exit code are the same; nothing is written to the folder or the store."""
    project.must("train")
    project.must("register")
    tip = project.git("rev-parse", "mlflow")
    change, code, messages = INVALID[name]
    change(project)
    result = project.gitops("train", "--out", str(project.root / "out"))
    assert result.code == code
    assert messages[-1] in printed(result)
    assert project.git("rev-parse", "mlflow") == tip
    assert not (project.root / "out").exists()


def test_valid_data_is_accepted(project: Project) -> None:
    """The number of rows is printed, and the digest is an output."""
    result = project.must("validate")
    assert result.out.startswith("Accepted: 500 rows, sha256:")
    assert result.outputs["data"].startswith("sha256:")


def test_several_files_are_one_data_set(project: Project) -> None:
    """A glob selects them; a problem names its file."""
    make_rows(FEW).to_csv(project.root / "data/a.csv", index=False)
    make_rows(FEW, first=FEW + 1).to_csv(project.root / "data/b.csv", index=False)
    set_source(project, 'path = "data/[ab].csv"')
    assert project.must("validate").out.startswith("Accepted: 120 rows")
    make_rows(FEW, first=FEW).to_csv(project.root / "data/b.csv", index=False)
    assert "'r00060' in data/a.csv row 61; 'r00060' in data/b.csv row 2" in project.gitops("validate").out


def test_files_with_other_columns_are_named(project: Project) -> None:
    """A column may be missing in one file only, and so may the key."""
    with_value("id", 3, "r00001").to_csv(project.root / "data/a.csv", index=False)
    make_rows(FEW).drop(columns="id").to_csv(project.root / "data/b.csv", index=False)
    set_source(project, 'path = "data/[ab].csv"')
    result = project.gitops("validate")
    assert result.code == 4
    assert "data/b.csv" in result.out
    assert "'r00001' in data/a.csv row 5" in result.out


def test_parquet_is_accepted(project: Project) -> None:
    """Rows count from 1, since there is no header."""
    use_parquet(project, make_rows(FEW))
    assert project.must("validate").out.startswith("Accepted: 60 rows")
    parquet_again = with_value("kind", 0, "z")
    parquet_again.to_parquet(project.root / "data/rows.parquet", index=False)
    assert "'z' in data/rows.parquet row 1" in project.gitops("validate").out


def test_a_query_is_accepted(project: Project) -> None:
    """The digest is independent of the order of the rows."""
    use_database(project, "SELECT * FROM rows ORDER BY x1")
    first = project.must("validate").outputs["data"]
    project.edit("model.toml", "ORDER BY x1", "ORDER BY x2")
    assert project.must("validate").outputs["data"] == first
    project.edit("model.toml", "ORDER BY x2", "LIMIT 59")
    assert project.must("validate").outputs["data"] != first


def test_the_variable_of_the_url_can_be_chosen(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named in model.toml, never the URL."""
    use_database(project, "SELECT * FROM rows")
    monkeypatch.setenv("WAREHOUSE", os.environ["DATABASE_URL"])
    monkeypatch.delenv("DATABASE_URL")
    add_setting(project, 'url_env = "WAREHOUSE"')
    assert project.must("validate").out.startswith("Accepted: 60 rows")


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_a_password_is_never_printed(project: Project, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages about the URL name only its variable."""
    use_database(project, "SELECT * FROM rows")
    monkeypatch.setenv("DATABASE_URL", url)
    result = project.gitops("validate")
    assert result.code == 5
    assert "s3cret" not in printed(result)
    assert "DATABASE_URL" in result.err


def test_all_problems_are_listed_at_once(project: Project) -> None:
    """One table has every violated rule, the number of rows, and up to three examples."""
    bad_rows = make_rows(FEW).drop(columns="note").assign(extra=1, kind="z")
    bad_rows.loc[[1, 2, 3, 4], "x2"] = 77
    project.write_data(bad_rows)
    problems = {(p.column, p.check): p for p in validation_of(project).problems}
    assert sorted(problems) == [
        ("extra", "column is not in the schema"),
        ("kind", "isin(['a', 'b', 'c'])"),
        ("note", "column is missing"),
        ("x2", "less_than_or_equal_to(10)"),
    ]
    assert problems["x2", "less_than_or_equal_to(10)"].failing == 4
    assert problems["x2", "less_than_or_equal_to(10)"].examples == (
        "77.0 in data/rows.csv row 3",
        "77.0 in data/rows.csv row 4",
        "77.0 in data/rows.csv row 5",
    )


def many_problems() -> pd.DataFrame:
    """Rows with every kind of problem, far apart."""
    bad_rows = make_rows(FEW).astype({"x1": object, "x2": object, "count": object, "note": object})
    bad_rows.loc[[3, 50], "x1"] = "abc"
    bad_rows.loc[10, "x1"] = "inf"
    bad_rows.loc[11, "x2"] = np.inf
    bad_rows.loc[12, "x2"] = 77
    bad_rows.loc[20, "count"] = "3.5"
    bad_rows.loc[21, "count"] = None
    bad_rows.loc[22, "count"] = -1
    bad_rows.loc[23, "count"] = "many"
    bad_rows.loc[24, "count"] = "4.0"
    bad_rows["note"] = np.nan
    bad_rows.loc[[30, 31], "kind"] = "z"
    bad_rows.loc[59, "id"] = "r00001"
    bad_rows.loc[[40, 41], "id"] = "r00002"
    return bad_rows


def repeated_numbers() -> pd.DataFrame:
    """Rows with numbers that repeat far apart, a missing number, and a text."""
    bad_rows = make_rows(FEW).assign(count=range(FEW)).astype({"count": object})
    bad_rows.loc[[2, 58], "count"] = 7
    bad_rows.loc[30, "count"] = None
    bad_rows.loc[31, "count"] = "x"
    return bad_rows


DATA = {
    "every kind of problem": many_problems,
    "column missing": lambda: many_problems().drop(columns=["kind", "id"]),
    "numbers that repeat": repeated_numbers,
    "good": lambda: make_rows(FEW),
}


@pytest.mark.parametrize("chunk_rows", [3, 59])
@pytest.mark.parametrize("make_frame", DATA.values(), ids=DATA)
def test_chunks_give_the_same_problems(
    project: Project, make_frame: Callable[[], pd.DataFrame], chunk_rows: int
) -> None:
    """Problems, counts, examples, rows and digest are independent of chunk_rows."""
    project.edit("src/sample/schema.py", "count: int = pa.Field(ge=0)", "count: int = pa.Field(ge=0, unique=True)")
    project.write_data(make_frame())
    in_one_chunk, in_chunks = validation_of(project), validation_of(project, chunk_rows=chunk_rows)
    assert in_chunks.problems == in_one_chunk.problems
    assert (in_chunks.rows, in_chunks.digest) == (in_one_chunk.rows, in_one_chunk.digest)


def test_chunks_give_the_same_rows(project: Project) -> None:
    """The rows for training are also independent of their order in the file."""
    project.write_data(make_rows(FEW))
    in_one_chunk = validation_of(project).frame
    project.write_data(make_rows(FEW).sample(frac=1, random_state=1))
    in_chunks = validation_of(project, chunk_rows=7).frame
    assert in_one_chunk is not None
    assert in_chunks is not None
    pd.testing.assert_frame_equal(in_chunks, in_one_chunk)


def test_unique_groups_of_columns_are_checked(project: Project) -> None:
    """They are compared across all chunks."""
    project.edit("src/sample/schema.py", "strict = True", 'strict = True\n        unique = ["x1", "kind"]')
    project.write_data(frame(x1=range(FEW), kind="a"))
    assert validation_of(project, chunk_rows=7).problems == ()
    project.write_data(frame(x1=[float(n % 59) for n in range(FEW)], kind="a"))
    problem = validation_of(project, chunk_rows=7).problems[0]
    assert (problem.column, problem.check, problem.failing) == ("x1, kind", "must be unique", 2)


def test_a_rule_about_whole_rows_is_checked(project: Project) -> None:
    """The table has the data frame checks of the schema too."""
    check = '\n    @pa.dataframe_check\n    def apart(cls, rows):\n        """x1 is not x2."""\n        '
    check += "return rows['x1'] != rows['x2']\n"
    project.edit("src/sample/schema.py", "\n    class Config:", f"{check}\n    class Config:")
    project.write_data(with_value("x2", 3, make_rows(FEW)["x1"].iloc[3]))
    problem = validation_of(project, chunk_rows=7).problems[0]
    assert (problem.check, problem.failing) == ("apart", 1)


def test_keys_keep_their_zeros(project: Project) -> None:
    """A text column of the schema is read as text, even if it looks like numbers."""
    project.write_data(frame(id=[f"{n:03d}" for n in range(FEW)]))
    validation = validation_of(project)
    assert validation.frame is not None
    assert validation.frame["id"].tolist()[:3] == ["000", "001", "002"]


def test_rows_have_the_types_of_the_schema(project: Project) -> None:
    """Integers stay integers, even if a file has a decimal point."""
    project.write_data(frame(count=[float(n) for n in range(FEW)]))
    validation = validation_of(project, chunk_rows=7)
    assert validation.frame is not None
    assert str(validation.frame["count"].dtype) == "int64"
    assert str(validation.frame["x1"].dtype) == "float64"


def test_the_digest_depends_on_the_content(project: Project) -> None:
    """Every value matters, and the file's name does not."""
    project.write_data(make_rows(FEW))
    first = validation_of(project).digest
    project.write_data(with_value("x1", 3, 0.5))
    assert validation_of(project).digest != first
    project.write_data(make_rows(FEW))
    project.git("mv", "data/rows.csv", "data/other.csv")
    set_source(project, 'path = "data/other.csv"')
    assert reading.digest_files(config.find_repository(project.root)) == first


def test_the_report_has_every_violation_and_every_column(project: Project) -> None:
    """Accepted or refused: the page names rule, row and value, and escapes what the data says."""
    page = project.root / ".gitops" / "validation" / "report.html"
    assert "validation/report.html." in project.must("validate").out
    accepted = page.read_text()
    assert "500 rows accepted" in accepted
    assert "Violated rules" not in accepted
    for cells in (["note", "feature", "float64", "", "yes"], ["label", "target", "str", "isin(['yes', 'no'])", "no"],
                  ["id", "key", "str", "unique", "no"]):  # fmt: skip
        assert "".join(f"<td>{html.escape(cell, quote=False)}</td>" for cell in cells) in accepted
    project.write_data(make_rows().assign(kind=["<b>d</b>", *["a"] * 499]))
    assert project.gitops("validate").code == 4
    refused = page.read_text()
    assert "1 rule violated in 500 rows" in refused
    assert "&lt;b&gt;d&lt;/b&gt;" in refused
    assert "in data/rows.csv row 2" in refused
    assert "<b>d</b>" not in refused


def test_the_step_summary_shows_the_table(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The table is Markdown, in which text of the data is escaped."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    project.write_data(with_value("kind", 3, "a|b @ada `x` <script> #1 **"))
    project.gitops("validate")
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith("### ❌ Data: 1 rule(s) violated in 60 rows\n\n| column")
    assert r"'a\|b @&#8203;ada \`x\` &lt;script&gt; \#&#8203;1 \*\*' in data/rows.csv row 5" in summary


def test_the_step_summary_of_valid_data(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is one line."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    project.must("validate")
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == "✅ 500 rows of data match the schema.\n"


def peak_memory(project: Project, number: int, chunk_rows: int) -> int:
    """Additional memory that validation needs at most, in bytes."""
    project.write_data(make_rows(number))
    project.write("model.toml", MODEL_TOML)
    add_setting(project, f"chunk_rows = {chunk_rows}")
    repository = config.find_repository(project.root)
    package = user_package.load_user_package(repository)
    tracemalloc.start()
    validation = validate(repository, package)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert validation.rows == number
    return most


@pytest.mark.slow
def test_memory_is_independent_of_the_number_of_rows(project: Project) -> None:
    """Only hashes grow: eight bytes for each row and unique rule, held two or three times."""
    few, many = peak_memory(project, 10_000, 10_000), peak_memory(project, 200_000, 10_000)
    assert many - few < 190_000 * 8 * 4
    assert many < peak_memory(project, 200_000, 200_000) / 3


FORK = {"pull_request": {"head": {"repo": {"full_name": "eve/fork"}}}}


@pytest.fixture
def pull_request(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that starts a pull request's run, for data that a query returns."""

    def start(event: object, actor: str = "eve") -> None:
        no_database_url(project)
        file = tmp_path / "event.json"
        file.write_text(json.dumps(event))
        values = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(file), "GITHUB_ACTOR": actor,
                  "GITHUB_REPOSITORY": "ada/model", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}  # fmt: skip
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return start


@pytest.mark.parametrize(
    ("event", "actor", "reason"),
    [
        (FORK, "eve", "from a fork (eve/fork)"),
        ({"pull_request": {"head": {"repo": None}}}, "eve", "from a fork (deleted)"),
        (FORK, "dependabot[bot]", "a pull request of Dependabot"),
    ],
    ids=["a fork", "a deleted fork", "Dependabot"],
)
def test_a_run_without_secrets_is_not_red(
    project: Project, pull_request: Callable[..., None], tmp_path: Path, event: object, actor: str, reason: str
) -> None:
    """A sentence says why the rows of a query are not validated, in the log and in the summary."""
    pull_request(event, actor)
    result = project.must("validate")
    for text in (result.out, (tmp_path / "summary.md").read_text()):
        assert "The rows are not validated." in text
        assert reason in text
        assert "DATABASE_URL is not set" in text


def test_a_missing_secret_of_an_own_branch_is_red(project: Project, pull_request: Callable[..., None]) -> None:
    """Its run gets the secrets of the repository, so one is missing."""
    pull_request({"pull_request": {"head": {"repo": {"full_name": "Ada/Model"}}}})
    assert project.gitops("validate").code == 3


def test_tests_that_need_the_rows_are_skipped_in_such_a_run(
    project: Project, pull_request: Callable[..., None]
) -> None:
    """The fixture `frame` gives the reason to pytest."""
    pull_request(FORK)
    repository = config.find_repository(project.root)
    with pytest.raises(pytest.skip.Exception, match="from a fork"):
        testing.frame.__wrapped__(repository, user_package.load_user_package(repository))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("columns", "code", "text"),
    [
        ('["kind"]', 0, "Accepted"),
        ('["kinds"]', 3, "Perhaps you meant 'kind'"),
        ('["month"]', 3, "Use some of these: id"),
    ],
)
def test_columns_left_out_of_monitoring_exist(project: Project, columns: str, code: int, text: str) -> None:
    """A typing error would leave the alarms on."""
    project.edit("model.toml", "[evaluation]", f"[monitoring]\nleft_out = {columns}\n\n[evaluation]")
    result = project.gitops("validate")
    assert (result.code, text in result.out + result.err) == (code, True)
