"""`gitops ingest`: every source for real, and what becomes of rows that are new, known, contradictory or hostile."""

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

from gitops_ml import config, logged
from gitops_ml.errors import DataUnreadable, IntegrityError
from gitops_ml.forge.ingestion import render
from gitops_ml.ingesting import http
from gitops_ml.ingesting.additive import insist_on_additions
from gitops_ml.ingesting.dialect import dialect_of
from gitops_ml.ingesting.pull import pull
from gitops_ml.manifest import seal
from unit.sample import Project, rows

BRANCH = "data/ingest"
DATA = "data/rows.csv"
NEW = rows(40, seed=1, first=501)


def source(project: Project, text: str) -> Project:
    """Let model.toml name a source, and commit."""
    project.write("model.toml", (project.root / "model.toml").read_text() + f"\n[ingest]\n{text}\n")
    project.commit("a source")
    return project


@pytest.fixture
def filed(project: Project) -> Project:
    """A project whose new rows lie in a file that Git does not see."""
    (project.root / ".gitops").mkdir(exist_ok=True)
    NEW.to_csv(project.root / ".gitops" / "new.csv", index=False)
    return source(project, 'source = "file"\npath = ".gitops/new.csv"')


def arrive(project: Project, frame: pd.DataFrame) -> None:
    """Replace what the file of the source holds."""
    frame.to_csv(project.root / ".gitops" / "new.csv", index=False)


def proposed(project: Project, path: str = DATA) -> pd.DataFrame:
    """The data as the branch has it."""
    text = project.git("show", f"{BRANCH}:{path}")
    (project.root / ".gitops" / "shown.csv").write_text(text)
    return pd.read_csv(project.root / ".gitops" / "shown.csv")


def body(project: Project) -> str:
    """What a reviewer would read."""
    return (project.root / ".gitops" / "ingestion" / "body.md").read_text(encoding="utf-8")


def only_adds(project: Project) -> bool:
    """Whether the branch takes nothing away."""
    counts = project.git("diff", "--numstat", f"main...{BRANCH}").split()
    return counts[1] == "0" and int(counts[0]) > 0


def test_new_rows_are_proposed_on_a_branch_that_only_adds(filed: Project) -> None:
    """One file, one commit on top of main, no line of main touched; the person's own files stay as they are."""
    told = filed.must("ingest", "--local")
    assert f"branch {BRANCH} adds 40 row(s)" in told.out
    assert filed.git("diff", "--name-only", f"main...{BRANCH}") == DATA
    assert only_adds(filed)
    assert filed.git("status", "--porcelain") == ""
    assert len(proposed(filed)) == 540
    assert filed.git("log", "-1", "--format=%s", BRANCH) == f"Add 40 rows to {DATA}"


def test_twice_is_once(filed: Project) -> None:
    """The branch stays at its commit; after the merge there is nothing new, and what is missing is said."""
    filed.must("ingest", "--local")
    tip = filed.git("rev-parse", BRANCH)
    assert "Nothing to do" in filed.must("ingest", "--local").out
    assert filed.git("rev-parse", BRANCH) == tip
    filed.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    told = filed.must("ingest", "--local")
    assert "needs labels: all 40 row(s) of the file .gitops/new.csv are in the data already" in told.out
    assert filed.git("rev-parse", BRANCH) == tip


def test_known_rows_are_skipped_and_counted(filed: Project) -> None:
    """A source that always gives everything is as good as one that gives what is new."""
    arrive(filed, pd.concat([rows(), NEW]))
    filed.must("ingest", "--local")
    assert len(proposed(filed)) == 540
    assert "500 rows of it are here already" in body(filed)


def test_a_known_key_with_other_content_is_refused(filed: Project) -> None:
    """The sentence names the rows and their columns, and no value; nothing is proposed."""
    changed = rows().head(7).assign(x1=9.5, label="yes")
    arrive(filed, pd.concat([changed, NEW]))
    refused = filed.gitops("ingest", "--local")
    assert refused.code == 4
    assert "7 new row(s) have a key that is here with other content: 'r00001' (x1" in refused.err
    assert "and 2 more" in refused.err
    assert "9.5" not in refused.err
    assert "A new observation needs a new key" in refused.err
    assert filed.git("branch", "--list", BRANCH) == ""


def test_a_key_that_repeats_among_the_new_rows_is_refused(filed: Project) -> None:
    """Even with the same content: nobody knows which was meant."""
    arrive(filed, pd.concat([NEW, NEW.head(1)]))
    refused = filed.gitops("ingest", "--local")
    assert refused.code == 4
    assert "must be unique" in refused.out


def test_all_problems_of_the_new_rows_are_listed_at_once(filed: Project) -> None:
    """As `validate` lists them, with file and line; exit code 4, and nothing is proposed."""
    bad = NEW.astype(object)
    bad.loc[0, "x2"], bad.loc[1, "count"], bad.loc[2, "kind"], bad.loc[3, "label"] = 99.0, "many", "z", None
    arrive(filed, bad.drop(columns="note").assign(extra=1))
    refused = filed.gitops("ingest", "--local")
    assert refused.code == 4
    for said in ("x2", "'many' in rows.csv row 3", "kind", "must not be missing", "column is missing", "extra"):
        assert said in refused.out
    assert filed.git("branch", "--list", BRANCH) == ""


def test_a_reviewer_reads_what_the_rows_do(filed: Project) -> None:
    """Rows, balance, holdout, shifts, gaps, twins; every cell of the table is there."""
    twin = NEW.iloc[[0]].assign(id="r99999")
    arrive(filed, pd.concat([NEW.assign(x1=NEW["x1"] + 3), twin.assign(x1=twin["x1"] + 3)]))
    filed.must("ingest", "--local")
    text = body(filed)
    assert text.startswith("## 41 new rows for data/rows.csv\n\nFrom the file .gitops/new.csv.")
    for said in ("| rows ", "| 500 ", "| 541 ", "held out by the split", "target: no", "target: yes"):
        assert said in text
    assert "How the new rows differ: more than chance in x1" in text
    assert "Values are missing in 1 column" in text
    assert "**2 new rows** repeat the content of another row under another key" in text
    assert "There is no champion yet" in text
    assert len(text) < 60_000


def test_the_champion_is_asked_about_the_new_rows(at_stage: Callable[[str], Project]) -> None:
    """Its metric with an interval, how often the truth contradicts it, and examples that show key and answers alone."""
    project = at_stage("promoted")
    (project.root / ".gitops" / "new.csv").write_text(NEW.to_csv(index=False))
    source(project, 'source = "file"\npath = ".gitops/new.csv"').must("ingest", "--local")
    said = json.loads((project.root / ".gitops" / "ingestion" / "ingestion.json").read_text())["answers"]
    assert said["low"] <= said["value"] <= said["high"]
    assert (said["version"], said["rows"], said["unknown"]) == ("1", 40, None)
    assert 0 < said["wrong"] < 40
    assert set(said["examples"][0]) == {"key", "said", "truth", "probability"}
    assert f"contradicts {said['wrong']} of its 40 predictions" in body(project)


def test_a_champion_that_cannot_answer_hinders_nothing(at_stage: Callable[[str], Project]) -> None:
    """Its code is gone: the body says so."""
    project = at_stage("promoted")
    (project.root / ".gitops" / "new.csv").write_text(NEW.drop(columns="count").to_csv(index=False))
    project.edit("src/sample/schema.py", "    count: int = pa.Field(ge=0)\n", "")
    project.data(rows().drop(columns="count"))
    source(project, 'source = "file"\npath = ".gitops/new.csv"').must("ingest", "--local")
    assert "could not be asked about these rows: Version 1 needs the column 'count'" in body(project)


def test_a_body_that_would_be_too_long_is_cut_between_lines() -> None:
    """Under GitHub's limit, with nothing folded that is not closed, and the end is there."""
    does = {"rows_before": 1, "rows_added": 1, "held_out_before": 0, "held_out_added": 0, "target": [], "shifts": [],
            "gaps": [], "twins": 0, "twins_across": 0,
            "columns": {f"{'column' * 12}{n}": "float64" for n in range(2000)}}  # fmt: skip
    text = render({"rows": 1, "path": "a", "source": "b", "known": 0, "notes": [], "answers": None, "does": does})
    assert len(text) < 60_000
    assert text.count("<details>") == text.count("</details>")
    assert "did not fit" in text
    assert text.rstrip().endswith("is refreshed.")


def test_hostile_text_stays_text(filed: Project) -> None:
    """Commas, quotes, line ends and formulas survive the CSV; markup, mentions and addresses die in the body."""
    filed.edit("src/sample/schema.py", 'kind: str = pa.Field(isin=["a", "b", "c"])', "kind: str")
    filed.commit("any kind")
    evil = ["@everyone <img src=x>", 'a,b "quoted"', "two\nlines", "=cmd()", "</details> [x](https://evil.example)"]
    hostile = NEW.head(5).assign(kind=evil, id=["</details>@a|b", "k,2", 'k"3', "::error::x", "k`5"])
    arrive(filed, pd.concat([hostile, hostile.assign(id=[f"t{n}" for n in range(5)])]))
    filed.must("ingest", "--local")
    shown = proposed(filed).set_index("id")
    assert shown.loc[hostile["id"], "kind"].tolist() == evil
    assert "<img" not in body(filed)
    assert "](https://evil" not in body(filed)
    filed.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    assert "needs labels" in filed.must("ingest", "--local").out


def test_text_that_a_csv_cannot_hold_is_refused(project: Project) -> None:
    """It would be read as missing, and contradict itself with the next run."""
    project.edit(
        "src/sample/schema.py", 'kind: str = pa.Field(isin=["a", "b", "c"])', "kind: str = pa.Field(nullable=True)"
    )
    (project.root / ".gitops").mkdir()
    NEW.assign(kind=["NA", *NEW["kind"][1:]]).to_parquet(project.root / ".gitops" / "new.parquet")
    refused = source(project, 'source = "file"\npath = ".gitops/new.parquet"').gitops("ingest", "--local")
    assert refused.code == 4
    assert "A CSV cannot hold 'NA' in the column 'kind'" in refused.err


@pytest.mark.parametrize(
    ("name", "text"),
    {
        "crlf": rows(60).to_csv(index=False, lineterminator="\r\n"),
        "no-end": rows(60).to_csv(index=False).rstrip("\n"),
        "all-quoted": rows(60).to_csv(index=False, quoting=1),
        "texts-quoted": rows(60).assign(note=1.5).to_csv(index=False, quoting=2),
        "marked": "\ufeff" + rows(60).to_csv(index=False),
        "other-order": rows(60)[["label", "note", "kind", "count", "x2", "x1", "id"]].to_csv(index=False),
    }.items(),
    ids=lambda value: value if len(value) < 20 else "",
)  # fmt: skip
def test_lines_look_like_those_that_are_there(filed: Project, name: str, text: str) -> None:
    """Line ends, quotes and order of columns are the file's own; what was there is there, byte for byte."""
    (filed.root / DATA).write_bytes(text.encode())
    filed.git("-c", "core.autocrlf=false", "add", "--all")
    filed.write(".gitattributes", "* -text\n")
    filed.commit(name)
    filed.must("ingest", "--local")
    after = (filed.root / ".gitops" / "ingestion" / "file").read_bytes().decode()
    assert after.startswith(text)
    old, new = text.splitlines(keepends=True)[1], after.splitlines(keepends=True)[-1]
    assert old.count('"') == new.count('"')
    assert new.endswith("\r\n" if name == "crlf" else "\n")
    assert ("\r" in new) == (name == "crlf")
    assert len(after.splitlines()) == 101


def test_the_delimiter_is_the_datas_whatever_the_sources(filed: Project) -> None:
    """The source is cut by commas, the data by semicolons; and the other way around."""
    filed.edit("model.toml", 'key = "id"', 'key = "id"\ndelimiter = ";"')
    rows().to_csv(filed.root / DATA, index=False, sep=";")
    filed.commit("semicolons")
    filed.must("ingest", "--local")
    assert filed.git("show", f"{BRANCH}:{DATA}").splitlines()[-1].count(";") == 6
    assert only_adds(filed)


def test_a_file_without_the_header_of_the_data_is_refused(filed: Project) -> None:
    """A column that the schema does not ask for, and the file has."""
    filed.edit("src/sample/schema.py", "        strict = True\n", "")
    filed.data(rows().assign(ward="north"))
    filed.commit("a ward")
    refused = filed.gitops("ingest", "--local")
    assert refused.code == 4
    assert "The new rows lack 'ward', which rows.csv has" in refused.err


def parquet(project: Project, pattern: str) -> Project:
    """Let the data be Parquet."""
    (project.root / DATA).unlink()
    rows(300).to_parquet(project.root / "data" / "one.parquet", index=False)
    project.edit("model.toml", DATA, pattern)
    project.commit("Parquet")
    return project


def test_parquet_gets_rows_at_its_end(filed: Project) -> None:
    """Types and order stay, although the source is a CSV."""
    parquet(filed, "data/one.parquet").must("ingest", "--local")
    after = pd.read_parquet(filed.root / ".gitops" / "ingestion" / "file")
    pd.testing.assert_frame_equal(after.head(300), rows(300), check_dtype=False)
    assert after["id"].tolist()[300:] == NEW["id"].tolist()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_beside_several_files_comes_a_new_one(filed: Project, kind: str) -> None:
    """Its name depends on the rows alone, so the same rows make the same file."""
    if kind == "csv":
        filed.edit("model.toml", DATA, "data/*.csv")
        filed.commit("a glob")
    else:
        parquet(filed, "data/*.parquet")
    filed.must("ingest", "--local")
    name = filed.git("diff", "--name-only", f"main...{BRANCH}")
    assert name.startswith("data/ingested-")
    assert name.endswith(f".{kind}")
    filed.git("branch", "--quiet", "-D", BRANCH)
    arrive(filed, NEW.sample(frac=1, random_state=3))
    filed.must("ingest", "--local")
    assert filed.git("diff", "--name-only", f"main...{BRANCH}") == name
    filed.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    assert "needs labels" in filed.must("ingest", "--local").out
    filed.must("validate")


def test_a_glob_that_would_not_read_the_new_file_is_refused(filed: Project) -> None:
    """Rows that nobody reads would train nothing."""
    filed.edit("model.toml", DATA, "data/row*.csv")
    filed.commit("a glob")
    refused = filed.gitops("ingest", "--local")
    assert refused.code == 3
    assert "does not match" in refused.err
    assert "data/*.csv" in refused.err


def test_rows_of_a_query_belong_into_its_database(filed: Project) -> None:
    """There is no file that a pull request could change."""
    filed.edit("model.toml", f'path = "{DATA}"', 'query = "SELECT 1"')
    refused = filed.gitops("ingest", "--local")
    assert refused.code == 3
    assert "new rows belong into that database" in refused.err


def test_without_a_source_it_says_how_to_name_one(project: Project) -> None:
    """No error: nobody asked for new rows."""
    assert "names no source of new rows" in project.must("ingest").out


def test_without_a_row_it_says_what_is_needed(filed: Project) -> None:
    """A header alone is an answer; an empty file is a broken export."""
    arrive(filed, NEW.head(0))
    assert "needs labels: the source the file .gitops/new.csv has no rows" in filed.must("ingest").out
    (filed.root / ".gitops" / "new.csv").write_text("")
    assert filed.gitops("ingest").code == 5


def test_more_rows_than_allowed_are_refused(filed: Project) -> None:
    """`max_rows` is about what is added, not about what the source has."""
    filed.edit("model.toml", "[ingest]\n", "[ingest]\nmax_rows = 39\n")
    filed.commit("fewer")
    arrive(filed, pd.concat([rows(), NEW.head(39)]))
    filed.must("ingest", "--local")
    arrive(filed, NEW)
    assert filed.gitops("ingest", "--local").code == 4


def test_data_that_is_not_mains_is_not_appended_to(filed: Project) -> None:
    """The pull request would carry somebody's unfinished work."""
    filed.data(rows(499))
    refused = filed.gitops("ingest", "--local")
    assert refused.code == 3
    assert "is not main's" in refused.err


def test_what_only_the_whole_breaks_is_found(filed: Project) -> None:
    """A value that may not repeat, and does so across old and new rows."""
    filed.edit("src/sample/schema.py", "x1: float", "x1: float = pa.Field(unique=True)")
    first = rows(300, seed=5).drop_duplicates("x1")
    filed.data(first)
    filed.commit("unique")
    arrive(filed, NEW.drop_duplicates("x1").iloc[:5].assign(x1=[*first["x1"].head(1), 7.1, 7.2, 7.3, 7.4]))
    refused = filed.gitops("ingest", "--local")
    assert refused.code == 4
    assert "rows of the data with the new rows" in refused.err


# The jobs of the workflow.


def test_each_stage_takes_what_the_one_before_left(filed: Project) -> None:
    """Handed on by digest, as the jobs do; where nothing is to be added, no digest comes out."""
    pulled = filed.must("ingest", "--stage", "pull").outputs["pulled"]
    made = filed.must("ingest", "--stage", "check", "--digest", pulled).outputs["ingestion"]
    assert "adds 40 row(s)" in filed.must("ingest", "--stage", "offer", "--digest", made, "--local").out
    filed.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    assert filed.must("ingest", "--stage", "check", "--digest", pulled).outputs["ingestion"] == ""


@pytest.mark.parametrize(("stage", "file"), [("check", "pulled/rows.csv"), ("offer", "ingestion/file")])
def test_an_artefact_that_was_changed_is_not_opened(filed: Project, stage: str, file: str) -> None:
    """The digest came as a job's output; the file did not."""
    outputs = filed.must("ingest", "--stage", "pull").outputs
    outputs |= filed.must("ingest", "--stage", "check", "--digest", outputs["pulled"]).outputs
    with (filed.root / ".gitops" / file).open("a") as stream:
        stream.write("r77777,1,1,1,a,,yes\n")
    digest = outputs["pulled" if stage == "check" else "ingestion"]
    assert filed.gitops("ingest", "--stage", stage, "--digest", digest, "--local").code == 11


def test_a_job_takes_no_digest_from_beside_the_files(filed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person may; a job whose output was empty may not."""
    filed.must("ingest", "--stage", "pull")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    filed.git("update-ref", "refs/remotes/origin/main", "main")
    monkeypatch.setattr("gitops_ml.git.refresh", lambda root: None)
    assert filed.gitops("ingest", "--stage", "check").code == 3


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
def test_the_pen_writes_additions_alone(
    project: Project, tmp_path: Path, path: str, change: Callable[[str], str]
) -> None:
    """Whatever your code left in the artefact, what is here stays, and no other file is written."""
    made = tmp_path / "made"
    made.write_text(change((project.root / DATA).read_text()))
    with pytest.raises(IntegrityError, match="is not an addition"):
        insist_on_additions(config.find(project.root), path, made)


def test_no_other_file_is_written_beside_several(project: Project, tmp_path: Path) -> None:
    """A new file must have our name, and must not be there."""
    project.edit("model.toml", DATA, "data/*.csv")
    made = tmp_path / "made"
    made.write_text("a,b\n1,2\n")
    insist_on_additions(config.find(project.root), "data/ingested-0123456789ab.csv", made)
    for path in (
        "data/rows.csv",
        "data/other.csv",
        "src/ingested-0123456789ab.csv",
        "data/../ingested-0123456789ab.csv",
    ):
        with pytest.raises(IntegrityError):
            insist_on_additions(config.find(project.root), path, made)


def test_parquet_is_told_by_its_rows(filed: Project, tmp_path: Path) -> None:
    """A file that holds the old rows and more may pass, one with another value may not."""
    parquet(filed, "data/one.parquet")
    repository, made = config.find(filed.root), tmp_path / "made"
    pd.concat([rows(300), NEW]).to_parquet(made, index=False)
    insist_on_additions(repository, "data/one.parquet", made)
    pd.concat([rows(300).assign(x1=0.0), NEW]).to_parquet(made, index=False)
    with pytest.raises(IntegrityError):
        insist_on_additions(repository, "data/one.parquet", made)


# Sources.


def fetched(project: Project) -> pd.DataFrame:
    """What a source gave."""
    folder = project.root / ".gitops" / "pulled"
    got, digest = pull(config.find(project.root), folder)
    assert seal(folder) == digest
    assert got.file
    read = pd.read_parquet if got.file.endswith("parquet") else pd.read_csv
    return read(folder / got.file)


@pytest.mark.parametrize("name", ["new.csv", "new.csv.gz", "new.parquet", "new.json", "new.jsonl"])
def test_a_file_of_any_form_gives_the_same_rows(project: Project, tmp_path: Path, name: str) -> None:
    """A form is known by its name; JSON as a list, or an object in each line."""
    file = tmp_path / name
    if "csv" in name:
        NEW.to_csv(file, index=False)
    elif "parquet" in name:
        NEW.to_parquet(file, index=False)
    else:
        NEW.to_json(file, orient="records", lines=name.endswith("l"))
    source(project, f'source = "file"\npath = "{file}"')
    pd.testing.assert_frame_equal(fetched(project), NEW, check_dtype=False)
    project.must("ingest", "--local")
    assert only_adds(project)


def test_a_file_may_lie_wherever_fsspec_reaches(project: Project) -> None:
    """Here in memory; a bucket is the same with its package."""
    with fsspec.open("memory://bucket/new.csv", "wt") as stream:
        NEW.to_csv(stream, index=False)
    source(project, 'source = "file"\npath = "memory://bucket/new.csv"').must("ingest", "--local")
    assert len(proposed(project)) == 540


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('source = "file"\npath = "nowhere.csv"', 5, "There is no file at nowhere.csv"),
        ('source = "file"\npath = "s3://bucket/new.csv"', 3, "needs a package that is not installed"),
        ('source = "file"\npath = "odd://bucket/new.csv"', 5, "cannot be read"),
        ('source = "file"\npath = "new.xlsx"', 3, "does not say in which format"),
        ('source = "file"\npath = "https://example.com/new.csv"', 3, 'source = "http"'),
        ('source = "http"\npath = "ftp://example.com/new.csv"', 3, "needs an address"),
        ('source = "sql"\nquery = "SELECT 1"', 3, "the environment variable INGEST_URL is not set"),
    ],
)
def test_a_source_that_cannot_be_had_is_a_sentence(project: Project, text: str, code: int, said: str) -> None:
    """Exit code 3 where model.toml can be mended, 5 where the source must be."""
    refused = source(project, text).gitops("ingest")
    assert refused.code == code, refused.err
    assert said in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.parametrize("text", ["{", "[1, 2]", '[{"id": {"deep": 1}}]', "\u00e9"])
def test_json_that_is_no_rows_is_a_sentence(project: Project, tmp_path: Path, text: str) -> None:
    """Each row is one flat object."""
    (tmp_path / "new.json").write_text(text)
    source(project, f'source = "file"\npath = "{tmp_path / "new.json"}"')
    with pytest.raises(DataUnreadable, match="JSON"):
        fetched(project)


@dataclass
class Web:
    """A server that answers as it was told, and remembers what it was asked with.

    Attributes:
        address: Where.
        answers: What it says next, one after another, the last one for ever: status, headers, body.
        asked: The path and the bearer of each request.
    """

    address: str
    answers: list[tuple[int, dict[str, str], bytes]]
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A real server of the standard library."""
    monkeypatch.setattr(http, "WAIT", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    told = Web("", [(200, {}, NEW.to_csv(index=False).encode())])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append((self.path, self.headers["Authorization"]))
            status, headers, content = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Quietly."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    told.address = f"http://127.0.0.1:{server.server_port}"
    yield told
    server.shutdown()
    server.server_close()


def test_an_address_is_asked_with_its_token(project: Project, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """And without one where there is none."""
    source(project, f'source = "http"\npath = "{web.address}/new.csv?since=1"')
    fetched(project)
    monkeypatch.setenv("INGEST_TOKEN", "s3cret-token")
    told = project.must("ingest", "--local")
    assert web.asked == [("/new.csv?since=1", None), ("/new.csv?since=1", "Bearer s3cret-token")]
    assert "s3cret" not in told.out + told.err + body(project)
    assert len(proposed(project)) == 540


def test_an_answer_that_fails_on_the_way_is_asked_for_again(project: Project, web: Web) -> None:
    """Limits, bad gateways and cut-off answers pass."""
    whole = web.answers[0]
    cut = (200, {"Content-Length": str(len(whole[2]) + 5), "Connection": "close"}, whole[2])
    web.answers[:] = [(503, {}, b""), (429, {}, b""), cut, whole]
    source(project, f'source = "http"\npath = "{web.address}/new.csv"')
    assert len(fetched(project)) == 40
    assert len(web.asked) == 4


@pytest.mark.parametrize(
    ("answer", "said", "asked"),
    [
        ((404, {}, b""), "answers 404", 1),
        ((401, {}, b""), "Check the token", 1),
        ((500, {}, b""), "answers 500", 4),
        ((302, {"Location": "https://127.0.0.1/new.csv"}, b""), "another scheme", 1),
        ((302, {"Location": "file:///etc/passwd"}, b""), "another scheme", 1),
        ((302, {"Location": "/new.csv"}, b""), "leads on and on", 5),
    ],
)
def test_an_answer_that_is_none_is_a_sentence(
    project: Project, web: Web, answer: tuple[int, dict[str, str], bytes], said: str, asked: int
) -> None:
    """No retry where the answer will stay the same."""
    web.answers[:] = [answer]
    source(project, f'source = "http"\npath = "{web.address}/new.csv"')
    refused = project.gitops("ingest")
    assert refused.code == 5
    assert said in refused.err
    assert len(web.asked) == asked


def test_a_token_does_not_follow_to_another_host(project: Project, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirect within the scheme is followed; whoever it leads to learns nothing."""
    monkeypatch.setenv("INGEST_TOKEN", "s3cret-token")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    there = web.address.replace("127.0.0.1", "localhost")
    web.answers[:] = [(302, {"Location": f"{there}/elsewhere.csv"}, b""), web.answers[0]]
    source(project, f'source = "http"\npath = "{web.address}/new.csv"')
    assert len(fetched(project)) == 40
    assert web.asked == [("/new.csv", "Bearer s3cret-token"), ("/elsewhere.csv", None)]


def test_an_answer_that_does_not_end_is_cut(project: Project, web: Web) -> None:
    """`max_mib` is a limit for what is read, not for what was promised."""
    web.answers[:] = [(200, {}, b"x" * (2 * 2**20))]
    source(project, f'source = "http"\npath = "{web.address}/new.csv"')
    project.edit("model.toml", 'key = "id"', 'key = "id"\nmax_mib = 1')
    refused = project.gitops("ingest")
    assert refused.code == 5
    assert "larger than the 1 MiB" in refused.err


@pytest.fixture
def database(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose new rows lie in SQLite."""
    address = f"sqlite:///{tmp_path / 'new.db'}"
    monkeypatch.setenv("INGEST_URL", address)
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        NEW.assign(count=NEW["count"].astype(float)).to_sql("new", connection, index=False)
    engine.dispose()
    return source(project, 'source = "sql"\nquery = "SELECT * FROM new"')


def test_a_query_is_a_source(database: Project) -> None:
    """Whole numbers that a database gives as floats are written as the data has them."""
    database.must("ingest", "--local")
    shown = proposed(database)
    assert len(shown) == 540
    assert shown["count"].dtype == "int64"
    database.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    assert "needs labels" in database.must("ingest", "--local").out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("FROM new", "FROM nowhere", "The query failed: no such table"),
        ("FROM new", "FROM new WHERE 0", "needs labels"),
        ("[ingest]", "[ingest]\nmax_rows = 39", "more than the 39 rows"),
    ],
)
def test_a_query_that_gives_nothing_good_is_a_sentence(database: Project, old: str, new: str, said: str) -> None:
    """It fails, it is empty, or it is too much."""
    database.edit("model.toml", old, new)
    told = database.gitops("ingest")
    assert said in told.out + told.err
    assert told.code == (0 if said == "needs labels" else 5)


def log(project: Project, predictions: pd.DataFrame, *outcomes: pd.DataFrame) -> None:
    """Write a prediction log as servers do."""
    for what, parts in {logged.PREDICTIONS: [predictions], logged.OUTCOMES: outcomes}.items():
        folder = project.root / ".gitops" / "log" / what / f"{logged.DAY}2026-11-2{len(parts)}"
        folder.mkdir(parents=True, exist_ok=True)
        for part in parts:
            part.to_parquet(folder / f"w-{len(list(folder.iterdir()))}.parquet", index=False)


def predicted(number: int = 30) -> pd.DataFrame:
    """Logged predictions: two rows in each request."""
    seen = rows(number, seed=2).drop(columns=["id", "label"])
    ours = {
        logged.REQUEST: [f"q{place // 2}" for place in range(number)],
        logged.ROW: [place % 2 for place in range(number)],
        logged.TIME: pd.Timestamp("2026-11-20", tz="UTC"), logged.VERSION: "1", logged.PREDICTION: "no",
        logged.WATCHED: 0.2,
    }  # fmt: skip
    return pd.concat([pd.DataFrame(ours), seen], axis=1)


def outcome(request: str, row: int, truth: object, minute: int = 0) -> pd.DataFrame:
    """One truth that was told."""
    when = pd.Timestamp("2026-11-21", tz="UTC") + pd.Timedelta(minutes=minute)
    return pd.DataFrame([{logged.REQUEST: request, logged.ROW: row, logged.OUTCOME: truth, logged.TIME: when}])


LOGGED = 'source = "outcomes"\n[log]\nsink = ".gitops/log"'


def test_outcomes_become_rows(project: Project) -> None:
    """Joined by request and row; the latest outcome wins; an outcome of nothing is counted, and said in the body."""
    log(
        project, predicted(), outcome("q1", 0, "no", 5), outcome("q1", 0, "yes", 9), outcome("q1", 0, "no", 7),
        outcome("q3", 1, "no"), outcome("q99", 0, "yes"),
    )  # fmt: skip
    source(project, LOGGED).must("ingest", "--local")
    added = proposed(project).tail(2).set_index("id")
    assert added["label"].to_dict() == {"q1-0": "yes", "q3-1": "no"}
    assert added["x1"].tolist() == predicted()["x1"].iloc[[2, 7]].tolist()
    assert list(proposed(project).columns) == list(rows(1).columns)
    assert "1 of 3 outcomes belong to no logged prediction" in body(project)


def test_without_outcomes_it_says_how_to_bring_them(project: Project) -> None:
    """Predictions alone teach nothing."""
    log(project, predicted())
    assert "needs labels: nobody has told an outcome" in source(project, LOGGED).must("ingest").out


def test_outcomes_of_unknown_predictions_alone_are_said(project: Project) -> None:
    """Somebody tells the truth about what was not sampled."""
    log(project, predicted(), outcome("q99", 0, "yes"))
    told = source(project, LOGGED).must("ingest").out
    assert "needs labels" in told
    assert "1 of 1 outcomes belong to no logged prediction" in told


@pytest.mark.parametrize(("key", "columns"), [("left_out", '["x1", "gone"]'), ("hashed", '["kind"]')])
def test_rows_that_were_not_logged_whole_cannot_train(project: Project, key: str, columns: str) -> None:
    """The sentence names the columns that the schema asks for, and no other."""
    log(project, predicted(), outcome("q1", 0, "no"))
    refused = source(project, f"{LOGGED}\n{key} = {columns}").gitops("ingest", "--local")
    assert refused.code == 3
    assert f"leaves out or hashes {'x1' if key == 'left_out' else 'kind'}, which schema.py asks for" in refused.err


def test_a_column_that_the_schema_does_not_ask_for_may_be_left_out(project: Project) -> None:
    """It trains nothing anyway."""
    log(project, predicted(), outcome("q1", 0, "no"))
    source(project, f'{LOGGED}\nleft_out = ["name"]').must("ingest", "--local")


def test_a_key_that_is_a_number_cannot_name_logged_rows(project: Project) -> None:
    """The sentence says what to do."""
    log(project, predicted(), outcome("q1", 0, "no"))
    project.edit("src/sample/schema.py", "id: str", "id: int")
    project.data(rows().assign(id=range(500)))
    refused = source(project, LOGGED).gitops("ingest", "--local")
    assert refused.code == 3
    assert "Make 'id' text in schema.py" in refused.err


@pytest.mark.parametrize(("told", "kind", "truth"), [("True", "bool", True), ("3", "int", 3), (2.5, "float", 2.5)])
def test_an_outcome_gets_the_type_of_the_target(project: Project, told: object, kind: str, truth: float) -> None:
    """ "False" is text, and text that is not empty would be true."""
    log(project, predicted(), outcome("q1", 0, told), outcome("q1", 1, "False" if kind == "bool" else told))
    project.edit("src/sample/schema.py", 'label: str = pa.Field(isin=["yes", "no"])', f"label: {kind}")
    project.edit("model.toml", 'positive = "yes"\n', "")
    project.data(rows().assign(label=[truth, *[type(truth)(0)] * 499]))
    source(project, LOGGED).must("ingest", "--local")
    labels = proposed(project)["label"].tolist()[-2:]
    assert labels == [truth, False if kind == "bool" else truth]


def test_a_broken_file_of_the_log_is_passed_over(project: Project) -> None:
    """It is said, and the other rows are offered."""
    log(project, predicted(), outcome("q1", 0, "no"))
    (folder,) = (project.root / ".gitops" / "log" / "predictions").iterdir()
    (folder / "torn.parquet").write_bytes(b"PAR1")
    source(project, LOGGED).must("ingest", "--local")
    assert proposed(project).tail(1)["id"].tolist() == ["q1-0"]
    assert "torn.parquet of the log cannot be read, and was passed over." in body(project)


def test_a_log_that_is_not_here_is_unreadable(project: Project) -> None:
    """On another machine than the servers', silence is no answer."""
    refused = source(project, LOGGED).gitops("ingest")
    assert refused.code == 5
    assert "There is no folder .gitops/log on this machine" in refused.err


def test_a_name_of_several_rows_is_nobodys(project: Project) -> None:
    """Whoever uses a request's id again has no say in what is learnt."""
    log(project, predicted(), outcome("q1", 0, "no"), outcome("q3", 1, "no"))
    log(project, predicted().assign(x1=9.0).head(3))
    source(project, LOGGED).must("ingest", "--local")
    assert proposed(project).tail(1)["id"].tolist() == ["q3-1"]
    assert "1 of 2 outcomes belong to several rows of one name" in body(project)


def test_a_truth_that_was_corrected_after_the_merge_hinders_nothing(project: Project) -> None:
    """The row stays as a person merged it; it is said, and others are offered."""
    log(project, predicted(), outcome("q1", 0, "no"))
    source(project, LOGGED).must("ingest", "--local")
    project.git("merge", "--quiet", "--no-ff", "--no-edit", "data/ingest")
    log(project, predicted().head(0), outcome("q1", 0, "yes", 9), outcome("q3", 1, "no"))
    project.must("ingest", "--local")
    assert proposed(project).tail(2).set_index("id")["label"].to_dict() == {"q1-0": "no", "q3-1": "no"}
    assert "1 row(s) are here with other content and stay as they are: 'q1-0' (label differ)" in body(project)


def test_a_dialect_is_told_by_the_lines(tmp_path: Path) -> None:
    """Quotes within quotes, and a last line that is not whole."""
    (tmp_path / "a.csv").write_text('a;b\n"x;""y""";1\nz;2')
    assert (dialect_of(tmp_path / "a.csv", ";").quoting, dialect_of(tmp_path / "a.csv", ";").terminator) == (0, "\n")
