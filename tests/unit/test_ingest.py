"""`gitops ingest`: each source, and rows that are new, in the data already, in conflict with it, or hostile."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pandas as pd
import pytest
import sqlalchemy as sa

from gitops_ml import config, prediction_log
from gitops_ml.errors import DataUnreadable, IntegrityError
from gitops_ml.forge.data_pull_request_text import format_examples, render_ingestion
from gitops_ml.ingesting import http_source
from gitops_ml.ingesting.addition_check import check_is_addition
from gitops_ml.ingesting.dialect import detect_dialect
from gitops_ml.ingesting.pull import pull
from gitops_ml.manifest import write_manifest
from unit.sample import Project, make_rows

BRANCH = "data/ingest"
DATA = "data/rows.csv"
NEW = make_rows(40, seed=1, first=501)


def source(project: Project, text: str) -> Project:
    """Add a source to model.toml, commit, and return the project."""
    project.write("model.toml", (project.root / "model.toml").read_text() + f"\n[ingest]\n{text}\n")
    project.commit("a source")
    return project


@pytest.fixture
def file_source(project: Project) -> Project:
    """Return a project whose new rows are in a file that Git ignores."""
    (project.root / ".gitops").mkdir(exist_ok=True)
    NEW.to_csv(project.root / ".gitops" / "new.csv", index=False)
    return source(project, 'source = "file"\npath = ".gitops/new.csv"')


def replace_rows(project: Project, frame: pd.DataFrame) -> None:
    """Replace the rows in the file of the source."""
    frame.to_csv(project.root / ".gitops" / "new.csv", index=False)


def read_proposed(project: Project, path: str = DATA) -> pd.DataFrame:
    """Return the data on the proposal's branch."""
    text = project.git("show", f"{BRANCH}:{path}")
    (project.root / ".gitops" / "shown.csv").write_text(text)
    return pd.read_csv(project.root / ".gitops" / "shown.csv")


def read_body(project: Project) -> str:
    """Return the text of the pull request."""
    return (project.root / ".gitops" / "ingestion" / "body.md").read_text(encoding="utf-8")


def only_adds(project: Project) -> bool:
    """Return whether the branch adds lines and removes none."""
    counts = project.git("diff", "--numstat", f"main...{BRANCH}").split()
    return counts[1] == "0" and int(counts[0]) > 0


def test_new_rows_are_proposed_on_a_branch_that_only_adds(file_source: Project) -> None:
    """The branch has one commit that adds lines to one file; the user's files are not changed."""
    result = file_source.must("ingest", "--local")
    assert f"branch {BRANCH} adds 40 row(s)" in result.out
    assert file_source.git("diff", "--name-only", f"main...{BRANCH}") == DATA
    assert only_adds(file_source)
    assert file_source.git("status", "--porcelain") == ""
    assert len(read_proposed(file_source)) == 540
    assert file_source.git("log", "-1", "--format=%s", BRANCH) == f"Add 40 rows to {DATA}"


def test_a_second_ingestion_changes_nothing(file_source: Project) -> None:
    """The branch keeps its commit; after the merge there are no new rows, and the output says what is needed."""
    file_source.must("ingest", "--local")
    tip = file_source.git("rev-parse", BRANCH)
    assert "Nothing to do" in file_source.must("ingest", "--local").out
    assert file_source.git("rev-parse", BRANCH) == tip
    file_source.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    result = file_source.must("ingest", "--local")
    assert "needs labels of new rows: all 40 row(s) of the file .gitops/new.csv are in the data already" in result.out
    assert file_source.git("rev-parse", BRANCH) == tip


def test_existing_rows_are_skipped_and_counted(file_source: Project) -> None:
    """A source may return all rows each time."""
    replace_rows(file_source, pd.concat([make_rows(), NEW]))
    file_source.must("ingest", "--local")
    assert len(read_proposed(file_source)) == 540
    assert "of which 500 rows are in the data already" in read_body(file_source)


def test_an_existing_key_with_other_values_is_refused(file_source: Project) -> None:
    """The message names the rows and their columns, but no value; nothing is proposed."""
    changed = make_rows().head(7).assign(x1=9.5, label="yes")
    replace_rows(file_source, pd.concat([changed, NEW]))
    refused = file_source.gitops("ingest", "--local")
    assert refused.code == 4
    assert "7 new row(s) have a key of the data but other values: 'r00001' (x1" in refused.err
    assert "and 2 more" in refused.err
    assert "9.5" not in refused.err
    assert "Give a new observation a new key" in refused.err
    assert file_source.git("branch", "--list", BRANCH) == ""


def test_a_duplicate_key_in_the_new_rows_is_refused(file_source: Project) -> None:
    """It is refused even if the rows have the same values."""
    replace_rows(file_source, pd.concat([NEW, NEW.head(1)]))
    refused = file_source.gitops("ingest", "--local")
    assert refused.code == 4
    assert "must be unique" in refused.out


def test_all_problems_of_the_new_rows_are_listed_at_once(file_source: Project) -> None:
    """They are listed as by `validate`, with file and line; the exit code is 4, and nothing is proposed."""
    bad = NEW.astype(object)
    bad.loc[0, "x2"], bad.loc[1, "count"], bad.loc[2, "kind"], bad.loc[3, "label"] = 99.0, "many", "z", None
    replace_rows(file_source, bad.drop(columns="note").assign(extra=1))
    refused = file_source.gitops("ingest", "--local")
    assert refused.code == 4
    for text_part in ("x2", "'many' in rows.csv row 3", "kind", "must not be missing", "column is missing", "extra"):
        assert text_part in refused.out
    assert file_source.git("branch", "--list", BRANCH) == ""


def test_the_body_describes_the_effects_of_the_rows(file_source: Project) -> None:
    """It has the numbers of rows, the target's balance, the holdout, shifts, missing values and duplicates."""
    duplicate = NEW.iloc[[0]].assign(id="r99999")
    replace_rows(file_source, pd.concat([NEW.assign(x1=NEW["x1"] + 3), duplicate.assign(x1=duplicate["x1"] + 3)]))
    file_source.must("ingest", "--local")
    text = read_body(file_source)
    assert text.startswith("## 41 new rows for data/rows.csv\n\nSource: the file .gitops/new.csv.")
    for text_part in ("| rows ", "| 500 ", "| 541 ", "held out by the split", "target: no", "target: yes"):
        assert text_part in text
    assert "How the new rows differ: more than by chance in x1" in text
    assert "Values are missing in 1 column" in text
    assert "**2 new rows** have the same content as another row, under another key" in text
    assert "There is no champion yet" in text
    assert len(text) < 60_000


@pytest.mark.slow
def test_the_champion_is_measured_on_the_new_rows(at_stage: Callable[[str], Project]) -> None:
    """The result has its metric with an interval, its errors, and examples with key, prediction and label only."""
    project = at_stage("promoted")
    (project.root / ".gitops" / "new.csv").write_text(NEW.to_csv(index=False))
    source(project, 'source = "file"\npath = ".gitops/new.csv"').must("ingest", "--local")
    answers = json.loads((project.root / ".gitops" / "ingestion" / "ingestion.json").read_text())["answers"]
    assert answers["low"] <= answers["value"] <= answers["high"]
    assert (answers["version"], answers["rows"], answers["unknown"]) == ("1", 40, None)
    assert 0 < answers["wrong"] < 40
    assert set(answers["examples"][0]) == {"key", "said", "truth", "probability"}
    assert f"{answers['wrong']} of its 40 predictions are wrong" in read_body(project)


@pytest.mark.slow
def test_a_champion_that_cannot_predict_does_not_stop_the_ingestion(at_stage: Callable[[str], Project]) -> None:
    """The body gives the reason."""
    project = at_stage("promoted")
    (project.root / ".gitops" / "new.csv").write_text(NEW.drop(columns="count").to_csv(index=False))
    project.edit("src/sample/schema.py", "    count: int = pa.Field(ge=0)\n", "")
    project.write_data(make_rows().drop(columns="count"))
    source(project, 'source = "file"\npath = ".gitops/new.csv"').must("ingest", "--local")
    assert "could not predict these rows: Version 1 needs the column 'count'" in read_body(project)


def test_predictions_of_numbers_have_no_column_of_probabilities() -> None:
    """A regression has none; with them, each row shows its own."""
    number = {"key": "a", "said": 2.5, "truth": 3.0, "probability": None}
    assert format_examples([number]).splitlines()[0].count("|") == 4
    assert "0.75" in format_examples([number, {**number, "probability": 0.75}])


def test_a_long_body_is_cut_between_lines() -> None:
    """It is shorter than GitHub's limit, all sections are closed, and the last paragraph is complete."""
    does = {"rows_before": 1, "rows_added": 1, "held_out_before": 0, "held_out_added": 0, "held_out_after": 0,
            "method": "hash", "target": [], "shifts": [], "gaps": [], "twins": 0, "twins_across": 0,
            "columns": {f"{'column' * 12}{n}": "float64" for n in range(2000)}}  # fmt: skip
    text = render_ingestion(
        {"rows": 1, "path": "a", "source": "b", "known": 0, "notes": [], "answers": None, "does": does}
    )
    assert len(text) < 60_000
    assert text.count("<details>") == text.count("</details>")
    assert "did not fit" in text
    assert text.rstrip().endswith("is updated.")


def test_hostile_values_are_escaped(file_source: Project) -> None:
    """The CSV keeps commas, quotes, line ends and formulas; the body has no markup, mentions or links from values."""
    file_source.edit("src/sample/schema.py", 'kind: str = pa.Field(isin=["a", "b", "c"])', "kind: str")
    file_source.commit("any kind")
    kinds = ["@everyone <img src=x>", 'a,b "quoted"', "two\nlines", "=cmd()", "</details> [x](https://evil.example)"]
    hostile = NEW.head(5).assign(kind=kinds, id=["</details>@a|b", "k,2", 'k"3', "::error::x", "k`5"])
    replace_rows(file_source, pd.concat([hostile, hostile.assign(id=[f"t{n}" for n in range(5)])]))
    file_source.must("ingest", "--local")
    shown = read_proposed(file_source).set_index("id")
    assert shown.loc[hostile["id"], "kind"].tolist() == kinds
    assert "<img" not in read_body(file_source)
    assert "](https://evil" not in read_body(file_source)
    file_source.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    assert "needs labels" in file_source.must("ingest", "--local").out


def test_value_that_a_csv_cannot_hold_is_refused(project: Project) -> None:
    """It would be read as another one, and be in conflict with itself in the next run."""
    day = pd.Timestamp("2026-02-01")
    project.edit("src/sample/schema.py", "    note: float", "    day: pa.DateTime\n    note: float")
    project.edit("model.toml", "[split]", '[data.dates]\nday = "%d/%m/%Y"\n\n[split]')
    project.write_data(pd.read_csv(project.root / DATA).assign(day="31/01/2026"))
    (project.root / ".gitops").mkdir()
    NEW.assign(day=day).to_parquet(project.root / ".gitops" / "new.parquet")
    source(project, 'source = "file"\npath = ".gitops/new.parquet"').must("ingest", "--local")
    assert set(read_proposed(project)["day"].tail(len(NEW))) == {"01/02/2026"}
    NEW.assign(day=day + pd.Timedelta(hours=1)).to_parquet(project.root / ".gitops" / "new.parquet")
    refused = project.gitops("ingest", "--local")
    assert refused.code == 4
    assert "A CSV cannot hold Timestamp('2026-02-01 01:00:00') in the column 'day'" in refused.err


def test_words_of_a_source_are_written_as_they_are_read(project: Project) -> None:
    """NA is a word, unless model.toml declares it; yes and no are written as the file has them."""
    project.edit("src/sample/schema.py", 'kind: str = pa.Field(isin=["a", "b", "c"])', "kind: str\n    flag: bool")
    project.edit("model.toml", "[split]", 'true = ["yes"]\nfalse = ["no"]\n\n[split]')
    project.write_data(pd.read_csv(project.root / DATA).assign(flag="no"))
    (project.root / ".gitops").mkdir()
    NEW.assign(kind="NA", flag=True).to_parquet(project.root / ".gitops" / "new.parquet")
    source(project, 'source = "file"\npath = ".gitops/new.parquet"').must("ingest", "--local")
    added = project.git("show", f"{BRANCH}:{DATA}").splitlines()[-len(NEW) :]
    assert all(",NA," in line and line.endswith(",yes") for line in added)


@pytest.mark.parametrize(
    ("name", "text"),
    {
        "crlf": make_rows(60).to_csv(index=False, lineterminator="\r\n"),
        "no-end": make_rows(60).to_csv(index=False).rstrip("\n"),
        "all-quoted": make_rows(60).to_csv(index=False, quoting=1),
        "texts-quoted": make_rows(60).assign(note=1.5).to_csv(index=False, quoting=2),
        "marked": "\ufeff" + make_rows(60).to_csv(index=False),
        "other-order": make_rows(60)[["label", "note", "kind", "count", "x2", "x1", "id"]].to_csv(index=False),
    }.items(),
    ids=lambda value: value if len(value) < 20 else "",
)  # fmt: skip
def test_added_lines_have_the_format_of_the_file(file_source: Project, name: str, text: str) -> None:
    """Line ends, quotes and order of columns are those of the file, and its existing bytes are not changed."""
    (file_source.root / DATA).write_bytes(text.encode())
    file_source.git("-c", "core.autocrlf=false", "add", "--all")
    file_source.write(".gitattributes", "* -text\n")
    file_source.commit(name)
    file_source.must("ingest", "--local")
    after = (file_source.root / ".gitops" / "ingestion" / "file").read_bytes().decode()
    assert after.startswith(text)
    old, new = text.splitlines(keepends=True)[1], after.splitlines(keepends=True)[-1]
    assert old.count('"') == new.count('"')
    assert new.endswith("\r\n" if name == "crlf" else "\n")
    assert ("\r" in new) == (name == "crlf")
    assert len(after.splitlines()) == 101


def test_the_delimiter_of_the_data_is_kept(file_source: Project) -> None:
    """The source has commas, the data semicolons."""
    file_source.edit("model.toml", 'key = "id"', 'key = "id"\ndelimiter = ";"')
    make_rows().to_csv(file_source.root / DATA, index=False, sep=";")
    file_source.commit("semicolons")
    file_source.must("ingest", "--local")
    assert file_source.git("show", f"{BRANCH}:{DATA}").splitlines()[-1].count(";") == 6
    assert only_adds(file_source)


def test_rows_without_a_column_of_the_data_are_refused(file_source: Project) -> None:
    """The column is in the file, but not in the schema."""
    file_source.edit("src/sample/schema.py", "        strict = True\n", "")
    file_source.write_data(make_rows().assign(region="north"))
    file_source.commit("a region")
    refused = file_source.gitops("ingest", "--local")
    assert refused.code == 4
    assert "The new rows lack the columns 'region' of rows.csv" in refused.err


def use_parquet(project: Project, pattern: str) -> Project:
    """Change the data to Parquet, and return the project."""
    (project.root / DATA).unlink()
    make_rows(300).to_parquet(project.root / "data" / "one.parquet", index=False)
    project.edit("model.toml", DATA, pattern)
    project.commit("Parquet")
    return project


def test_rows_are_appended_to_parquet(file_source: Project) -> None:
    """Types and order are kept, although the source is a CSV."""
    use_parquet(file_source, "data/one.parquet").must("ingest", "--local")
    after = pd.read_parquet(file_source.root / ".gitops" / "ingestion" / "file")
    pd.testing.assert_frame_equal(after.head(300), make_rows(300), check_dtype=False)
    assert after["id"].tolist()[300:] == NEW["id"].tolist()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_data_of_several_files_gets_a_new_file(file_source: Project, kind: str) -> None:
    """Its name depends only on the rows, so the same rows give the same file."""
    if kind == "csv":
        file_source.edit("model.toml", DATA, "data/*.csv")
        file_source.commit("a glob")
    else:
        use_parquet(file_source, "data/*.parquet")
    file_source.must("ingest", "--local")
    name = file_source.git("diff", "--name-only", f"main...{BRANCH}")
    assert name.startswith("data/ingested-")
    assert name.endswith(f".{kind}")
    file_source.git("branch", "--quiet", "-D", BRANCH)
    replace_rows(file_source, NEW.sample(frac=1, random_state=3))
    file_source.must("ingest", "--local")
    assert file_source.git("diff", "--name-only", f"main...{BRANCH}") == name
    file_source.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    assert "needs labels" in file_source.must("ingest", "--local").out
    file_source.must("validate")


def test_a_pattern_that_does_not_match_the_new_file_is_refused(file_source: Project) -> None:
    """Rows that are not read would not be used for training."""
    file_source.edit("model.toml", DATA, "data/row*.csv")
    file_source.commit("a glob")
    refused = file_source.gitops("ingest", "--local")
    assert refused.code == 3
    assert "would not match" in refused.err
    assert "data/*.csv" in refused.err


def test_data_from_a_query_cannot_be_ingested(file_source: Project) -> None:
    """There is no file for a pull request to change."""
    file_source.edit("model.toml", f'path = "{DATA}"', 'query = "SELECT 1"')
    refused = file_source.gitops("ingest", "--local")
    assert refused.code == 3
    assert "new rows belong into that database" in refused.err


def test_without_a_source_the_output_says_how_to_set_one(project: Project) -> None:
    """A missing source is not an error."""
    assert "names no source of new rows" in project.must("ingest").out


def test_without_rows_the_output_says_what_is_needed(file_source: Project) -> None:
    """A header without rows is valid; an empty file is an error."""
    replace_rows(file_source, NEW.head(0))
    assert "needs labels: the source the file .gitops/new.csv has no rows" in file_source.must("ingest").out
    (file_source.root / ".gitops" / "new.csv").write_text("")
    assert file_source.gitops("ingest").code == 5


def test_more_rows_than_allowed_are_refused(file_source: Project) -> None:
    """`max_rows` limits the added rows, not the rows of the source."""
    file_source.edit("model.toml", "[ingest]\n", "[ingest]\nmax_rows = 39\n")
    file_source.commit("fewer")
    replace_rows(file_source, pd.concat([make_rows(), NEW.head(39)]))
    file_source.must("ingest", "--local")
    replace_rows(file_source, NEW)
    assert file_source.gitops("ingest", "--local").code == 4


def test_data_that_differs_from_main_is_refused(file_source: Project) -> None:
    """The pull request would contain the user's other changes."""
    file_source.write_data(make_rows(499))
    refused = file_source.gitops("ingest", "--local")
    assert refused.code == 3
    assert "differs from the data of" in refused.err


def test_a_violation_across_old_and_new_rows_is_refused(file_source: Project) -> None:
    """A value of a unique column is in an old and in a new row."""
    file_source.edit("src/sample/schema.py", "x1: float", "x1: float = pa.Field(unique=True)")
    first = make_rows(300, seed=5).drop_duplicates("x1")
    file_source.write_data(first)
    file_source.commit("unique")
    replace_rows(file_source, NEW.drop_duplicates("x1").iloc[:5].assign(x1=[*first["x1"].head(1), 7.1, 7.2, 7.3, 7.4]))
    refused = file_source.gitops("ingest", "--local")
    assert refused.code == 4
    assert "rows of the data with the new rows" in refused.err


# The jobs of the workflow.


def test_each_stage_continues_from_the_one_before(file_source: Project) -> None:
    """The stages exchange digests, as the jobs do; without rows to add, the digest is empty."""
    pulled = file_source.must("ingest", "--stage", "pull").outputs["pulled"]
    ingestion = file_source.must("ingest", "--stage", "check", "--digest", pulled).outputs["ingestion"]
    assert "adds 40 row(s)" in file_source.must("ingest", "--stage", "offer", "--digest", ingestion, "--local").out
    file_source.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    assert file_source.must("ingest", "--stage", "check", "--digest", pulled).outputs["ingestion"] == ""


@pytest.mark.parametrize(("stage", "file"), [("check", "pulled/rows.csv"), ("offer", "ingestion/file")])
def test_a_changed_artefact_is_refused(file_source: Project, stage: str, file: str) -> None:
    """Its digest comes from a job's output and not from the artefact."""
    outputs = file_source.must("ingest", "--stage", "pull").outputs
    outputs |= file_source.must("ingest", "--stage", "check", "--digest", outputs["pulled"]).outputs
    with (file_source.root / ".gitops" / file).open("a") as stream:
        stream.write("r77777,1,1,1,a,,yes\n")
    digest = outputs["pulled" if stage == "check" else "ingestion"]
    assert file_source.gitops("ingest", "--stage", stage, "--digest", digest, "--local").code == 11


def test_a_job_needs_a_digest(file_source: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a user's command reads the digest from the folder; a job without one fails."""
    file_source.must("ingest", "--stage", "pull")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    file_source.git("update-ref", "refs/remotes/origin/main", "main")
    monkeypatch.setattr("gitops_ml.git.fetch_branches", lambda root: None)
    assert file_source.gitops("ingest", "--stage", "check").code == 3


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (DATA, lambda text: text.replace("r00001", "r90001")),
        (DATA, lambda text: text),
        (".github/workflows/ci.yml", lambda text: text + "more\n"),
        ("../outside.csv", lambda text: text + "more\n"),
    ],
    ids=["altered", "nothing added", "a workflow", "outside"],
)
def test_only_additions_are_accepted(project: Project, tmp_path: Path, path: str, change: Callable[[str], str]) -> None:
    """An artefact cannot change existing rows, or another file."""
    file = tmp_path / "file"
    file.write_text(change((project.root / DATA).read_text()))
    with pytest.raises(IntegrityError, match="is not an addition"):
        check_is_addition(config.find_repository(project.root), path, file)


def test_a_new_file_has_a_valid_name(project: Project, tmp_path: Path) -> None:
    """It must have the name that gitops gives, and must not exist."""
    project.edit("model.toml", DATA, "data/*.csv")
    file = tmp_path / "file"
    file.write_text("a,b\n1,2\n")
    check_is_addition(config.find_repository(project.root), "data/ingested-0123456789ab.csv", file)
    for path in (
        "data/rows.csv",
        "data/other.csv",
        "src/ingested-0123456789ab.csv",
        "data/../ingested-0123456789ab.csv",
    ):
        with pytest.raises(IntegrityError):
            check_is_addition(config.find_repository(project.root), path, file)


def test_an_addition_to_parquet_keeps_the_rows(file_source: Project, tmp_path: Path) -> None:
    """A file with the old rows and more is accepted, one with a changed value is refused."""
    use_parquet(file_source, "data/one.parquet")
    repository, file = config.find_repository(file_source.root), tmp_path / "file"
    pd.concat([make_rows(300), NEW]).to_parquet(file, index=False)
    check_is_addition(repository, "data/one.parquet", file)
    pd.concat([make_rows(300).assign(x1=0.0), NEW]).to_parquet(file, index=False)
    with pytest.raises(IntegrityError):
        check_is_addition(repository, "data/one.parquet", file)


# Sources.


def fetch_rows(project: Project) -> pd.DataFrame:
    """Fetch the rows of the source and return them."""
    folder = project.root / ".gitops" / "pulled"
    pulled, digest = pull(config.find_repository(project.root), folder)
    assert write_manifest(folder) == digest
    assert pulled.file
    read = pd.read_parquet if pulled.file.endswith("parquet") else pd.read_csv
    return read(folder / pulled.file)


@pytest.mark.parametrize("name", ["new.csv", "new.csv.gz", "new.parquet", "new.json", "new.jsonl"])
def test_every_file_format_gives_the_same_rows(project: Project, tmp_path: Path, name: str) -> None:
    """The format is detected from the name; JSON is a list, or one object in each line."""
    file = tmp_path / name
    if "csv" in name:
        NEW.to_csv(file, index=False)
    elif "parquet" in name:
        NEW.to_parquet(file, index=False)
    else:
        NEW.to_json(file, orient="records", lines=name.endswith("l"))
    source(project, f'source = "file"\npath = "{file}"')
    pd.testing.assert_frame_equal(fetch_rows(project), NEW, check_dtype=False)
    project.must("ingest", "--local")
    assert only_adds(project)


def test_a_file_may_be_at_any_address_of_fsspec(project: Project) -> None:
    """The test uses fsspec's memory file system."""
    with fsspec.open("memory://bucket/new.csv", "wt") as stream:
        NEW.to_csv(stream, index=False)
    source(project, 'source = "file"\npath = "memory://bucket/new.csv"').must("ingest", "--local")
    assert len(read_proposed(project)) == 540


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ('source = "file"\npath = "nowhere.csv"', 5, "There is no file at nowhere.csv"),
        ('source = "file"\npath = "s3://bucket/new.csv"', 3, "needs a package that is not installed"),
        ('source = "file"\npath = "odd://bucket/new.csv"', 5, "cannot be read"),
        ('source = "file"\npath = "new.xlsx"', 3, "cannot be detected from its name"),
        ('source = "file"\npath = "https://example.com/new.csv"', 3, 'source = "http"'),
        ('source = "http"\npath = "ftp://example.com/new.csv"', 3, "needs an address"),
        ('source = "sql"\nquery = "SELECT 1"', 3, "the environment variable INGEST_URL is not set"),
    ],
)
def test_a_source_that_cannot_be_read_is_an_error(project: Project, text: str, code: int, message: str) -> None:
    """The exit code is 3 for a mistake in model.toml, and 5 for a fault of the source."""
    refused = source(project, text).gitops("ingest")
    assert refused.code == code, refused.err
    assert message in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.parametrize("text", ["{", "[1, 2]", '[{"id": {"deep": 1}}]', "\u00e9"])
def test_json_without_flat_rows_is_an_error(project: Project, tmp_path: Path, text: str) -> None:
    """Each row must be one flat object."""
    (tmp_path / "new.json").write_text(text)
    source(project, f'source = "file"\npath = "{tmp_path / "new.json"}"')
    with pytest.raises(DataUnreadable, match="JSON"):
        fetch_rows(project)


@dataclass
class FakeServer:
    """A server with fixed responses, which records its requests.

    Attributes:
        address: URL of the server.
        responses: Next responses (status, headers, body); the last one is repeated.
        requests: Path and authorization of each request.
    """

    address: str
    responses: list[tuple[int, dict[str, str], bytes]]
    requests: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """Yield a running server."""
    monkeypatch.setattr(http_source, "WAIT", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    fake = FakeServer("", [(200, {}, NEW.to_csv(index=False).encode())])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.requests.append((self.path, self.headers["Authorization"]))
            status, headers, content = fake.responses.pop(0) if len(fake.responses) > 1 else fake.responses[0]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http_server.serve_forever, args=(0.02,), daemon=True).start()
    fake.address = f"http://127.0.0.1:{http_server.server_port}"
    yield fake
    http_server.shutdown()
    http_server.server_close()


def test_a_request_has_the_token(project: Project, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without INGEST_TOKEN the request has none."""
    source(project, f'source = "http"\npath = "{server.address}/new.csv?since=1"')
    fetch_rows(project)
    monkeypatch.setenv("INGEST_TOKEN", "s3cret-token")
    result = project.must("ingest", "--local")
    assert server.requests == [("/new.csv?since=1", None), ("/new.csv?since=1", "Bearer s3cret-token")]
    assert "s3cret" not in result.out + result.err + read_body(project)
    assert len(read_proposed(project)) == 540


def test_a_temporary_failure_is_retried(project: Project, server: FakeServer) -> None:
    """Rate limits, gateway errors and incomplete responses are temporary."""
    whole = server.responses[0]
    cut = (200, {"Content-Length": str(len(whole[2]) + 5), "Connection": "close"}, whole[2])
    server.responses[:] = [(503, {}, b""), (429, {}, b""), cut, whole]
    source(project, f'source = "http"\npath = "{server.address}/new.csv"')
    assert len(fetch_rows(project)) == 40
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("response", "message", "requests"),
    [
        ((404, {}, b""), "answers 404", 1),
        ((401, {}, b""), "Check the token", 1),
        ((500, {}, b""), "answers 500", 4),
        ((302, {"Location": "https://127.0.0.1/new.csv"}, b""), "another scheme", 1),
        ((302, {"Location": "file:///etc/passwd"}, b""), "another scheme", 1),
        ((302, {"Location": "/new.csv"}, b""), "redirects more than 5 times", 5),
    ],
)
def test_a_failed_request_is_an_error(
    project: Project, server: FakeServer, response: tuple[int, dict[str, str], bytes], message: str, requests: int
) -> None:
    """Only failures that may be temporary are retried."""
    server.responses[:] = [response]
    source(project, f'source = "http"\npath = "{server.address}/new.csv"')
    refused = project.gitops("ingest")
    assert refused.code == 5
    assert message in refused.err
    assert len(server.requests) == requests


def test_another_host_does_not_get_the_token(
    project: Project, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirect to another host is followed without the token."""
    monkeypatch.setenv("INGEST_TOKEN", "s3cret-token")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    other = server.address.replace("127.0.0.1", "localhost")
    server.responses[:] = [(302, {"Location": f"{other}/other.csv"}, b""), server.responses[0]]
    source(project, f'source = "http"\npath = "{server.address}/new.csv"')
    assert len(fetch_rows(project)) == 40
    assert server.requests == [("/new.csv", "Bearer s3cret-token"), ("/other.csv", None)]


def test_a_response_that_is_too_large_is_refused(project: Project, server: FakeServer) -> None:
    """`max_mib` limits the bytes that are read, whatever the header says."""
    server.responses[:] = [(200, {}, b"x" * (2 * 2**20))]
    source(project, f'source = "http"\npath = "{server.address}/new.csv"')
    project.edit("model.toml", 'key = "id"', 'key = "id"\nmax_mib = 1')
    refused = project.gitops("ingest")
    assert refused.code == 5
    assert "larger than the 1 MiB" in refused.err


@pytest.fixture
def database(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project whose new rows are in a SQLite database."""
    address = f"sqlite:///{tmp_path / 'new.db'}"
    monkeypatch.setenv("INGEST_URL", address)
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        NEW.assign(count=NEW["count"].astype(float)).to_sql("new", connection, index=False)
    engine.dispose()
    return source(project, 'source = "sql"\nquery = "SELECT * FROM new"')


def test_rows_of_a_query_are_ingested(database: Project) -> None:
    """Whole numbers that the database returns as floats are written as in the data."""
    database.must("ingest", "--local")
    shown = read_proposed(database)
    assert len(shown) == 540
    assert shown["count"].dtype == "int64"
    database.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    assert "needs labels" in database.must("ingest", "--local").out


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("FROM new", "FROM nowhere", "The query failed: no such table"),
        ("FROM new", "FROM new WHERE 0", "needs labels"),
        ("[ingest]", "[ingest]\nmax_rows = 39", "more than the 39 rows"),
    ],
)
def test_a_query_without_usable_rows(database: Project, old: str, new: str, message: str) -> None:
    """The query fails, has no rows, or has too many rows."""
    database.edit("model.toml", old, new)
    result = database.gitops("ingest")
    assert message in result.out + result.err
    assert result.code == (0 if message == "needs labels" else 5)


def write_log(project: Project, predictions: pd.DataFrame, *outcomes: pd.DataFrame) -> None:
    """Write a prediction log like a server."""
    for table, parts in {prediction_log.PREDICTIONS: [predictions], prediction_log.OUTCOMES: outcomes}.items():
        folder = project.root / ".gitops" / "log" / table / f"{prediction_log.DAY_PREFIX}2026-11-2{len(parts)}"
        folder.mkdir(parents=True, exist_ok=True)
        for part in parts:
            part.to_parquet(folder / f"w-{len(list(folder.iterdir()))}.parquet", index=False)


def make_predictions(number: int = 30) -> pd.DataFrame:
    """Return logged predictions, with two rows in each request."""
    features = make_rows(number, seed=2).drop(columns=["id", "label"])
    columns = {
        prediction_log.REQUEST: [f"q{index // 2}" for index in range(number)],
        prediction_log.ROW: [index % 2 for index in range(number)],
        prediction_log.TIME: pd.Timestamp("2026-11-20", tz="UTC"), prediction_log.VERSION: "1",
        prediction_log.PREDICTION: "no", prediction_log.MONITORED: 0.2,
    }  # fmt: skip
    return pd.concat([pd.DataFrame(columns), features], axis=1)


def make_outcome(request: str, row: int, value: object, minute: int = 0) -> pd.DataFrame:
    """Return one logged outcome."""
    when = pd.Timestamp("2026-11-21", tz="UTC") + pd.Timedelta(minutes=minute)
    return pd.DataFrame(
        [
            {
                prediction_log.REQUEST: request,
                prediction_log.ROW: row,
                prediction_log.OUTCOME: value,
                prediction_log.TIME: when,
            }
        ]
    )


OUTCOME_SOURCE = 'source = "outcomes"\n[log]\nsink = ".gitops/log"'


def test_predictions_with_outcomes_become_rows(project: Project) -> None:
    """They are joined by request and row; the latest outcome counts; the body has the number of unmatched outcomes."""
    write_log(
        project, make_predictions(), make_outcome("q1", 0, "no", 5), make_outcome("q1", 0, "yes", 9),
        make_outcome("q1", 0, "no", 7), make_outcome("q3", 1, "no"), make_outcome("q99", 0, "yes"),
    )  # fmt: skip
    source(project, OUTCOME_SOURCE).must("ingest", "--local")
    added = read_proposed(project).tail(2).set_index("id")
    assert added["label"].to_dict() == {"q1-0": "yes", "q3-1": "no"}
    assert added["x1"].tolist() == make_predictions()["x1"].iloc[[2, 7]].tolist()
    assert list(read_proposed(project).columns) == list(make_rows(1).columns)
    assert "1 of 3 outcomes belong to no logged prediction" in read_body(project)


def test_without_outcomes_the_output_says_how_to_send_them(project: Project) -> None:
    """Predictions without outcomes are no training data."""
    write_log(project, make_predictions())
    assert "needs labels: the log has no outcome" in source(project, OUTCOME_SOURCE).must("ingest").out


def test_outcomes_without_predictions_are_counted(project: Project) -> None:
    """The outcomes may be of predictions that were not sampled for the log."""
    write_log(project, make_predictions(), make_outcome("q99", 0, "yes"))
    out = source(project, OUTCOME_SOURCE).must("ingest").out
    assert "needs labels" in out
    assert "1 of 1 outcomes belong to no logged prediction" in out


@pytest.mark.parametrize(("key", "columns"), [("left_out", '["x1", "gone"]'), ("hashed", '["kind"]')])
def test_rows_without_columns_of_the_schema_are_refused(project: Project, key: str, columns: str) -> None:
    """The message names only the columns that the schema requires."""
    write_log(project, make_predictions(), make_outcome("q1", 0, "no"))
    refused = source(project, f"{OUTCOME_SOURCE}\n{key} = {columns}").gitops("ingest", "--local")
    assert refused.code == 3
    assert f"leaves out or hashes {'x1' if key == 'left_out' else 'kind'}, which schema.py requires" in refused.err


def test_a_column_that_the_schema_does_not_have_may_be_left_out(project: Project) -> None:
    """It is not used for training."""
    write_log(project, make_predictions(), make_outcome("q1", 0, "no"))
    source(project, f'{OUTCOME_SOURCE}\nleft_out = ["name"]').must("ingest", "--local")


def test_a_numeric_key_is_refused_for_logged_rows(project: Project) -> None:
    """The message says what to change."""
    write_log(project, make_predictions(), make_outcome("q1", 0, "no"))
    project.edit("src/sample/schema.py", "id: str", "id: int")
    project.write_data(make_rows().assign(id=range(500)))
    refused = source(project, OUTCOME_SOURCE).gitops("ingest", "--local")
    assert refused.code == 3
    assert "Make 'id' text in schema.py" in refused.err


@pytest.mark.parametrize(("value", "dtype", "label"), [("True", "bool", True), ("3", "int", 3), (2.5, "float", 2.5)])
def test_an_outcome_gets_the_type_of_the_target(project: Project, value: object, dtype: str, label: float) -> None:
    """ "False" is text, and text that is not empty would be true."""
    write_log(
        project,
        make_predictions(),
        make_outcome("q1", 0, value),
        make_outcome("q1", 1, "False" if dtype == "bool" else value),
    )
    project.edit("src/sample/schema.py", 'label: str = pa.Field(isin=["yes", "no"])', f"label: {dtype}")
    project.edit("model.toml", 'positive = "yes"\n', "")
    if dtype == "float":
        project.edit("model.toml", 'task = "classification"', 'task = "regression"')
        project.edit("model.toml", 'metric = "roc_auc"', 'metric = "r2"')
        project.edit("model.toml", "roc_auc = 0.6", "r2 = 0.1")
    project.write_data(make_rows().assign(label=[label, *[type(label)(0)] * 499]))
    source(project, OUTCOME_SOURCE).must("ingest", "--local")
    labels = read_proposed(project)["label"].tolist()[-2:]
    assert labels == [label, False if dtype == "bool" else label]


def test_a_damaged_file_of_the_log_is_left_out(project: Project) -> None:
    """The body names it, and the other rows are proposed."""
    write_log(project, make_predictions(), make_outcome("q1", 0, "no"))
    (folder,) = (project.root / ".gitops" / "log" / "predictions").iterdir()
    (folder / "torn.parquet").write_bytes(b"PAR1")
    source(project, OUTCOME_SOURCE).must("ingest", "--local")
    assert read_proposed(project).tail(1)["id"].tolist() == ["q1-0"]
    assert "torn.parquet of the log cannot be read, and was left out." in read_body(project)


def test_a_missing_log_is_an_error(project: Project) -> None:
    """On a machine without the log, it is unknown whether there are outcomes."""
    refused = source(project, OUTCOME_SOURCE).gitops("ingest")
    assert refused.code == 5
    assert "There is no folder .gitops/log on this machine" in refused.err


def test_rows_with_the_same_request_id_are_left_out(project: Project) -> None:
    """If callers use one id for several requests, it is unknown to which row an outcome belongs."""
    write_log(project, make_predictions(), make_outcome("q1", 0, "no"), make_outcome("q3", 1, "no"))
    write_log(project, make_predictions().assign(x1=9.0).head(3))
    source(project, OUTCOME_SOURCE).must("ingest", "--local")
    assert read_proposed(project).tail(1)["id"].tolist() == ["q3-1"]
    assert "1 of 2 outcomes belong to several rows with the same request id and row number" in read_body(project)


def test_an_outcome_corrected_after_the_merge_does_not_stop_the_ingestion(project: Project) -> None:
    """The merged row is not changed, the body names it, and other rows are proposed."""
    write_log(project, make_predictions(), make_outcome("q1", 0, "no"))
    source(project, OUTCOME_SOURCE).must("ingest", "--local")
    project.git("merge", "--quiet", "--no-ff", "--no-edit", "data/ingest")
    write_log(project, make_predictions().head(0), make_outcome("q1", 0, "yes", 9), make_outcome("q3", 1, "no"))
    project.must("ingest", "--local")
    assert read_proposed(project).tail(2).set_index("id")["label"].to_dict() == {"q1-0": "no", "q3-1": "no"}
    assert "row(s) have other values than the row with the same key in the data, which is kept: 'q1-0'" in read_body(
        project
    )


def test_a_dialect_is_detected_from_the_lines(tmp_path: Path) -> None:
    """The file has quotes in quotes, and a last line without an end."""
    (tmp_path / "a.csv").write_text('a;b\n"x;""y""";1\nz;2')
    dialect = detect_dialect(tmp_path / "a.csv", ";")
    assert (dialect.quoting, dialect.terminator) == (0, "\n")
