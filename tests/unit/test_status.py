"""Tests of the status: as text on a terminal, as one page, and as a folder to publish."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from gitops_ml import checkout, config, prediction_log
from gitops_ml.commands.overview import collect_overview
from gitops_ml.forge.status_page import render_status_page
from gitops_ml.forge.status_text import build_sentences, build_tables, format_age
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.ledger import Held, append_facts
from gitops_ml.registry.record import load_record
from unit.example_comparisons import BAD
from unit.monitoring_windows import window
from unit.page_parser import PageParser
from unit.sample import Project

NOW = datetime.now(UTC).replace(microsecond=0)


def example_overview(text: str = "", **more: Any) -> dict[str, Any]:
    """Return an overview of one environment with every part; `text` is appended to each value from outside."""
    windows = [{"until": "2026-01-02T00:00:00+00:00", "verdict": each, "rows": 100, "version": "2"}
            for each in ("ok", "insufficient data", "warning", "alarm")]  # fmt: skip
    opened = {
        "number": 7,
        "title": f"Alarm{text}",
        "page": f"https://github.test/pull/7{text}",
        "when": "2026-01-02T11:00:00Z",
    }
    production = {
        "name": f"production{text}", "since": "2026-01-01T12:00:00+00:00", "verified": None, "why": f"merged{text}",
        "serving": {"version": f"2{text}", "release": f"1.1.0{text}", "digest": "sha256:" + "2" * 64,
                    "image": f"x/y@sha256:{'3' * 64}{text}", "commit": f"0123456789{text}",
                    "data": "sha256:" + "4" * 64,
                    "rows": 500, "metric": f"roc_auc{text}", "value": 0.99, "baseline": 0.5, "champion": 0.9,
                    "off": [f"SIZE{text}"]},
        "image_bytes": 200 * 2**20, "proposed": {"version": f"3{text}", "release": f"1.2.0{text}"},
        "holds": [{"version": None, "digest": "sha256:" + "5" * 64, "why": f"bad{text}", "by": f"Ada{text}",
                   "at": "2026-01-01T00:00:00+00:00"}],
        "windows": windows, "judged": True, "alarms": [f"data drift: x1{text}"],
    }  # fmt: skip
    github = {
        "page": "https://github.test/o/n", "minutes": 312.4, "pulls": [opened], "issues": [opened],
        "runs": [{"name": f"Train{text}", "verdict": f"success{text}", "when": "2026-01-02T09:00:00Z",
                  "page": f"https://github.test/runs/1{text}", "event": f"push{text}"}],
    }  # fmt: skip
    return {
        "model": f"sample{text}", "when": "2026-01-02T12:00:00+00:00", "main": f"abcdef012{text}",
        "environments": [production], "github": github, "unavailable": {},
        "store": {"versions": 4, "bytes": 3 * 2**20, "budget": 900 * 2**20},
    } | more  # fmt: skip


def test_page_shows_served_version_and_monitoring() -> None:
    """The page shows time, reason, metric, verdict, holds, open pull requests and issues, and cost."""
    text = render_status_page(example_overview(), {"production": {"report": "production.html"}})
    for expected in ("Version 2 <small>release 1.1.0", "1 day ago", "merged", "roc_auc 0.9900 (baseline 0.5000, "
                     "previous champion 0.9000)", "no gate refused it; switched off: SIZE",
                     '<a href="production.html">report', "data drift: x1",
                     "555555555555, since 2026-01-01 00:00 UTC by Ada: bad", "version 3, release 1.2.0",
                     ">Train</a>", "3 hours ago", "312 used by runs in 30 days", "3.0 MiB of 900 MiB, 4 versions",
                     "200 MiB", '<span class="badge ">never</span>'):  # fmt: skip
        assert expected in text, expected
    assert re.findall(r'<i class="(\w+)"', text) == ["ok", "none", "warning", "alarm"]


def test_hostile_text_is_escaped_in_page() -> None:
    """Hostile text adds no element; the page has no script and loads nothing."""
    hostile, harmless = (
        PageParser(render_status_page(example_overview(BAD))),
        PageParser(render_status_page(example_overview())),
    )
    assert hostile.elements == harmless.elements
    assert (hostile.scripts, hostile.elements["link"], hostile.elements["img"], set(hostile.references)) == (
        [],
        0,
        0,
        {"href"},
    )
    assert hostile.policy.startswith("default-src 'none'; script-src 'none';")
    changed = example_overview()
    changed["github"]["runs"][0]["page"] = "javascript:alert(1)"
    assert "javascript" not in render_status_page(changed)


def test_unavailable_sources_are_named() -> None:
    """The page and the sentences name GitHub and the store if they cannot be read."""
    overview = example_overview(
        github=None, store=None, unavailable={"github": "GitHub was not read.", "store": "No store."}
    )
    text = render_status_page(overview)
    assert "GitHub was not read." in text
    assert "No store." in text
    assert build_sentences(overview)[-2:] == ["GitHub was not read.", "No store."]
    assert "Last runs" not in [title for title, _, rows in build_tables(overview) if rows]


@pytest.mark.parametrize(("seconds", "expected"), [
    (0, "just now"), (61, "1 minute ago"), (7200, "2 hours ago"), (13 * 86400, "13 days ago")
])  # fmt: skip
def test_age_is_in_largest_unit(seconds: int, expected: str) -> None:
    """An age is rounded down to its largest unit."""
    assert format_age((NOW - timedelta(seconds=seconds)).isoformat(), NOW.isoformat()) == expected


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the token and the address of GitHub from the environment."""
    for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY", "GITHUB_API_URL", "GITHUB_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("offline")
def test_status_before_first_promotion(project: Project) -> None:
    """No version serves and there is no data from GitHub, but it is not an error."""
    output = project.must("status").out
    assert "nothing was promoted yet" in output
    assert "GitHub was not read. There is no token for GitHub" in output


def store_windows(project: Project, *windows: Any, **state: Any) -> None:
    """Write windows and the state of alarms to the store's branch, as `monitor` does."""

    def write(folder: Path) -> None:
        file = folder / "monitoring" / "production.jsonl"
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(each if isinstance(each, str) else f"{each.model_dump_json()}\n" for each in windows))
        (folder / "monitoring" / "production.state.json").write_text(json.dumps(state))

    Branch(config.find_repository(project.root)).transact("Windows", write)


@pytest.mark.usefixtures("offline")
def test_status_shows_holds_and_windows(at_stage: Callable[[str], Project]) -> None:
    """Status prints served version, reason, holds and monitoring, and writes the page to the given path."""
    project = at_stage("promoted")
    project.record_verification()
    record = load_record(project.root, "production", "main")
    assert record
    hold = Held(environment="production", digest=f"sha256:{'9' * 64}", at=NOW, by="Ada", why="It fails.")
    append_facts(Branch(config.find_repository(project.root)), hold)
    alarms = {"data drift: x1": {"since": NOW.isoformat()}}
    store_windows(project, window(0), window(1, digest=record.digest), digest=record.digest, alarms=alarms)
    output = project.must("status", "--html", str(project.root / "status.html")).out
    for expected in ("version 1, release 1.0.0", "merged by Ada, commit", "no gate refused it", "It fails.",
                     "999999999999", "data drift: x1", "1 version."):  # fmt: skip
        assert expected in output, output
    assert "Version 1 <small>" in (project.root / "status.html").read_text()


@pytest.mark.usefixtures("offline")
def test_windows_of_other_version_are_ignored(at_stage: Callable[[str], Project]) -> None:
    """The alarms of another version are not shown; the served version was not judged yet."""
    project = at_stage("promoted")
    alarms = {"data drift: x1": {"since": NOW.isoformat()}}
    other = f"sha256:{'2' * 64}"
    store_windows(project, window(1, "alarm", digest=other, alarms=["data drift: x1"]), digest=other, alarms=alarms)
    environment = collect_overview(config.find_repository(project.root))["environments"][0]
    assert (environment["alarms"], environment["judged"]) == ([], False)
    output = project.must("status", "--html", str(project.root / "status.html")).out
    assert "data drift: x1" not in output
    assert "not judged yet" in (project.root / "status.html").read_text()


@pytest.mark.usefixtures("offline")
def test_status_without_remote_of_store(at_stage: Callable[[str], Project]) -> None:
    """Status prints the version that main names, and that the store cannot be reached, without its password."""
    project = at_stage("promoted")
    project.git("remote", "add", "origin", "http://ada:password@127.0.0.1:9/nowhere.git")
    output = project.must("status").out
    assert "version 1, release 1.0.0 (never verified)" in output.replace("\n", " ")
    assert "The store's branch cannot be reached" in output
    assert "password" not in output


@pytest.mark.usefixtures("offline")
def test_all_of_main_is_fetched_in_workflow(
    at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The checkout of a workflow run has one commit; the merge that promoted the version is older."""
    project = at_stage("promoted")
    merge = project.git("rev-parse", "main")
    project.commit("something else")
    project.git("clone", "--quiet", "--bare", str(project.root), str(tmp_path / "remote.git"))
    clone = Project(tmp_path / "clone")
    project.git("clone", "--quiet", "--depth=1", f"file://{tmp_path}/remote.git", str(clone.root))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert f"merged by Ada, commit {merge[:9]}" in clone.must("status").out


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_report_writes_folder(at_stage: Callable[[str], Project]) -> None:
    """The status page links to the monitoring page, which exists before the first window."""
    project = at_stage("promoted")
    project.must("report")
    folder = project.root / ".gitops" / "site"
    assert "No window was judged yet" in (folder / "production.html").read_text()
    served = load_record(project.root, "production", "main")
    assert served
    store_windows(project, window(digest=served.digest), digest=served.digest)
    project.must("report", "--output", str(folder))
    project.must("report", "--output", str(folder))
    assert '<a href="production.html">report</a>' in (folder / "index.html").read_text()
    text = (folder / "production.html").read_text()
    assert "No problem found in production" in text
    assert "x1" not in json.loads(PageParser(text).data)  # the windows are of other columns
    assert sorted(file.name for file in folder.iterdir()) == ["index.html", "production.html"]


@pytest.mark.usefixtures("offline")
def test_invalid_window_is_error(at_stage: Callable[[str], Project]) -> None:
    """The message names the file on the branch and the invalid key."""
    project = at_stage("promoted")
    store_windows(project, window(), "{}\n")
    result = project.gitops("report")
    assert result.code == 11
    assert "monitoring/production on the store branch: environment" in result.err


@pytest.mark.usefixtures("offline")
@pytest.mark.slow
def test_evidently_report_needs_prediction_log(at_stage: Callable[[str], Project]) -> None:
    """A message says why there is no report: there is no log, or it has no row of the served version."""
    project = at_stage("promoted")
    assert "no prediction log is kept" in project.must("report", "--evidently").out
    project.write("model.toml", (project.root / "model.toml").read_text() + '\n[log]\nsink = "log"\n')
    assert "has no row of version 1" in project.must("report", "--evidently").out
    project.write("log/predictions/day=2026-01-31/w-1.parquet", "no Parquet")
    result = project.gitops("report", "--evidently")
    assert result.code == 5
    assert "The prediction log at log cannot be read" in result.err


@pytest.mark.usefixtures("offline")
def test_evidently_gets_two_samples_without_hashed_columns(
    at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The samples are training rows and logged rows of the served version, both without hashed columns."""
    project = at_stage("promoted")
    project.write(
        "model.toml", (project.root / "model.toml").read_text() + '\n[log]\nsink = "log"\nhashed = ["kind"]\n'
    )
    rows = pd.read_csv(project.root / "data/rows.csv").head(40)
    rows = rows.assign(**{prediction_log.VERSION: ["1"] * 30 + ["0"] * 10})
    (project.root / "log/predictions/day=2026-01-31").mkdir(parents=True)
    rows.to_parquet(project.root / "log/predictions/day=2026-01-31/w-1.parquet")
    shapes: list[tuple[list[object], int]] = []

    def run(python: Path, *arguments: object) -> None:
        """Note the samples instead of running Evidently, whose environment takes a minute to install."""
        *_, reference, current, page = map(Path, map(str, arguments))
        shapes.extend((list(frame), len(frame)) for frame in (pd.read_parquet(reference), pd.read_parquet(current)))
        page.write_text("a page")

    monkeypatch.setattr(checkout, "cached_environment", lambda repository, lock: Path("python"))
    monkeypatch.setattr(checkout, "run_python", run)
    output = project.must("report", "--evidently").out
    columns = ["count", "note", "x1", "x2"]
    training = int(re.search(r"(\d+) training rows with 30 of the log", output)[1])  # type: ignore[index]
    assert shapes == [(columns, training), (columns, 30)]
    assert 250 < training < 350
    assert "production-evidently.html" in (project.root / ".gitops/site/index.html").read_text()


@pytest.fixture
def github(offline: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Serve a GitHub API with two runs, and with pull requests and issues of gitops and of a user; yield the paths."""
    paths: list[str] = []
    run = {
        "name": "Train",
        "conclusion": "success",
        "status": "completed",
        "event": "push",
        "html_url": "https://g.test/1",
    }
    times = {"created_at": NOW.isoformat(), "run_started_at": NOW.isoformat(),
             "updated_at": (NOW + timedelta(minutes=90)).isoformat()}  # fmt: skip
    repository = {"full_name": "o/n"}
    item = {"html_url": "https://g.test/2", "created_at": NOW.isoformat()}
    responses: dict[str, Any] = {
        "actions/runs": {"workflow_runs": [{**run, **times}, {**run, **times, "conclusion": "failure"}]},
        "pulls": [{**item, "number": 1, "title": "Promote it", "head": {"ref": "promote/production",
                   "repo": repository}},
                  {**item, "number": 2, "title": "A person's", "head": {"ref": "topic", "repo": repository}}],
        "issues": [{**item, "number": 3, "title": "Alarm in production", "user": {"type": "Bot"}},
                   {**item, "number": 4, "title": "A person's", "user": {"type": "User"}},
                   {**item, "number": 1, "title": "Promote it", "user": {"type": "Bot"}, "pull_request": {}}],
    }  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            paths.append(url.path)
            body = json.dumps(responses[url.path.removeprefix("/repos/o/n/")]).encode()
            assert parse_qs(url.query)["per_page"] == ["100"]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Do not log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("GITHUB_TOKEN", "secret-token")
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/n")
    monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{server.server_port}")
    yield paths
    server.shutdown()
    server.server_close()


def test_status_shows_runs_and_open_items_of_github(github: list[str], at_stage: Callable[[str], Project]) -> None:
    """Status shows the newest run of each workflow, the minutes of all runs, and the items that gitops opened."""
    project = at_stage("promoted")
    output = project.must("status").out
    assert len(github) == 3
    assert re.search(r"Train +│ success +│", output)
    assert "Minutes: 180 used by runs in 30 days." in output
    assert "#1" in output
    assert "Alarm in production" in output
    assert "A person's" not in output
    assert "secret-token" not in output


def test_status_without_github(at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch) -> None:
    """Status prints the rest if GitHub cannot be reached."""
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/n")
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("gitops_ml.forge.github.TRIES", 0)
    assert "GitHub could not be reached." in at_stage("promoted").must("status").out


def test_the_lock_of_evidently_is_its_own() -> None:
    """The lock of Evidently caps pandas, and no other lock contains Evidently."""
    from unit.sample import DATA, TEMPLATE

    pins = (DATA / "evidently.txt").read_text()
    assert re.search(r"^evidently==", pins, re.MULTILINE)
    assert re.search(r"^pandas==2\.", pins, re.MULTILINE)
    assert not re.search(r"^evidently==", (TEMPLATE / "requirements" / "dev.txt").read_text(), re.MULTILINE)
