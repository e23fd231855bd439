"""The whole loop: requests drift, one issue reports it, labeled rows arrive, a new version is trained, the alarm ends.

A real Prometheus and a real Alertmanager monitor the server that Deploy started; the test sends requests, posts
outcomes, merges, and dispatches workflows. It writes no counter and no row of data.
"""

import csv
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest
import requests

from container_engine import free_port
from fast_setup import skip_setup_and_checks
from github.contributor import Contributor, start_github
from github.model import Run
from hub_fixture import assert_green
from prometheus import (
    Inbox,
    alertmanager,
    firing_alerts,
    inbox,
    prometheus,
    query_metrics,
    settings,
    targets,
    wait_until,
)
from repositories import bake, run
from sabotage.rows import held_out

Rows = list[dict[str, Any]]
DATA, KEY, TARGET = "data/breast_cancer.csv", "sample_id", "diagnosis"
MOVED, BY = "mean_texture", 0.5  # a column, and its shift in standard deviations
ROWS, WINDOWS = 400, 200
SECRET = "a-token-for-outcomes"  # noqa: S105 (of a test)
# The rules, with a window of seconds, so that the test need not wait for days.
IMPATIENT = (
    "from pathlib import Path; from gitops_ml.monitoring.alert_rules import render_alert_rules; "
    "from gitops_ml.monitoring_config import MonitoringConfig; "
    "print(render_alert_rules(MonitoringConfig(window_hours=30 / 3600), Path()))"
)
QUIET = Path(__file__).with_name("quiet_windows.py")
RATE = 0.01  # model.toml: [monitoring] false_alarms
K = 2  # model.toml: [monitoring] alarms, of three windows
ISSUE = f"Data drift in production: {MOVED}"


@dataclass
class MonitoredRepository:
    """A repository with its server and its monitoring.

    Attributes:
        github: The local GitHub and the person's clone.
        url: Address of the server that Deploy starts.
        prometheus: Address of a Prometheus that scrapes the server each second.
        alert_inbox: Receiver of Alertmanager's messages.
        log: The prediction log.
    """

    github: Contributor
    url: str
    prometheus: str
    alert_inbox: Inbox
    log: Path

    def window(self, rows: Rows, seed: int) -> None:
        """Send rows with the shifted column, then run Monitor."""
        before = self._rows()
        self.call(_moved(rows, seed))
        wait_until(lambda: self._rows() >= before + ROWS, "the rows in Prometheus")
        self.monitor()

    def _rows(self) -> float:
        """Return the number of rows at the last scrape."""
        return sum(float(each["value"][1]) for each in query_metrics(self.prometheus, "gitops_rows_total"))

    def sample(self) -> Rows:
        """The rows that come with a generated repository."""
        with (self.github.clone / DATA).open(newline="") as file:
            read = list(csv.DictReader(file))
        return [{name: text if name in (KEY, TARGET) else float(text) for name, text in row.items()} for row in read]

    def call(self, rows: Rows) -> str:
        """Request predictions, and return the request's id."""
        answer = requests.post(f"{self.url}/predict", json={"rows": _asked(rows)}, timeout=60)
        assert answer.ok, answer.text
        return str(answer.json()["request_id"])

    def tell(self, request: str, labels: list[str]) -> None:
        """Post the outcomes of a request."""
        outcomes = [{"request_id": request, "row": row, "outcome": label} for row, label in enumerate(labels)]
        bearer = {"Authorization": f"Bearer {SECRET}"}
        answer = requests.post(f"{self.url}/outcomes", json={"outcomes": outcomes}, headers=bearer, timeout=60)
        assert answer.status_code == 202, answer.text

    def monitor(self) -> Run:
        """Dispatch Monitor, and wait until all workflows have ended."""
        self.github.request("POST", "/actions/workflows/monitor.yml/dispatches", ref="main", inputs={"now": "true"})
        ended = self.github.wait_for_runs()
        assert_green(ended, "monitor.yml")
        return ended["monitor.yml"]

    @property
    def issues(self) -> list[dict[str, Any]]:
        """The issues about alarms, oldest first."""
        listed = self.github.request("GET", "/issues?state=all&direction=asc")
        return [issue for issue in listed if "pull_request" not in issue and "in production" in issue["title"]]

    @property
    def retrainings(self) -> int:
        """The number of trainings that alarms started."""
        runs = self.github.server.runs.values()
        return sum(found.workflow == "train.yml" and found.event.name == "repository_dispatch" for found in runs)


@pytest.fixture
def monitored(fast_machine: dict[str, str], tmp_path: Path) -> Iterator[MonitoredRepository]:
    """A generated repository that serves as a process, keeps a log, accepts outcomes and is monitored.

    Its jobs link packages that are installed already, as saboteurs' jobs do; the demo tests their installation.
    """
    clone, port = bake(tmp_path), free_port()
    skip_setup_and_checks(clone / "Makefile")
    _choose(clone / "model.toml", port, tmp_path / "log")
    run(clone, "git", "init", "--quiet", "--initial-branch", "main")
    run(clone, "git", "add", "--all")
    run(clone, "git", "commit", "--quiet", "--message", "Start from the template")
    run(clone, "make", "setup", f"PYTHON={sys.executable}", env=fast_machine)
    rules = tmp_path / "rules.yml"
    rules.write_text(run(clone, ".venv/bin/python", "-c", IMPATIENT))
    asked = targets(tmp_path / "targets.json", [f"http://127.0.0.1:{port}"])
    with (
        inbox() as alert_inbox,
        alertmanager(tmp_path / "alertmanager", alert_inbox.address) as teller,
        prometheus(tmp_path / "prometheus", settings(asked, rules, teller)) as address,
        start_github(tmp_path, clone, env=fast_machine | {"GITOPS_STATE": str(tmp_path / "state")}) as github,
    ):
        github.edit("model.toml", '# prometheus = "http://127.0.0.1:9090"', f'prometheus = "{address}"')
        github.hub.settings.secrets["GITOPS_OUTCOMES_TOKEN"] = SECRET
        yield MonitoredRepository(github, f"http://127.0.0.1:{port}", address, alert_inbox, tmp_path / "log")
        assert github.hub.violations == []
    subprocess.run(["pkill", "--full", f"gitops=.*[|]{port}[|]"], check=False)


def _choose(toml: Path, port: int, log: Path) -> None:
    """Set model.toml for all of monitoring."""
    text = toml.read_text()
    for old, new in {
        'kind = "none"': 'kind = "process"',
        "port = 8080": f"port = {port}",
        'sink = ""': f'sink = "{log}"',
        '[monitoring]\nsource = "none"': '[monitoring]\nsource = "prometheus"',
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    head, table, tail = text.partition("[ingest]")
    toml.write_text(head + table + tail.replace('source = "none"', 'source = "outcomes"', 1))


def test_the_loop_closes(monitored: MonitoredRepository, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a first champion, through drift of a column, to the next champion, which was trained on it."""
    github = monitored.github
    github.push("Hello")
    assert_green(github.wait_for_runs(), "ci.yml", "train.yml")
    github.merge(github.pull["number"])
    assert_green(github.wait_for_runs(), "deploy.yml")
    rows = monitored.sample()

    quiet = _as_in_training(monitored, rows, tmp_path)
    with capsys.disabled():
        print(
            f"\n{quiet['windows']} windows as in training: {quiet['loud']} with a finding, {quiet['alarms']} in alarm"
        )
    assert quiet["windows"] == WINDOWS
    assert quiet["alarms"] <= RATE * WINDOWS
    monitored.monitor()
    assert monitored.issues == []

    _an_alarm_within_k_of_n_windows(monitored, rows)
    _further_alarms_are_the_same_issue(monitored, rows)
    _labeled_rows_come_as_one_pull_request(monitored, rows)
    _one_training_is_started(monitored, rows)
    _the_new_version_ends_the_alarm(monitored, rows)


def _moved(rows: Rows, seed: int) -> Rows:
    """Return rows with one shifted column."""
    by = BY * stdev(row[MOVED] for row in rows)
    # Each once, because the gate DUPLICATES refuses the same row on both sides of the split.
    drawn = random.Random(seed).sample(rows, ROWS)  # noqa: S311 (nothing secret is drawn)
    return [{**row, MOVED: round(row[MOVED] + by, 2)} for row in drawn]


def _asked(rows: Rows) -> Rows:
    """Return the columns that callers send."""
    return [{name: value for name, value in row.items() if name not in (KEY, TARGET)} for row in rows]


def _as_in_training(monitored: MonitoredRepository, rows: Rows, folder: Path) -> dict[str, int]:
    """Monitor many windows without drift, and return the counts."""
    trained = folder / "trained.json"
    trained.write_text(json.dumps(_asked([row for row in rows if not held_out(row[KEY])])))
    reference = next(folder.glob("state/**/reference.json"))
    arguments = (monitored.url, trained, reference, "1", WINDOWS, ROWS)
    output = run(monitored.github.clone, ".venv/bin/python", str(QUIET), *map(str, arguments))
    found: dict[str, int] = json.loads(output.splitlines()[-1])
    return found


def _an_alarm_within_k_of_n_windows(monitored: MonitoredRepository, rows: Rows) -> None:
    """No alarm in the first window, which may be chance; an alarm in the K-th, also from Alertmanager."""
    monitored.window(rows, 0)
    assert monitored.issues == []
    for seed in range(1, K):
        monitored.window(rows, seed)
    (issue,) = monitored.issues
    assert (issue["title"], issue["state"]) == (ISSUE, "open")
    assert "needs labels" in issue["body"]

    def lasts() -> bool:
        monitored.call(_moved(rows, K))
        return ("GitopsDataDrift", MOVED, "alarm") in firing_alerts(monitored.prometheus)

    wait_until(lasts, "the alert of Prometheus, while callers go on", 120)
    wait_until(
        lambda: any("GitopsDataDrift" in title for title in monitored.alert_inbox.titles()), "a message of Alertmanager"
    )


def _further_alarms_are_the_same_issue(monitored: MonitoredRepository, rows: Rows) -> None:
    """The issue is updated, not repeated; test_monitor has ten. There is no training, because there is no new data."""
    for seed in range(K, K + 2):
        monitored.window(rows, seed)
    (issue,) = monitored.issues
    assert (issue["state"], issue["comments"]) == ("open", 0)
    assert monitored.retrainings == 0


def _labeled_rows_come_as_one_pull_request(monitored: MonitoredRepository, rows: Rows) -> None:
    """Outcomes are posted to the server, joined with its log, and proposed as rows.

    Its merge would start a training; here Train is switched off, so that the alarm has to start it.
    """
    sent = _moved(rows, 100)
    request = monitored.call(sent)
    monitored.tell(request, [row[TARGET] for row in sent])
    wait_until(lambda: list(monitored.log.glob("outcomes/*/*.parquet")), "the outcomes in the log")
    monitored.github.request("POST", "/actions/workflows/ingest.yml/dispatches", ref="main")
    assert_green(monitored.github.wait_for_runs(), "ingest.yml")
    pull = monitored.github.pull
    assert re.match(rf"Add {ROWS} rows to {DATA}", pull["title"])
    monitored.github.hub.settings.disabled = {"train.yml"}
    monitored.github.merge(pull["number"])
    assert_green(monitored.github.wait_for_runs(), "ci.yml")
    monitored.github.hub.settings.disabled = set()
    assert _titles(monitored) == []


def _one_training_is_started(monitored: MonitoredRepository, rows: Rows) -> None:
    """There is new data now: Train proposes a version, and no second training is started."""
    monitored.window(rows, 200)
    assert monitored.retrainings == 1
    (title,) = _titles(monitored)
    assert title.startswith("Promote tumour-screening version 2 to production")
    monitored.window(rows, 201)
    assert monitored.retrainings == 1
    (issue,) = monitored.issues
    assert issue["state"] == "open"


def _the_new_version_ends_the_alarm(monitored: MonitoredRepository, rows: Rows) -> None:
    """Its merge deploys it; it was trained on such rows, and the issue closes."""
    monitored.github.merge(monitored.github.pull["number"])
    assert_green(monitored.github.wait_for_runs(), "deploy.yml")
    assert requests.get(f"{monitored.url}/metadata", timeout=30).json()["version"] == "2"
    monitored.window(rows, 300)
    (issue,) = monitored.issues
    assert (issue["state"], issue["state_reason"]) == ("closed", "completed")


def _titles(monitored: MonitoredRepository) -> list[str]:
    return [pull["title"] for pull in monitored.github.pulls if pull["state"] == "open"]
