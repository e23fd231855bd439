"""The loop closes: callers change, one issue says so, the truth comes as rows, a version learns it, and all is quiet.

A real Prometheus and a real Alertmanager look at the server that Deploy brought up; the test sends requests, tells
outcomes, merges, and presses buttons. It writes no counter and no row of data.
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

from engines import free_port
from github.model import Run
from github.site import Site, site
from house import bake, run
from hurry import hurry
from prometheus import Inbox, alertmanager, ask, firing, inbox, prometheus, settings, targets, until
from sabotage.rows import held_out

Rows = list[dict[str, Any]]
DATA, KEY, TARGET = "data/breast_cancer.csv", "sample_id", "diagnosis"
MOVED, BY = "mean_texture", 0.5  # a column, and by how many of its standard deviations
ROWS, WINDOWS = 400, 200
SECRET = "whoever-bears-this-may-tell-outcomes"  # noqa: S105 (of a test)
# The rules, with a window of seconds, so that a test need not wait for days.
IMPATIENT = (
    "from pathlib import Path; from gitops_ml.monitoring.rules import rules; from gitops_ml.watch import Monitoring; "
    "print(rules(Monitoring(window_hours=30 / 3600), Path()))"
)
QUIET = Path(__file__).with_name("quiet_windows.py")
RATE = 0.01  # model.toml: [monitoring] false_alarms
K = 2  # model.toml: [monitoring] alarms, of three windows
ISSUE = f"Data drift in production: {MOVED}"


@dataclass
class Place:
    """Where a repository is, serves, and is watched.

    Attributes:
        github: The local GitHub and the person's clone.
        url: Of the server that Deploy brings up.
        prometheus: Which asks that server each second.
        told: Whom Alertmanager tells.
        log: The prediction log.
    """

    github: Site
    url: str
    prometheus: str
    told: Inbox
    log: Path

    def window(self, rows: Rows, seed: int) -> None:
        """Callers whose column has moved, and then a look at them."""
        before = self._rows()
        self.call(_moved(rows, seed))
        until(lambda: self._rows() >= before + ROWS, "the rows in Prometheus")
        self.monitor()

    def _rows(self) -> float:
        """How many rows Prometheus has seen at its last look."""
        return sum(float(each["value"][1]) for each in ask(self.prometheus, "gitops_rows_total"))

    def sample(self) -> Rows:
        """The rows that come with a generated repository."""
        with (self.github.clone / DATA).open(newline="") as file:
            read = list(csv.DictReader(file))
        return [{name: text if name in (KEY, TARGET) else float(text) for name, text in row.items()} for row in read]

    def call(self, rows: Rows) -> str:
        """Ask for predictions; the request's id."""
        answer = requests.post(f"{self.url}/predict", json={"rows": _asked(rows)}, timeout=60)
        assert answer.ok, answer.text
        return str(answer.json()["request_id"])

    def tell(self, request: str, truth: list[str]) -> None:
        """Tell the truth about the rows of a request."""
        told = [{"request_id": request, "row": row, "outcome": label} for row, label in enumerate(truth)]
        bearer = {"Authorization": f"Bearer {SECRET}"}
        answer = requests.post(f"{self.url}/outcomes", json={"outcomes": told}, headers=bearer, timeout=60)
        assert answer.status_code == 202, answer.text

    def monitor(self) -> Run:
        """Press the button of Monitor, and wait until everything that follows has ended."""
        self.github.ask("POST", "/actions/workflows/monitor.yml/dispatches", ref="main", inputs={"now": "true"})
        ended = self.github.settled()
        _green(ended, "monitor.yml")
        return ended["monitor.yml"]

    @property
    def issues(self) -> list[dict[str, Any]]:
        """Of alarms, oldest first."""
        listed = self.github.ask("GET", "/issues?state=all&direction=asc")
        return [issue for issue in listed if "pull_request" not in issue and "in production" in issue["title"]]

    @property
    def retrainings(self) -> int:
        """How often Train was asked for by an alarm."""
        runs = self.github.server.runs.values()
        return sum(found.workflow == "train.yml" and found.event.name == "repository_dispatch" for found in runs)


@pytest.fixture
def place(hurried: dict[str, str], tmp_path: Path) -> Iterator[Place]:
    """A generated repository that serves as a process, keeps a log, takes outcomes and is watched.

    Its jobs link packages that are installed already, as saboteurs' jobs do; how they are installed is the demo's.
    """
    clone, port = bake(tmp_path), free_port()
    hurry(clone / "Makefile")
    _choose(clone / "model.toml", port, tmp_path / "log")
    run(clone, "git", "init", "--quiet", "--initial-branch", "main")
    run(clone, "git", "add", "--all")
    run(clone, "git", "commit", "--quiet", "--message", "Start from the template")
    run(clone, "make", "setup", f"PYTHON={sys.executable}", env=hurried)
    rules = tmp_path / "rules.yml"
    rules.write_text(run(clone, ".venv/bin/python", "-c", IMPATIENT))
    asked = targets(tmp_path / "targets.json", [f"http://127.0.0.1:{port}"])
    with (
        inbox() as told,
        alertmanager(tmp_path / "alertmanager", told.address) as teller,
        prometheus(tmp_path / "prometheus", settings(asked, rules, teller)) as address,
        site(tmp_path, clone, env=hurried | {"GITOPS_STATE": str(tmp_path / "state")}) as github,
    ):
        github.edit("model.toml", '# prometheus = "http://127.0.0.1:9090"', f'prometheus = "{address}"')
        github.hub.settings.secrets["GITOPS_OUTCOMES_TOKEN"] = SECRET
        yield Place(github, f"http://127.0.0.1:{port}", address, told, tmp_path / "log")
        assert github.hub.violations == []
    subprocess.run(["pkill", "--full", f"gitops=.*[|]{port}[|]"], check=False)


def _choose(toml: Path, port: int, log: Path) -> None:
    """What an owner writes into model.toml who wants all of it."""
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


def _green(ended: dict[str, Run], *workflows: str) -> None:
    """These ran, and nothing in them failed."""
    for workflow in workflows:
        found = ended[workflow]
        logs = "\n".join(f"{job.id}: {job.conclusion}\n{job.log[-3000:]}" for job in found.jobs.values())
        assert found.conclusion == "success", f"{workflow}: {found.conclusion}\n{logs}"


def test_the_loop_closes(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a first champion over a column that moves to the next champion, which has learnt of it."""
    github = place.github
    github.push("Hello")
    _green(github.settled(), "ci.yml", "train.yml")
    github.merge(github.pull["number"])
    _green(github.settled(), "deploy.yml")
    rows = place.sample()

    quiet = _as_in_training(place, rows, tmp_path)
    with capsys.disabled():
        print(
            f"\n{quiet['windows']} windows as in training: {quiet['loud']} with a finding, {quiet['alarms']} in alarm"
        )
    assert quiet["windows"] == WINDOWS
    assert quiet["alarms"] <= RATE * WINDOWS
    place.monitor()
    assert place.issues == []

    _an_alarm_within_k_of_n_windows(place, rows)
    _ten_alarms_are_one_issue(place, rows)
    _the_truth_comes_as_one_pull_request(place, rows)
    _one_training_is_asked_for(place, rows)
    _what_has_learnt_of_it_ends_the_alarm(place, rows)


def _moved(rows: Rows, seed: int) -> Rows:
    """Rows as callers send them now: one column has moved."""
    by = BY * stdev(row[MOVED] for row in rows)
    # Each once, or the gate DUPLICATES would see the same row on both sides of the split.
    drawn = random.Random(seed).sample(rows, ROWS)  # noqa: S311 (nothing secret is drawn)
    return [{**row, MOVED: round(row[MOVED] + by, 2)} for row in drawn]


def _asked(rows: Rows) -> Rows:
    """What callers know of them."""
    return [{name: value for name, value in row.items() if name not in (KEY, TARGET)} for row in rows]


def _as_in_training(place: Place, rows: Rows, folder: Path) -> dict[str, int]:
    """Many windows in which nothing has moved."""
    trained = folder / "trained.json"
    trained.write_text(json.dumps(_asked([row for row in rows if not held_out(row[KEY])])))
    reference = next(folder.glob("state/**/reference.json"))
    arguments = (place.url, trained, reference, "1", WINDOWS, ROWS)
    said = run(place.github.clone, ".venv/bin/python", str(QUIET), *map(str, arguments))
    found: dict[str, int] = json.loads(said.splitlines()[-1])
    return found


def _an_alarm_within_k_of_n_windows(place: Place, rows: Rows) -> None:
    """Not in the first one, for that may be chance; in the K-th, as configured. Alertmanager is told too."""
    place.window(rows, 0)
    assert place.issues == []
    for seed in range(1, K):
        place.window(rows, seed)
    (issue,) = place.issues
    assert (issue["title"], issue["state"]) == (ISSUE, "open")
    assert "needs labels" in issue["body"]

    def lasts() -> bool:
        place.call(_moved(rows, K))
        return ("GitopsDataDrift", MOVED, "alarm") in firing(place.prometheus)

    until(lasts, "the alert of Prometheus, while callers go on", 120)
    until(lambda: any("GitopsDataDrift" in title for title in place.told.titles()), "a message of Alertmanager")


def _ten_alarms_are_one_issue(place: Place, rows: Rows) -> None:
    """Rewritten, not repeated; and nothing is trained, for there is nothing new to learn from."""
    for seed in range(K, 10 + K - 1):
        place.window(rows, seed)
    (issue,) = place.issues
    assert (issue["state"], issue["comments"]) == ("open", 0)
    assert place.retrainings == 0


def _the_truth_comes_as_one_pull_request(place: Place, rows: Rows) -> None:
    """Outcomes are told to the server, join what it has logged, and are offered as rows.

    Its merge would train; here Train was switched off that day, so that the alarm has to ask for it.
    """
    sent = _moved(rows, 100)
    request = place.call(sent)
    place.tell(request, [row[TARGET] for row in sent])
    until(lambda: list(place.log.glob("outcomes/*/*.parquet")), "the outcomes in the log")
    place.github.ask("POST", "/actions/workflows/ingest.yml/dispatches", ref="main")
    _green(place.github.settled(), "ingest.yml")
    pull = place.github.pull
    assert re.match(rf"Add {ROWS} rows to {DATA}", pull["title"])
    place.github.hub.settings.disabled = {"train.yml"}
    place.github.merge(pull["number"])
    _green(place.github.settled(), "ci.yml")
    place.github.hub.settings.disabled = set()
    assert _titles(place) == []


def _one_training_is_asked_for(place: Place, rows: Rows) -> None:
    """There is something to learn from now: Train offers a version, and no second one is asked for."""
    place.window(rows, 200)
    assert place.retrainings == 1
    (title,) = _titles(place)
    assert title.startswith("Promote tumour-screening version 2 to production")
    place.window(rows, 201)
    assert place.retrainings == 1
    (issue,) = place.issues
    assert issue["state"] == "open"


def _what_has_learnt_of_it_ends_the_alarm(place: Place, rows: Rows) -> None:
    """Its merge deploys it; what it knows is what callers send, and the issue is closed by itself."""
    place.github.merge(place.github.pull["number"])
    _green(place.github.settled(), "deploy.yml")
    assert requests.get(f"{place.url}/metadata", timeout=30).json()["version"] == "2"
    place.window(rows, 300)
    (issue,) = place.issues
    assert (issue["state"], issue["state_reason"]) == ("closed", "completed")


def _titles(place: Place) -> list[str]:
    return [pull["title"] for pull in place.github.pulls if pull["state"] == "open"]
