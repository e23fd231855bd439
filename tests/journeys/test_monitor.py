"""`gitops monitor` against the local GitHub: one issue, one training, and an end."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_servers import FakeServers, run_servers
from github.model import Grant
from github.server import LocalGitHub
from hub_fixture import CommandWorker, PreparedHub
from repositories import run

# What the job `monitor` declares.
MONITOR_GRANTS: dict[str, Grant] = {"contents": "write", "issues": "write", "actions": "read", "pull_requests": "read"}
DISPATCH = ("POST", "/dispatches")
DRIFT = "Data drift in production: worst_radius"


class Watch(PreparedHub):
    """The hub and the job's clone, with version 1 as champion and servers of it."""

    servers: FakeServers
    reference: dict[str, Any]

    def monitor(self, *options: str, code: int = 0) -> str:
        """Run the command as its job does, on the newest main, and return its output."""
        run(self.clone, "git", "fetch", "--quiet", "origin", "main")
        run(self.clone, "git", "switch", "--quiet", "--detach", "origin/main")
        env = {**self.environment(self.hub.issue_token(MONITOR_GRANTS)), "GITOPS_WEBHOOK": self.servers.url}
        done = self.worker.run(self.clone, "monitor", *options, env=env)
        assert done.code == code, f"exit {done.code}, not {code}\n{done.out}\n{done.err}"
        return done.out + done.err

    def window(self, *moved: str, rows: int = 600, code: int = 0) -> str:
        """Send rows with these columns shifted, then run monitor."""
        self.servers.count_rows(self.reference, rows, moved)
        return self.monitor("--now", code=code)

    def drifts(self, times: int = 2) -> str:
        """Send this many windows with one shifted column, and return the last output."""
        return [self.window("worst_radius") for _ in range(times)][-1]

    def add_rows(self) -> None:
        """Merge new labeled rows."""
        self.git_as_person("fetch", "--quiet")
        self.git_as_person("switch", "--quiet", "--detach", "origin/main")
        (data,) = (self.clone.with_name("person") / "data").glob("*.csv")
        header, *rows = data.read_text().splitlines()
        data.write_text("\n".join([header, *rows, "n" + rows[0]]) + "\n")
        self.git_as_person("commit", "--quiet", "--all", "--message", "New rows")
        self.git_as_person("push", "--quiet", "origin", "HEAD:main")

    @property
    def issues(self) -> list[dict[str, Any]]:
        """All issues, oldest first."""
        listed = self.request("GET", "/issues?state=all&direction=asc")
        return [issue for issue in listed if "pull_request" not in issue]

    @property
    def trainings(self) -> int:
        """The number of trainings that were started."""
        return self.writes.count(DISPATCH)

    @property
    def state(self) -> dict[str, Any]:
        """The state in the store."""
        found: dict[str, Any] = json.loads(self.git("show", "mlflow:monitoring/production.state.json"))
        return found


@pytest.fixture
def watch(prepared: Path, worker: CommandWorker, tmp_path: Path) -> Iterator[Watch]:
    """Version 1 is champion, and its servers are monitored."""
    with LocalGitHub(tmp_path / "hub") as hub, run_servers("1") as servers:
        run(prepared / "remote.git", "git", "push", "--quiet", "--mirror", str(hub.bare))
        clone = tmp_path / "clone"
        run(tmp_path, "cp", "-a", str(prepared / "clone"), str(clone))
        run(clone, "git", "remote", "set-url", "origin", f"{hub.html_url}.git")
        hub.settings.actions_may_open_pull_requests = True
        made = Watch(hub, clone, prepared / "comparisons", worker)
        made.promote("1")
        made.merge(made.pull["number"])
        made.servers = servers
        made.push("model.toml", 'source = "none"            # "metrics', 'source = "metrics"         # "metrics')
        made.push("model.toml", '# urls = ["http://127.0.0.1:8080"]', f'urls = ["{servers.url}"]')
        made.monitor("--now")
        made.reference = json.loads((clone / ".gitops" / "monitoring" / "reference.json").read_text())
        made.clear_requests()
        yield made
        assert hub.violations == []


def test_nothing_is_watched_until_a_source_is_named(prepared_hub: PreparedHub) -> None:
    """As generated: a message, and no failure of the daily run."""
    assert "Monitoring is off" in prepared_hub.job("monitor")
    assert prepared_hub.writes == []


def test_quiet_windows_raise_nothing(watch: Watch) -> None:
    """As in training: ok, no issue, and files for the page."""
    assert "Verdict: ok" in watch.window()
    assert watch.issues == []
    folder = watch.clone / ".gitops" / "monitoring"
    newest = json.loads((folder / "window.json").read_text())
    assert (newest["verdict"], newest["seen"]["rows"], newest["version"]) == ("ok", 600, "1")
    assert json.loads((folder / "windows.json").read_text())[-1] == newest


def test_a_window_is_not_judged_twice(watch: Watch) -> None:
    """Run again the same day, it changes nothing."""
    watch.window()
    watch.servers.count_rows(watch.reference, 600, ("worst_radius",))
    tip = watch.git("rev-parse", "mlflow")
    assert "already" in watch.monitor()
    assert watch.git("rev-parse", "mlflow") == tip


def test_ten_alarms_make_one_issue(watch: Watch) -> None:
    """Opened by the second window in alarm, then rewritten; no comments."""
    watch.window("worst_radius")
    assert watch.issues == []
    for _ in range(9):
        watch.window("worst_radius")
    (issue,) = watch.issues
    assert (issue["title"], issue["state"], issue["comments"]) == (DRIFT, "open", 0)
    assert "```mermaid" in issue["body"]
    assert issue["body"].count("| alarm  ") == 10


def test_without_new_rows_it_needs_labels_and_trains_nothing(watch: Watch) -> None:
    """A training would not help, and the issue says how to add rows."""
    watch.drifts()
    (issue,) = watch.issues
    assert "needs labels" in issue["body"]
    assert "since version 1 was trained" in issue["body"]
    assert watch.trainings == 0


def test_with_new_rows_one_training_is_started_within_the_cool_down(watch: Watch) -> None:
    """Recorded first, then dispatched, once; the issue has the time of the next one."""
    watch.add_rows()
    watch.drifts(5)
    assert watch.trainings == 1
    (asked,) = watch.state["asked"]
    assert asked["keys"] == ["data drift: worst_radius"]
    (issue,) = watch.issues
    assert "A training was requested at" in issue["body"]
    sent = next(call for call in watch.hub.requests if call.path.endswith("/dispatches"))
    assert sent.method == "POST"


@pytest.mark.faults
def test_a_dispatch_that_failed_is_not_sent_twice(watch: Watch) -> None:
    """It was recorded and its result is unknown: the issue is kept, the run is red, and the cooldown applies."""
    watch.add_rows()
    watch.window("worst_radius")
    watch.hub.faults.add(method="POST", path=r"/dispatches$", kind="lost")
    watch.window("worst_radius", code=8)
    assert len(watch.issues) == 1
    watch.window("worst_radius")
    assert watch.trainings == 1


@pytest.mark.faults
def test_killed_before_the_issue_the_next_run_opens_it(watch: Watch) -> None:
    """The window was judged already; the stored state is enough."""
    watch.window("worst_radius")
    watch.hub.faults.add(method="POST", path=r"/issues$", kind="422")
    watch.window("worst_radius", code=8)
    assert watch.issues == []
    watch.monitor()
    assert [issue["title"] for issue in watch.issues] == [DRIFT]


def test_it_closes_when_it_is_over(watch: Watch) -> None:
    """Two of three windows without drift close it; a later alarm opens another issue."""
    watch.drifts()
    watch.window()
    assert watch.issues[0]["state"] == "open"
    watch.window()
    (issue,) = watch.issues
    assert (issue["state"], issue["state_reason"]) == ("closed", "completed")
    watch.drifts()
    assert [issue["state"] for issue in watch.issues] == ["closed", "open"]


def test_too_few_rows_do_not_close_it(watch: Watch) -> None:
    """Insufficient data does not end an alarm."""
    watch.drifts()
    for _ in range(3):
        watch.window(rows=20)
    assert watch.issues[0]["state"] == "open"


def test_another_champion_closes_it_even_before_it_serves(watch: Watch) -> None:
    """The alarm was about the previous version; servers that still have it are an Error, and no alarm."""
    watch.drifts()
    watch.compare_again("again", "2")
    watch.promote(str(watch.clone.parent / "again"))
    watch.merge(watch.pull["number"])
    assert "it serves version 1" in watch.monitor("--now", code=16)
    assert [issue["state"] for issue in watch.issues] == ["closed"]
    assert watch.state["alarms"] == {}


def test_an_issue_that_a_person_closed_stays_closed_while_the_alarm_lasts(watch: Watch) -> None:
    """A person who closes the issue has read it."""
    watch.drifts()
    watch.request("PATCH", f"/issues/{watch.issues[0]['number']}", state="closed")
    assert "was closed by a person" in watch.drifts()
    assert [issue["state"] for issue in watch.issues] == ["closed"]


def test_many_columns_make_one_issue(watch: Watch) -> None:
    """One cause, one issue, with a table of them."""
    moved = tuple(watch.reference["columns"])[:8]
    for _ in range(2):
        watch.window(*moved)
    (issue,) = watch.issues
    assert issue["title"] == "Data drift in production: many columns"
    assert "## 🔔 Data drift: 8 columns" in issue["body"]


def test_the_webhook_gets_the_beginning_and_the_end(watch: Watch) -> None:
    """Once each, in Slack's format."""
    watch.drifts(4)
    for _ in range(3):
        watch.window()
    texts = [json.loads(text)["text"] for text in watch.servers.posted]
    assert [text.split(": ")[1] for text in texts] == ["began", "ended"]
    assert all("data drift: worst_radius" in text for text in texts)


def test_an_exit_code_only_where_asked(watch: Watch) -> None:
    """Otherwise every verdict is a result."""
    watch.drifts()
    watch.monitor("--exit-code", code=6)
    watch.monitor()


def test_servers_that_do_not_answer_are_an_error_and_no_alarm(watch: Watch) -> None:
    """No window is judged or written."""
    watch.push("model.toml", f'urls = ["{watch.servers.url}"]', 'urls = ["http://127.0.0.1:9"]')
    tip = watch.git("rev-parse", "mlflow")
    assert "No server serves version" in watch.monitor("--now", code=16)
    assert watch.git("rev-parse", "mlflow") == tip
    assert watch.issues == []
