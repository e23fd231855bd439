"""The status of what serves: in words on a terminal, as a page of one screen, and as a folder to publish."""

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

from gitops_ml import checkout, config, logged
from gitops_ml.commands.overview import overview as overview_of
from gitops_ml.forge.status_page import status_page
from gitops_ml.forge.status_words import ago, sentences, tables
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.ledger import Held, append
from gitops_ml.registry.record import read
from unit.browser import Browser
from unit.reports import BAD
from unit.sample import Project
from unit.windows import window

NOW = datetime.now(UTC).replace(microsecond=0)


def overview(text: str = "", **more: Any) -> dict[str, Any]:
    """One environment, with everything that there can be; this text behind whatever comes from elsewhere."""
    seen = [{"until": "2026-01-02T00:00:00+00:00", "verdict": each, "rows": 100, "version": "2"}
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
        "image_bytes": 200 * 2**20, "offer": {"version": f"3{text}", "release": f"1.2.0{text}"},
        "holds": [{"version": None, "digest": "sha256:" + "5" * 64, "why": f"bad{text}", "by": f"Ada{text}",
                   "at": "2026-01-01T00:00:00+00:00"}],
        "windows": seen, "judged": True, "alarms": [f"data drift: x1{text}"],
    }  # fmt: skip
    github = {
        "page": "https://github.test/o/n", "minutes": 312.4, "pulls": [opened], "issues": [opened],
        "runs": [{"name": f"Train{text}", "verdict": f"success{text}", "when": "2026-01-02T09:00:00Z",
                  "page": f"https://github.test/runs/1{text}", "event": f"push{text}"}],
    }  # fmt: skip
    return {
        "model": f"sample{text}", "when": "2026-01-02T12:00:00+00:00", "main": f"abcdef012{text}",
        "environments": [production], "github": github, "unasked": {},
        "store": {"versions": 4, "bytes": 3 * 2**20, "budget": 900 * 2**20},
    } | more  # fmt: skip


def test_the_page_says_who_serves_and_how_it_fares() -> None:
    """Since when, why, how good, the verdict, holds, what is open, and what it costs."""
    text = status_page(overview(), {"production": {"report": "production.html"}})
    for words in ("Version 2 <small>release 1.1.0", "1 day ago", "merged", "roc_auc 0.9900 (baseline 0.5000, the "
                  "champion then 0.9000)", "every gate passed but SIZE, switched off",
                  '<a href="production.html">report',
                  "data drift: x1", "555555555555, since 2026-01-01 00:00 UTC by Ada: bad", "version 3, release 1.2.0",
                  ">Train</a>", "3 hours ago", "312 used by runs in 30 days", "3.0 MiB of 900 MiB, 4 versions",
                  "200 MiB", '<span class="badge ">never</span>'):  # fmt: skip
        assert words in text, words
    assert re.findall(r'<i class="(\w+)"', text) == ["ok", "none", "warning", "alarm"]


def test_hostile_text_is_text_in_the_page() -> None:
    """Not one element more than harmless text makes; no script at all, and nothing is fetched."""
    bad, good = Browser(status_page(overview(BAD))), Browser(status_page(overview()))
    assert bad.seen == good.seen
    assert (bad.scripts, bad.seen["link"], bad.seen["img"], set(bad.wanted)) == ([], 0, 0, {"href"})
    assert bad.policy.startswith("default-src 'none'; script-src 'none';")
    led = overview()
    led["github"]["runs"][0]["page"] = "javascript:alert(1)"
    assert "javascript" not in status_page(led)


def test_what_was_not_asked_is_said() -> None:
    """Without GitHub and without the store there is a page, and sentences."""
    found = overview(github=None, store=None, unasked={"github": "GitHub was not asked.", "store": "No store."})
    text = status_page(found)
    assert "GitHub was not asked." in text
    assert "No store." in text
    assert sentences(found)[-2:] == ["GitHub was not asked.", "No store."]
    assert "Last runs" not in [title for title, _, rows in tables(found) if rows]


@pytest.mark.parametrize(("seconds", "words"), [
    (0, "just now"), (61, "1 minute ago"), (7200, "2 hours ago"), (13 * 86400, "13 days ago")
])  # fmt: skip
def test_an_age_is_in_its_largest_unit(seconds: int, words: str) -> None:
    """People want to know whether it was today."""
    assert ago((NOW - timedelta(seconds=seconds)).isoformat(), NOW.isoformat()) == words


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has a token."""
    for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY", "GITHUB_API_URL", "GITHUB_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("offline")
def test_status_works_before_anything_was_promoted(project: Project) -> None:
    """Nothing serves, GitHub was not asked, and it is no error."""
    told = project.must("status").out
    assert "nothing was promoted yet" in told
    assert "GitHub was not asked. There is no token for GitHub" in told


def remember(project: Project, *windows: Any, **state: Any) -> None:
    """Write windows, and where alarms stand, where `monitor` keeps them."""

    def write(folder: Path) -> None:
        file = folder / "monitoring" / "production.jsonl"
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(each if isinstance(each, str) else f"{each.model_dump_json()}\n" for each in windows))
        (folder / "monitoring" / "production.state.json").write_text(json.dumps(state))

    Branch(config.find(project.root)).transact("Windows", write)


@pytest.mark.usefixtures("offline")
def test_status_tells_holds_and_windows(at_stage: Callable[[str], Project]) -> None:
    """What serves by main and the ledger, why, what monitoring said; and the page, at the place that is named."""
    project = at_stage("promoted")
    project.verified()
    record = read(project.root, "production", "main")
    assert record
    fact = Held(environment="production", digest=f"sha256:{'9' * 64}", at=NOW, by="Ada", why="It fails.")
    append(Branch(config.find(project.root)), fact)
    alarms = {"data drift: x1": {"since": NOW.isoformat()}}
    remember(project, window(0), window(1, digest=record.digest), digest=record.digest, alarms=alarms)
    told = project.must("status", "--html", str(project.root / "status.html")).out
    for words in ("version 1, release 1.0.0", "merged by Ada, commit", "every gate passed", "It fails.", "999999999999",
                  "data drift: x1", "1 version."):  # fmt: skip
        assert words in told, told
    assert "Version 1 <small>" in (project.root / "status.html").read_text()


@pytest.mark.usefixtures("offline")
def test_what_another_version_saw_is_no_verdict_on_this_one(at_stage: Callable[[str], Project]) -> None:
    """Its alarms are over; what serves was not judged yet."""
    project = at_stage("promoted")
    alarms = {"data drift: x1": {"since": NOW.isoformat()}}
    other = f"sha256:{'2' * 64}"
    remember(project, window(1, "alarm", digest=other, alarms=["data drift: x1"]), digest=other, alarms=alarms)
    found = overview_of(config.find(project.root))["environments"][0]
    assert (found["alarms"], found["judged"]) == ([], False)
    told = project.must("status", "--html", str(project.root / "status.html")).out
    assert "data drift: x1" not in told
    assert "not judged yet" in (project.root / "status.html").read_text()


@pytest.mark.usefixtures("offline")
def test_without_the_stores_remote_main_still_speaks(at_stage: Callable[[str], Project]) -> None:
    """What cannot be reached is said; who serves by main is told all the same."""
    project = at_stage("promoted")
    project.git("remote", "add", "origin", "http://ada:password@127.0.0.1:9/nowhere.git")
    told = project.must("status").out
    assert "version 1, release 1.0.0 (never verified)" in told.replace("\n", " ")
    assert "The store's branch cannot be reached" in told
    assert "password" not in told


@pytest.mark.usefixtures("offline")
def test_in_a_job_all_of_main_is_fetched(
    at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A job's checkout is one commit deep; the merge that promoted the version lies further back."""
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
def test_report_writes_a_folder_to_publish(at_stage: Callable[[str], Project]) -> None:
    """The status first, with a link to what monitoring has seen; before there is a window, it says so."""
    project = at_stage("promoted")
    project.must("report")
    site = project.root / ".gitops" / "site"
    assert "No window was judged yet" in (site / "production.html").read_text()
    served = read(project.root, "production", "main")
    assert served
    remember(project, window(digest=served.digest), digest=served.digest)
    project.must("report", "--output", str(site))
    project.must("report", "--output", str(site))
    assert '<a href="production.html">report</a>' in (site / "index.html").read_text()
    text = (site / "production.html").read_text()
    assert "Production sees what training saw" in text
    assert "x1" not in json.loads(Browser(text).data)  # the windows are of other columns
    assert sorted(file.name for file in site.iterdir()) == ["index.html", "production.html"]


@pytest.mark.usefixtures("offline")
def test_a_window_that_is_none_is_a_sentence(at_stage: Callable[[str], Project]) -> None:
    """With what is wrong, where, and what to do."""
    project = at_stage("promoted")
    remember(project, window(), "{}\n")
    result = project.gitops("report")
    assert result.code == 11
    assert "monitoring/production on the store branch: environment" in result.err


@pytest.mark.usefixtures("offline")
def test_evidently_needs_a_log(at_stage: Callable[[str], Project]) -> None:
    """Without one, or without a row of what serves in it, a sentence says why there is no page."""
    project = at_stage("promoted")
    assert "no prediction log is kept" in project.must("report", "--evidently").out
    project.write("model.toml", (project.root / "model.toml").read_text() + '\n[log]\nsink = "log"\n')
    assert "has no row of version 1" in project.must("report", "--evidently").out
    project.write("log/predictions/day=2026-01-31/w-1.parquet", "no Parquet")
    result = project.gitops("report", "--evidently")
    assert result.code == 5
    assert "The prediction log at log cannot be read" in result.err


@pytest.mark.usefixtures("offline")
def test_evidently_gets_two_samples_without_personal_columns(
    at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training rows by the split beside the log's rows of what serves; what is hashed is in neither."""
    project = at_stage("promoted")
    project.write(
        "model.toml", (project.root / "model.toml").read_text() + '\n[log]\nsink = "log"\nhashed = ["kind"]\n'
    )
    rows = pd.read_csv(project.root / "data/rows.csv").head(40)
    rows = rows.assign(**{logged.VERSION: ["1"] * 30 + ["0"] * 10})
    (project.root / "log/predictions/day=2026-01-31").mkdir(parents=True)
    rows.to_parquet(project.root / "log/predictions/day=2026-01-31/w-1.parquet")
    shapes: list[tuple[list[object], int]] = []

    def run(python: Path, *arguments: object) -> None:
        """Evidently's own environment takes a minute to install; what it is given is what matters here."""
        *_, reference, current, page = map(Path, map(str, arguments))
        shapes.extend((list(frame), len(frame)) for frame in (pd.read_parquet(reference), pd.read_parquet(current)))
        page.write_text("a page")

    monkeypatch.setattr(checkout, "environment", lambda repository, lock: Path("python"))
    monkeypatch.setattr(checkout, "run", run)
    told = project.must("report", "--evidently").out
    columns = ["count", "note", "x1", "x2"]
    training = int(re.search(r"(\d+) training rows beside 30 of the log", told)[1])  # type: ignore[index]
    assert shapes == [(columns, training), (columns, 30)]
    assert 250 < training < 350
    assert "production-evidently.html" in (project.root / ".gitops/site/index.html").read_text()


@pytest.fixture
def github(offline: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A GitHub that lists two runs, pull requests of ours and of a person, and issues of a bot and of a person."""
    asked: list[str] = []
    run = {
        "name": "Train",
        "conclusion": "success",
        "status": "completed",
        "event": "push",
        "html_url": "https://g.test/1",
    }
    times = {"created_at": NOW.isoformat(), "run_started_at": NOW.isoformat(),
             "updated_at": (NOW + timedelta(minutes=90)).isoformat()}  # fmt: skip
    home = {"full_name": "o/n"}
    item = {"html_url": "https://g.test/2", "created_at": NOW.isoformat()}
    answers: dict[str, Any] = {
        "actions/runs": {"workflow_runs": [{**run, **times}, {**run, **times, "conclusion": "failure"}]},
        "pulls": [{**item, "number": 1, "title": "Promote it", "head": {"ref": "promote/production", "repo": home}},
                  {**item, "number": 2, "title": "A person's", "head": {"ref": "topic", "repo": home}}],
        "issues": [{**item, "number": 3, "title": "Alarm in production", "user": {"type": "Bot"}},
                   {**item, "number": 4, "title": "A person's", "user": {"type": "User"}},
                   {**item, "number": 1, "title": "Promote it", "user": {"type": "Bot"}, "pull_request": {}}],
    }  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked.append(url.path)
            body = json.dumps(answers[url.path.removeprefix("/repos/o/n/")]).encode()
            assert parse_qs(url.query)["per_page"] == ["100"]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("GITHUB_TOKEN", "secret-token")
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/n")
    monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{server.server_port}")
    yield asked
    server.shutdown()
    server.server_close()


def test_github_tells_runs_and_what_is_open(github: list[str], at_stage: Callable[[str], Project]) -> None:
    """The newest run of each workflow, the minutes of all, and what is ours."""
    project = at_stage("promoted")
    told = project.must("status").out
    assert len(github) == 3
    assert re.search(r"Train +│ success +│", told)
    assert "Minutes: 180 used by runs in 30 days." in told
    assert "#1" in told
    assert "Alarm in production" in told
    assert "A person's" not in told
    assert "secret-token" not in told


def test_a_github_that_fails_is_no_error(at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is told."""
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/n")
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("gitops_ml.forge.github.TRIES", 0)
    assert "GitHub could not be asked." in at_stage("promoted").must("status").out


def test_the_lock_of_evidently_is_its_own() -> None:
    """It caps pandas, as no other lock does, and is no part of what trains or serves."""
    from unit.sample import DATA, TEMPLATE

    pins = (DATA / "evidently.txt").read_text()
    assert re.search(r"^evidently==", pins, re.MULTILINE)
    assert re.search(r"^pandas==2\.", pins, re.MULTILINE)
    assert not re.search(r"^evidently==", (TEMPLATE / "requirements" / "dev.txt").read_text(), re.MULTILINE)
