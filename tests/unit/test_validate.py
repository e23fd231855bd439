"""Data: what is accepted, and the sentence and exit code for each way to be bad."""

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

from gitops_ml import config, contract
from gitops_ml.training import data as reading
from gitops_ml.training.validate import Validation, validate
from unit.sample import MODEL_TOML, Project, Result, rows

PATH = 'path = "data/rows.csv"'
FEW = 60
Break = Callable[[Project], object]


def frame(**columns: Any) -> pd.DataFrame:
    """A few good rows, in which some columns are replaced."""
    return rows(FEW).assign(**columns)


def with_value(column: str, place: int | list[int], value: Any) -> pd.DataFrame:
    """A few good rows, in which a value is replaced, or several by the same."""
    found = rows(FEW)
    found[column] = found[column].astype(object)
    found.loc[place, column] = value
    return found


def text(project: Project, content: str | bytes) -> None:
    """The data file with this content."""
    (project.root / "data" / "rows.csv").write_bytes(content.encode() if isinstance(content, str) else content)


def setting(project: Project, line: str) -> None:
    """One more line under [data]."""
    project.edit("model.toml", 'key = "id"', f'key = "id"\n{line}')


def source(project: Project, line: str) -> None:
    """Another source of the data."""
    project.edit("model.toml", PATH, line)


def database(project: Project, query: str, found: pd.DataFrame | None = None) -> None:
    """The data as a SQLite database, and a query to it."""
    with sqlite3.connect(project.root / "rows.db") as connection:
        (rows(FEW) if found is None else found).to_sql("rows", connection, index=False)
    connection.close()
    os.environ["DATABASE_URL"] = f"sqlite:///{project.root / 'rows.db'}"
    source(project, f'query = "{query}"')


def parquet(project: Project, found: pd.DataFrame) -> bytes:
    """The data as Parquet; what was written."""
    file = project.root / "data" / "rows.parquet"
    found.to_parquet(file, index=False)
    source(project, 'path = "data/rows.parquet"')
    return file.read_bytes()


def cut_off(project: Project) -> None:
    """A Parquet file whose end is missing."""
    whole = parquet(project, rows(FEW))
    (project.root / "data" / "rows.parquet").write_bytes(whole[: len(whole) // 2])


def link_outside(project: Project) -> None:
    """A link to data that is not in the repository."""
    outside = project.root.parent / "outside.csv"
    rows(FEW).to_csv(outside, index=False)
    (project.root / "data" / "rows.csv").unlink()
    (project.root / "data" / "rows.csv").symlink_to(outside)


def locked_out(project: Project) -> None:
    """A query to a database whose folder is not there."""
    database(project, "SELECT * FROM rows")
    os.environ["DATABASE_URL"] = f"sqlite:///{project.root / 'nowhere' / 'rows.db'}"


def no_address(project: Project) -> None:
    """A query, and nobody says where to."""
    source(project, 'query = "SELECT 1"')
    os.environ.pop("DATABASE_URL", None)


def both(*spoil: Break) -> Break:
    """One after the other."""
    return lambda project: [one(project) for one in spoil]


@pytest.fixture(autouse=True)
def address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test may set the database's address; it is put back."""
    monkeypatch.setenv("DATABASE_URL", "")


CSV = rows(FEW).to_csv(index=False)
HEADER = CSV.splitlines()[0]

# how the data is spoilt, the exit code, and what the sentence or the table says
BAD: dict[str, tuple[Break, int, tuple[str, ...]]] = {
    "missing file": (lambda p: (p.root / "data/rows.csv").unlink(), 5, ("data/rows.csv does not exist.",)),
    "empty file": (lambda p: text(p, ""), 5, ("data/rows.csv is empty.",)),
    "blank lines": (lambda p: text(p, "\n\n"), 5, ("data/rows.csv: the header has only one column",)),
    "header only": (lambda p: text(p, HEADER + "\n"), 4, ("there is a header but no rows",)),
    "wrong delimiter": (
        lambda p: text(p, CSV.replace(",", ";")),
        5,
        ("data/rows.csv: the header has only one column when it is cut at ','", 'set `delimiter = ";"`'),
    ),
    "duplicated column": (
        lambda p: text(p, CSV.replace("x2", "x1", 1)),
        5,
        ("data/rows.csv: the column 'x1' stands 2 times in the header.",),
    ),
    "mixed types": (
        lambda p: p.data(with_value("x1", 3, "abc")),
        4,
        ("x1", "must be float64", "'abc' in data/rows.csv row 5"),
    ),
    "a fraction in a column of integers": (
        lambda p: p.data(with_value("count", 3, 3.5)),
        4,
        ("count", "must be int64", "3.5 in data/rows.csv row 5"),
    ),
    "a missing value": (
        lambda p: p.data(with_value("count", 3, None)),
        4,
        ("count", "must not be missing", "nothing in data/rows.csv row 5"),
    ),
    "100 % missing column": (lambda p: p.data(frame(note=np.nan)), 4, ("note", "is missing in every row", "60")),
    "100 % missing column that may not be": (
        lambda p: p.data(frame(x1=np.nan)),
        4,
        ("x1", "must not be missing", "60", "nothing in data/rows.csv row 2"),
    ),
    "missing keys": (
        both(
            lambda p: p.edit("src/sample/schema.py", "Field(unique=True)", "Field(unique=True, nullable=True)"),
            lambda p: p.data(with_value("id", [3, 4], None)),
        ),
        4,
        ("1 rule(s)", "id", "must not be missing", "nothing in data/rows.csv row 5"),
    ),
    "missing column": (lambda p: p.data(rows(FEW).drop(columns="kind")), 4, ("kind", "column is missing")),
    "missing key": (lambda p: p.data(rows(FEW).drop(columns="id")), 4, ("id", "column is missing")),
    "column too many": (lambda p: p.data(frame(extra=1)), 4, ("extra", "column is not in the schema")),
    "unseen category": (
        lambda p: p.data(with_value("kind", 3, "z")),
        4,
        ("kind", "isin(['a', 'b', 'c'])", "'z' in data/rows.csv row 5"),
    ),
    "out of range": (
        lambda p: p.data(with_value("x2", 3, 77)),
        4,
        ("x2", "less_than_or_equal_to(10)", "77.0 in data/rows.csv row 5"),
    ),
    "infinite values": (
        lambda p: p.data(with_value("x1", 3, np.inf)),
        4,
        ("x1", "must be finite", "inf in data/rows.csv row 5"),
    ),
    "a key twice": (
        lambda p: p.data(with_value("id", 3, "r00001")),
        4,
        ("id", "must be unique", "'r00001' in data/rows.csv row 2", "'r00001' in data/rows.csv row 5"),
    ),
    "not UTF-8": (lambda p: text(p, CSV.replace(",a,", ",ä,").encode("latin-1")), 5, ("data/rows.csv: line ", "UTF-8")),
    "UTF-16": (lambda p: text(p, CSV.encode("utf-16")), 5, ("data/rows.csv: line 1 is not UTF-8.",)),
    "truncated Parquet": (cut_off, 5, ("data/rows.parquet is not a whole Parquet file",)),
    "CSV called Parquet": (
        both(lambda p: source(p, 'path = "data/rows.pq"'), lambda p: p.write("data/rows.pq", CSV)),
        5,
        ("data/rows.pq is not a whole Parquet file",),
    ),
    "a directory": (lambda p: source(p, 'path = "data"'), 5, ("data is a directory.", "'data/*.csv'")),
    "a symlink outside the repository": (
        link_outside,
        5,
        ("data/rows.csv is a link to a place outside the repository.",),
    ),
    "a path outside the repository": (
        lambda p: source(p, 'path = "../outside.csv"'),
        5,
        ("'../outside.csv' lies outside the repository.",),
    ),
    "an absolute path": (lambda p: source(p, 'path = "/etc/*"'), 5, ("'/etc/*' lies outside the repository.",)),
    "a glob without a match": (lambda p: source(p, 'path = "data/*.tsv"'), 5, ("No file matches 'data/*.tsv'.",)),
    "a row with a value too many": (
        lambda p: text(p, CSV + "r9,1,1,1,a,1,yes,extra\n"),
        5,
        ("data/rows.csv: Expected 7 fields in line 62, saw 8.",),
    ),
    "a first row with a value too many": (
        lambda p: text(p, HEADER + "\nr9,1,1,1,a,1,yes,extra\n"),
        5,
        ("data/rows.csv: ", "Every row needs as many values as the header has columns."),
    ),
    "a row that was cut off": (
        lambda p: text(p, CSV + "r9,1,1\n"),
        4,
        ("label", "must not be missing", "nothing in data/rows.csv row 62"),
    ),
    "an open quote": (
        lambda p: text(p, CSV + 'r9,1,1,1,"a\n'),
        5,
        ("data/rows.csv: EOF inside string starting in line 62.",),
    ),
    "too large": (
        both(lambda p: setting(p, "max_mib = 1"), lambda p: text(p, CSV * 600)),
        5,
        ("'data/rows.csv' is 1.", " MiB, more than the 1 MiB that model.toml allows."),
    ),
    "SQL that fails": (
        lambda p: database(p, "SELECT * FROM nowhere"),
        5,
        ("The query failed: no such table: nowhere.", "or DATABASE_URL"),
    ),
    "SQL that is none": (lambda p: database(p, "SELEKT"), 5, ("The query failed: near", "syntax error")),
    "a database that is not there": (locked_out, 5, ("The query failed: unable to open database file.",)),
    "a query with too many rows": (
        both(lambda p: database(p, "SELECT * FROM rows"), lambda p: setting(p, "max_rows = 59\nchunk_rows = 10")),
        5,
        ("The query returns more than the 59 rows that model.toml allows.",),
    ),
    "a query without rows": (lambda p: database(p, "SELECT * FROM rows LIMIT 0"), 4, ("no rows",)),
    "a bad row of a query": (
        lambda p: database(p, "SELECT * FROM rows", with_value("kind", 3, "z")),
        4,
        ("kind", "'z' in query row 4"),
    ),
    "no address for the query": (
        no_address,
        3,
        ("model.toml: [data] has a query, but the environment variable DATABASE_URL is not set.",),
    ),
    "a key that the schema does not know": (
        lambda p: p.edit("model.toml", 'key = "id"', 'key = "ident"'),
        3,
        ("[data] names the column 'ident', but Schema in schema.py has no such column.",),
    ),
    "a schema that cannot be imported": (
        lambda p: p.write("src/sample/schema.py", "import nonsense_that_nobody_has"),
        3,
        ("src/sample: Schema in schema.py cannot be had: ModuleNotFoundError",),
    ),
    "a schema that is none": (
        lambda p: p.write("src/sample/schema.py", "Schema = 3"),
        3,
        ("Schema in schema.py is not a pandera DataFrameModel",),
    ),
}

ADDRESSES = {
    "no such dialect": "nonsense://ada:s3cret@host/rows",
    "driver not installed": "oracle://ada:s3cret@host/rows",
    "port that is no number": "postgresql://ada:s3cret@host:port/rows",
    "user where SQLite has none": "sqlite://ada:s3cret@/rows.db",
    "no URL at all": "ada s3cret",
    "slash in the password": "postgresql://ada:x/s3cret@host:port/rows",
    "no such file": "sqlite:////nowhere/s3cret/rows.db",
}


def said(result: Result) -> str:
    """Everything a person reads."""
    return result.out + result.err


def found(project: Project, **settings: int) -> Validation:
    """What validating finds, in process."""
    project.write("model.toml", MODEL_TOML)
    for key, value in settings.items():
        setting(project, f"{key} = {value}")
    for name in [name for name in sys.modules if name.split(".")[0] == "sample"]:
        del sys.modules[name]
    repository = config.find(project.root)
    return validate(repository, contract.load(repository), keep=True)


@pytest.mark.parametrize(("spoil", "code", "sentences"), BAD.values(), ids=BAD)
def test_bad_data_is_refused(project: Project, spoil: Break, code: int, sentences: tuple[str, ...]) -> None:
    """Each kind has its exit code and its sentence, never a traceback, and the store is not touched."""
    spoil(project)
    result = project.gitops("validate")
    assert result.code == code
    assert [sentence for sentence in sentences if sentence not in said(result)] == []
    assert "Traceback" not in said(result)
    assert project.git("branch", "--list", "mlflow") == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["missing file", "missing key"])
def test_training_stops_where_validating_stops(project: Project, name: str) -> None:
    """The same sentence and exit code; nothing is written, here or in the store."""
    project.must("train")
    project.must("register")
    tip = project.git("rev-parse", "mlflow")
    spoil, code, sentences = BAD[name]
    spoil(project)
    result = project.gitops("train", "--out", str(project.root / "out"))
    assert result.code == code
    assert sentences[-1] in said(result)
    assert project.git("rev-parse", "mlflow") == tip
    assert not (project.root / "out").exists()


def test_good_data_is_accepted(project: Project) -> None:
    """With the number of rows, and the digest as an output."""
    result = project.must("validate")
    assert result.out.startswith("Accepted: 500 rows, sha256:")
    assert result.outputs["data"].startswith("sha256:")


def test_several_files_are_one(project: Project) -> None:
    """A glob names them; a problem names its file."""
    rows(FEW).to_csv(project.root / "data/a.csv", index=False)
    rows(FEW, first=FEW + 1).to_csv(project.root / "data/b.csv", index=False)
    source(project, 'path = "data/[ab].csv"')
    assert project.must("validate").out.startswith("Accepted: 120 rows")
    rows(FEW, first=FEW).to_csv(project.root / "data/b.csv", index=False)
    assert "'r00060' in data/a.csv row 61; 'r00060' in data/b.csv row 2" in project.gitops("validate").out


def test_files_with_other_columns_are_named(project: Project) -> None:
    """A column may be missing in one file only, the key too."""
    with_value("id", 3, "r00001").to_csv(project.root / "data/a.csv", index=False)
    rows(FEW).drop(columns="id").to_csv(project.root / "data/b.csv", index=False)
    source(project, 'path = "data/[ab].csv"')
    result = project.gitops("validate")
    assert result.code == 4
    assert "data/b.csv" in result.out
    assert "'r00001' in data/a.csv row 5" in result.out


def test_parquet_is_accepted(project: Project) -> None:
    """Rows count from 1, for there is no header."""
    parquet(project, rows(FEW))
    assert project.must("validate").out.startswith("Accepted: 60 rows")
    parquet_again = with_value("kind", 0, "z")
    parquet_again.to_parquet(project.root / "data/rows.parquet", index=False)
    assert "'z' in data/rows.parquet row 1" in project.gitops("validate").out


def test_a_query_is_accepted(project: Project) -> None:
    """Its digest is that of its rows, in whatever order they come."""
    database(project, "SELECT * FROM rows ORDER BY x1")
    first = project.must("validate").outputs["data"]
    project.edit("model.toml", "ORDER BY x1", "ORDER BY x2")
    assert project.must("validate").outputs["data"] == first
    project.edit("model.toml", "ORDER BY x2", "LIMIT 59")
    assert project.must("validate").outputs["data"] != first


def test_the_variable_of_the_address_can_be_chosen(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named in model.toml, never the address."""
    database(project, "SELECT * FROM rows")
    monkeypatch.setenv("WAREHOUSE", os.environ["DATABASE_URL"])
    monkeypatch.delenv("DATABASE_URL")
    setting(project, 'url_env = "WAREHOUSE"')
    assert project.must("validate").out.startswith("Accepted: 60 rows")


@pytest.mark.parametrize("url", ADDRESSES.values(), ids=ADDRESSES)
def test_a_password_is_never_printed(project: Project, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong with the address, the sentence names its variable only."""
    database(project, "SELECT * FROM rows")
    monkeypatch.setenv("DATABASE_URL", url)
    result = project.gitops("validate")
    assert result.code == 5
    assert "s3cret" not in said(result)
    assert "DATABASE_URL" in result.err


def test_all_problems_are_listed_at_once(project: Project) -> None:
    """One table has every broken rule, how many rows break it, and up to three of them."""
    broken = rows(FEW).drop(columns="note").assign(extra=1, kind="z")
    broken.loc[[1, 2, 3, 4], "x2"] = 77
    project.data(broken)
    problems = {(p.column, p.check): p for p in found(project).problems}
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


def spoilt() -> pd.DataFrame:
    """Rows with a problem of every kind, far apart."""
    broken = rows(FEW).astype({"x1": object, "x2": object, "count": object, "note": object})
    broken.loc[[3, 50], "x1"] = "abc"
    broken.loc[10, "x1"] = "inf"
    broken.loc[11, "x2"] = np.inf
    broken.loc[12, "x2"] = 77
    broken.loc[20, "count"] = "3.5"
    broken.loc[21, "count"] = None
    broken.loc[22, "count"] = -1
    broken.loc[23, "count"] = "many"
    broken.loc[24, "count"] = "4.0"
    broken["note"] = np.nan
    broken.loc[[30, 31], "kind"] = "z"
    broken.loc[59, "id"] = "r00001"
    broken.loc[[40, 41], "id"] = "r00002"
    return broken


def numbered_twice() -> pd.DataFrame:
    """Rows whose numbers repeat far apart, beside one that is missing and one that is none."""
    broken = rows(FEW).assign(count=range(FEW)).astype({"count": object})
    broken.loc[[2, 58], "count"] = 7
    broken.loc[30, "count"] = None
    broken.loc[31, "count"] = "x"
    return broken


SPOILT = {
    "every kind of problem": spoilt,
    "column missing": lambda: spoilt().drop(columns=["kind", "id"]),
    "numbers that repeat": numbered_twice,
    "good": lambda: rows(FEW),
}


@pytest.mark.parametrize("chunk_rows", [3, 59])
@pytest.mark.parametrize("make", SPOILT.values(), ids=SPOILT)
def test_pieces_find_what_the_whole_finds(project: Project, make: Callable[[], pd.DataFrame], chunk_rows: int) -> None:
    """The same problems, counts, examples, rows and digest, whatever chunk_rows is."""
    project.edit("src/sample/schema.py", "count: int = pa.Field(ge=0)", "count: int = pa.Field(ge=0, unique=True)")
    project.data(make())
    whole, pieces = found(project), found(project, chunk_rows=chunk_rows)
    assert pieces.problems == whole.problems
    assert (pieces.rows, pieces.digest) == (whole.rows, whole.digest)


def test_pieces_make_the_same_rows(project: Project) -> None:
    """The rows that training gets do not depend on chunk_rows either, nor on their order in the file."""
    project.data(rows(FEW))
    whole = found(project).frame
    project.data(rows(FEW).sample(frac=1, random_state=1))
    pieces = found(project, chunk_rows=7).frame
    assert whole is not None
    assert pieces is not None
    pd.testing.assert_frame_equal(pieces, whole)


def test_rules_over_several_columns_are_kept(project: Project) -> None:
    """Columns that must differ together are told apart over all chunks."""
    project.edit("src/sample/schema.py", "strict = True", 'strict = True\n        unique = ["x1", "kind"]')
    project.data(frame(x1=range(FEW), kind="a"))
    assert found(project, chunk_rows=7).problems == ()
    project.data(frame(x1=[float(n % 59) for n in range(FEW)], kind="a"))
    problem = found(project, chunk_rows=7).problems[0]
    assert (problem.column, problem.check, problem.failing) == ("x1, kind", "must be unique", 2)


def test_a_rule_over_whole_rows_is_kept(project: Project) -> None:
    """What a dataframe check of your schema says is listed as well."""
    check = '\n    @pa.dataframe_check\n    def apart(cls, rows):\n        """x1 is not x2."""\n        '
    check += "return rows['x1'] != rows['x2']\n"
    project.edit("src/sample/schema.py", "\n    class Config:", f"{check}\n    class Config:")
    project.data(with_value("x2", 3, rows(FEW)["x1"].iloc[3]))
    problem = found(project, chunk_rows=7).problems[0]
    assert (problem.check, problem.failing) == ("apart", 1)


def test_keys_keep_their_zeros(project: Project) -> None:
    """A column that the schema calls text is text, though it looks like a number."""
    project.data(frame(id=[f"{n:03d}" for n in range(FEW)]))
    validation = found(project)
    assert validation.frame is not None
    assert validation.frame["id"].tolist()[:3] == ["000", "001", "002"]


def test_rows_have_the_types_of_the_schema(project: Project) -> None:
    """Whole numbers stay integers, also when a file writes them with a point."""
    project.data(frame(count=[float(n) for n in range(FEW)]))
    validation = found(project, chunk_rows=7)
    assert validation.frame is not None
    assert str(validation.frame["count"].dtype) == "int64"
    assert str(validation.frame["x1"].dtype) == "float64"


def test_the_digest_is_that_of_the_content(project: Project) -> None:
    """It changes with any value, and not with the file's name."""
    project.data(rows(FEW))
    first = found(project).digest
    project.data(with_value("x1", 3, 0.5))
    assert found(project).digest != first
    project.data(rows(FEW))
    project.git("mv", "data/rows.csv", "data/other.csv")
    source(project, 'path = "data/other.csv"')
    assert reading.digest_files(config.find(project.root)) == first


def test_the_step_summary_shows_the_table(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As Markdown; text that came from the data is shown as it is, and is no markup."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    project.data(with_value("kind", 3, "a|b @ada `x` <script> #1 **"))
    project.gitops("validate")
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith("### ❌ Data: 1 rule(s) broken in 60 rows\n\n| column")
    assert r"'a\|b @&#8203;ada \`x\` &lt;script&gt; \#&#8203;1 \*\*' in data/rows.csv row 5" in summary


def test_the_step_summary_says_when_all_is_well(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One line."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    project.must("validate")
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == "✅ 500 rows of data keep the schema.\n"


def peak(project: Project, number: int, chunk_rows: int) -> int:
    """The most bytes that validating held at once, beyond what it began with."""
    project.data(rows(number))
    project.write("model.toml", MODEL_TOML)
    setting(project, f"chunk_rows = {chunk_rows}")
    repository = config.find(project.root)
    yours = contract.load(repository)
    tracemalloc.start()
    validation = validate(repository, yours)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert validation.rows == number
    return most


@pytest.mark.slow
def test_memory_stays_flat(project: Project) -> None:
    """Twenty times as many rows take nothing but eight bytes a row for each unique rule, held twice or thrice."""
    few, many = peak(project, 10_000, 10_000), peak(project, 200_000, 10_000)
    assert many - few < 190_000 * 8 * 4
    assert many < peak(project, 200_000, 200_000) / 3
