"""The files for Prometheus, Alertmanager and Grafana, with the real Prometheus and Alertmanager."""

import json
import math
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_ml.monitoring.alert_rules import render_alert_rules as made
from gitops_ml.monitoring_config import MonitoringConfig
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
from repositories import DATA, GENERATED, LIBRARY, run

# The rules with the defaults of model.toml.
DEFAULT = made(MonitoringConfig(), Path())
TESTS = Path(__file__).with_name("rules.test.yml")
DASHBOARD = json.loads((DATA / "grafana" / "dashboards" / "model.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [(panel["title"], target) for panel in PANELS for target in panel["targets"]]
METRIC = re.compile(r"\b(?:\w+:)?gitops_\w+(?::\w+)?")
EXPORTER = Path(__file__).with_name("exporter.py")
# Windows of seconds, so that a test need not wait for days: ten seconds, and an alarm after ten more.
WINDOW = 10
# No other column of the thirty drifts by chance in the rows of a window.
MOVED = "mean_radius"
COMPOSE_VARIABLES = {
    "GITOPS_SUBNET": "198.18.0.0/29", "GITOPS_FRONT_ADDRESS": "198.18.0.2", "GITOPS_BLUE_ADDRESS": "198.18.0.3",
    "GITOPS_GREEN_ADDRESS": "198.18.0.4", "GITOPS_PROMETHEUS_ADDRESS": "198.18.0.5",
}  # fmt: skip
SERVICES = {"prometheus", "alertmanager", "grafana"}


@dataclass
class Server:
    """A fake server's /metrics.

    Attributes:
        process: Process of exporter.py.
        address: Address to scrape.
    """

    process: "subprocess.Popen[str]"
    address: str

    def answer(self, rows: int, **asked: Any) -> None:
        """Count this many predicted rows."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"rows": rows, **asked}) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def wait_until(self, true: Any, what: str, **asked: Any) -> None:
        """Count rows until a condition is true."""

        def busy() -> object:
            self.answer(100, **asked)
            return true()

        wait_until(busy, what)


@pytest.fixture(scope="module")
def reference(repository: Path) -> Path:
    """The reference of the first champion: distributions of rows and predictions."""
    return next((repository / ".gitops" / "versions").glob("*/reference.json"))


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rules, with windows of seconds."""
    file = tmp_path_factory.mktemp("rules") / "rules.yml"
    file.write_text(made(MonitoringConfig(window_hours=WINDOW / 3600, minimum_rows=100), Path()))
    return file


@pytest.fixture
def server(repository: Path, reference: Path) -> Iterator[Server]:
    """A server without requests."""
    command = [str(repository / ".venv/bin/python"), str(EXPORTER), str(reference)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Server(process, process.stdout.readline().strip())
        process.kill()


@pytest.fixture
def alert_inbox() -> Iterator[Inbox]:
    """The receiver of Alertmanager's messages."""
    with inbox() as made:
        yield made


@pytest.fixture
def watched(server: Server, rules: Path, alert_inbox: Inbox, tmp_path: Path) -> Iterator[str]:
    """The address of a Prometheus that scrapes the server and alerts an Alertmanager."""
    with alertmanager(tmp_path / "alertmanager", alert_inbox.address) as teller:
        target_file = targets(tmp_path / "targets.json", [server.address])
        with prometheus(tmp_path / "prometheus", settings(target_file, rules, teller)) as address:
            yield address


def test_the_rules_and_the_settings_are_valid(tmp_path: Path) -> None:
    """Prometheus' and Alertmanager's own tools accept them."""
    (tmp_path / "rules.yml").write_text(DEFAULT)
    run(tmp_path, "promtool", "check", "rules", "rules.yml")
    run(DATA, "promtool", "check", "config", "--syntax-only", "prometheus/prometheus.yml")
    run(DATA, "amtool", "check-config", "prometheus/alertmanager.yml")


def test_each_alert_is_raised_and_is_not(tmp_path: Path) -> None:
    """The unit tests of the rules pass, and cover every alert."""
    (tmp_path / "rules.yml").write_text(DEFAULT)
    shutil.copy(TESTS, tmp_path)
    run(tmp_path, "promtool", "test", "rules", TESTS.name)
    tested = yaml.safe_load(TESTS.read_text())["tests"]
    raised = {one["alertname"] for test in tested for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert raised == {rule["alert"] for rule in all_rules() if "alert" in rule}


def test_another_threshold_fails_the_unit_tests(tmp_path: Path) -> None:
    """The unit tests detect an alarm that is raised too late."""
    late = DEFAULT.replace('{column!=""} >= 0.15', '{column!=""} >= 0.5')
    assert late != DEFAULT
    (tmp_path / "rules.yml").write_text(late)
    shutil.copy(TESTS, tmp_path)
    run(tmp_path, "promtool", "test", "rules", TESTS.name, code=1)


def test_every_alert_has_a_summary_and_a_runbook() -> None:
    """A summary for people, a severity for routes, and a heading in the runbook of the repository."""
    headings = re.findall(r"^#+ (.*)$", (GENERATED / "docs" / "runbook.md").read_text(), re.MULTILINE)
    for rule in all_rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in {"warning", "alarm"}
            assert rule["annotations"]["summary"].endswith(".")
            assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
            assert rule["alert"] in headings


def test_traffic_as_in_training_raises_nothing_and_a_shifted_column_is_reported(
    server: Server, watched: str, alert_inbox: Inbox, reference: Path
) -> None:
    """From the counters of a server, through real rules and a real Alertmanager, to the webhook; and resolved again."""
    index = "column:gitops_stability_index:window"
    server.wait_until(lambda: query_metrics(watched, index), "an index")
    for query in (f"sum(gitops_rows_total) > {100 * WINDOW}", f"count({index} offset 2s) > 30"):
        server.wait_until(lambda query=query: query_metrics(watched, query), query)
    assert firing_alerts(watched) == set()
    agree(watched, reference)

    server.wait_until(lambda: firing_alerts(watched), "an alarm", moved=[MOVED])
    server.wait_until(lambda: ("GitopsDataDrift", MOVED, "alarm") in firing_alerts(watched), "the alarm", moved=[MOVED])
    assert {(name, column) for name, column, _ in firing_alerts(watched)} == {("GitopsDataDrift", MOVED)}
    agree(watched, reference)
    # A first message may be of the warning that came before.
    alarm = f"{MOVED} is not distributed as in training"
    server.wait_until(lambda: alarm in json.dumps(alert_inbox.messages), "a message", moved=[MOVED])
    assert "FIRING: GitopsDataDrift" in alert_inbox.titles()
    assert "docs/runbook.md#gitopsdatadrift" in json.dumps(alert_inbox.messages)

    server.wait_until(lambda: not firing_alerts(watched), "all clear")
    server.wait_until(lambda: "RESOLVED: GitopsDataDrift" in alert_inbox.titles(), "a message that it is over")
    assert set(alert_inbox.titles()) == {"FIRING: GitopsDataDrift", "RESOLVED: GitopsDataDrift"}


def test_a_server_that_fails_and_then_is_down_is_reported(server: Server, watched: str, alert_inbox: Inbox) -> None:
    """First the failed requests; then only that the server is down."""
    server.wait_until(lambda: "FIRING: GitopsFailedRequests" in alert_inbox.titles(), "requests that fail", failed=5)
    server.process.kill()
    wait_until(lambda: "FIRING: GitopsServerDown" in alert_inbox.titles(), "a server that is down")


def test_every_panel_shows_something(server: Server, watched: str) -> None:
    """Each expression is valid, and has a value if there is traffic."""
    ready = "count(column:gitops_chance:window) > 30 and count(column:gitops_missing_share:window) > 29"
    server.wait_until(lambda: query_metrics(watched, ready), "recorded rules")
    server.wait_until(lambda: query_metrics(watched, "ALERTS"), "an alert", moved=[MOVED])
    server.wait_until(
        lambda: query_metrics(watched, 'ALERTS{alertstate="firing"}'), "an alert that fires", moved=[MOVED]
    )
    for variable in DASHBOARD["templating"]["list"]:
        assert query_metrics(watched, filled(re.findall(r"label_values\((.*), \w+\)", variable["definition"])[0]))
    for title, target in TARGETS:
        assert query_metrics(watched, filled(target["expr"])), f"{title}: {target['expr']}"


def test_the_dashboard_is_about_metrics_that_there_are() -> None:
    """Counters of a server, or what a rule records."""
    source = (LIBRARY / "counters.py").read_text()
    counted = set(re.findall(r'= "(gitops_\w+)"', source))
    known = counted | {f"{name}_{end}" for name in counted for end in ("total", "bucket")}
    known |= {rule["record"] for rule in all_rules() if "record" in rule}
    for title, target in TARGETS:
        assert set(METRIC.findall(target["expr"])) <= known, title
    for rule in all_rules():
        assert set(METRIC.findall(rule["expr"])) <= known, rule


def test_the_dashboard_is_whole() -> None:
    """Panels have unique ids and titles, and descriptions, do not overlap, and query the provisioned Prometheus."""
    (source,) = yaml.safe_load((DATA / "grafana/datasources/prometheus.yml").read_text())["datasources"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    assert all(panel["description"].endswith(".") for panel in PANELS)
    asked = [*PANELS, *DASHBOARD["templating"]["list"], *(target for _, target in TARGETS)]
    assert {one["datasource"]["uid"] for one in asked} == {source["uid"]}
    places = [square for panel in DASHBOARD["panels"] for square in squares(**panel["gridPos"])]
    assert len(set(places)) == len(places)
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {"job", "version"}
    for title, target in TARGETS:
        assert (
            "$version" in target["expr"]
            or "$job" in target["expr"]
            or "gitops_stability_index:" in title + target["expr"]
        )


@pytest.mark.parametrize("network", ["bridge", "host"])
def test_compose_starts_them_for_this_machine_only(network: str) -> None:
    """In a separate profile; with a read-only root, no capabilities, no privileges; pinned."""
    files = ("--file", "compose.yaml", "--file", f"{network}.yaml")
    more = COMPOSE_VARIABLES | ({"GITOPS_WATCHED_FROM": "127.0.0.1"} if network == "host" else {})
    output = run(DATA / "compose", "docker", "compose", *files, "config", "--services", env=more)
    assert set(output.split()) == {"front", "blue", "green"}
    output = run(DATA / "compose", "docker", "compose", *files, "--profile", "monitoring", "config", env=more)
    services = yaml.safe_load(output)["services"]
    assert set(services) == {"front", "blue", "green", *SERVICES}
    for name in SERVICES:
        service = services[name]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert service["user"].partition(":")[0] not in {"0", "root"}
        assert re.search(r":v?\d+\.\d+\.\d+@sha256:[0-9a-f]{64}$", service["image"])
        assert all(volume.get("read_only") for volume in service["volumes"] if volume["type"] == "bind")
        listens = [port["host_ip"] for port in service.get("ports", [])]
        if network == "host":
            arguments = json.dumps(service.get("command")) + json.dumps(service["environment"])
            listens = ["127.0.0.1"] if "127.0.0.1" in arguments else []
        assert listens == ["127.0.0.1"]


def test_a_podmonitor_selects_the_pods(tmp_path: Path) -> None:
    """The folder of an environment names the component, and a PodMonitor comes with it that selects its pods."""
    shutil.copytree(GENERATED / "deploy" / "kubernetes", tmp_path / "kubernetes")
    with (tmp_path / "kubernetes" / "production" / "kustomization.yaml").open("a") as file:
        file.write("components:\n  - ../components/monitoring\n")
    rendered = run(tmp_path, "kubectl", "kustomize", "kubernetes/production")
    documents = {document["kind"]: document for document in yaml.safe_load_all(rendered)}
    monitor, pod = documents["PodMonitor"]["spec"], documents["Deployment"]["spec"]["template"]
    assert monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (endpoint,), (container,) = monitor["podMetricsEndpoints"], pod["spec"]["containers"]
    assert endpoint["port"] in {port["name"] for port in container["ports"]}


def all_rules() -> list[dict[str, Any]]:
    """The rules of all groups."""
    return [rule for group in yaml.safe_load(DEFAULT)["groups"] for rule in group["rules"]]


def filled(expression: str) -> str:
    """The expression as Grafana sends it when everything is selected."""
    return expression.replace("$job", ".*").replace("$version", ".*")


def squares(x: int, y: int, w: int, h: int) -> list[tuple[int, int]]:
    """The squares of the grid that a panel covers."""
    return [(column, line) for column in range(x, x + w) for line in range(y, y + h)]


def agree(address: str, file: Path) -> None:
    """Assert that the index of each column equals the one that Python computes from the same counts."""
    # One instant for all of them, of which all is recorded.
    query = '{__name__=~"bin:gitops_(reference_)?rows(:window)?|column:gitops_stability_index:window"} offset 2s'
    found: dict[str, dict[tuple[str, str], float]] = {}
    for series in query_metrics(address, query):
        labels = series["metric"]
        place = (labels.get("column", ""), labels.get("bin", ""))
        found.setdefault(labels["__name__"], {})[place] = float(series["value"][1])
    columns = json.loads(file.read_text())["columns"]
    assert {column for column, _ in found["column:gitops_stability_index:window"]} == {"", *columns}
    for (column, _), recorded in found["column:gitops_stability_index:window"].items():
        before, now = (
            {place: rows for (name, place), rows in found[metric].items() if name == column}
            for metric in ("bin:gitops_reference_rows", "bin:gitops_rows:window")
        )
        used = [place for place in before if before[place] + now[place] > 0]
        then, seen = ({place: rows[place] + 0.5 for place in used} for rows in (before, now))
        shares = [(then[place] / sum(then.values()), seen[place] / sum(seen.values())) for place in used]
        index = sum((b - a) * math.log(b / a) for a, b in shares)
        assert recorded == pytest.approx(index, abs=1e-9), column
