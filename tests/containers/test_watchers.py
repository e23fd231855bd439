"""Prometheus and Alertmanager beside a deployment, on a real container engine; an idle container replaces Grafana."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from container_engine import ContainerEngine, free_port
from containers.compose_environment import ComposeEnvironment
from images import UNPRIVILEGED_UID, Image, build_nginx_image, build_program_image
from prometheus import query_metrics, wait_until

SHELL = {"/bin/sh": "/bin/sh"}
# Debian installs the templates beside the program; elsewhere it contains them.
TEMPLATES = {
    file: file for name in ("default", "email") for file in [f"/usr/share/prometheus/alertmanager/{name}.tmpl"]
}
IDLE = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do /bin/sleep 1; done"]
SERVICES = ("prometheus", "alertmanager", "grafana")
NOTHING = Image("1", "sha256:none", "none", Path())
WEBHOOK, TOKEN, OTHER = "http://127.0.0.1:9/a-secret-place", "a-secret-token", "another-token"


@dataclass
class MonitoringStack:
    """An environment without a version, and its monitoring.

    Attributes:
        environment: Environment on the engine.
        env: Variables with images and ports.
    """

    environment: ComposeEnvironment
    env: dict[str, Any]

    def watch(self, **env: str) -> dict[str, str]:
        """Start the services, and return their addresses."""
        variables: dict[str, Any] = {**self.env, **env}
        found: dict[str, str] = self.environment.roll(NOTHING, "watch", **variables)[0]
        return found

    def started(self) -> dict[str, str]:
        """Return the start time of each container."""
        return {name: entry["State"]["StartedAt"] for name, entry in self.environment.containers().items()}


@pytest.fixture(scope="module")
def monitoring_images(engine: ContainerEngine) -> dict[str, str]:
    """Images of this machine's programs, by the variables that name them."""
    made = {
        "prometheus": (SHELL | {"/bin/prometheus": "/usr/bin/prometheus"}, "/prometheus"),
        "alertmanager": (
            SHELL | {"/bin/alertmanager": "/usr/bin/prometheus-alertmanager", **TEMPLATES},
            "/alertmanager",
        ),
    }
    found = {
        name: build_program_image(engine, name, held, "ENV PATH=/bin", owned_folder=own)
        for name, (held, own) in made.items()
    }
    found["grafana"] = build_program_image(
        engine, "grafana", SHELL | {"/bin/sleep": "/bin/sleep"}, f"ENTRYPOINT {json.dumps(IDLE)}"
    )
    return {f"GITOPS_{name.upper()}_IMAGE": reference for name, reference in found.items()}


@pytest.fixture
def stack(
    repository: Path, engine: ContainerEngine, monitoring_images: dict[str, str], tmp_path: Path
) -> Iterator[MonitoringStack]:
    """Monitoring services on a separate network, at free ports."""
    environment = ComposeEnvironment(
        repository, engine, tmp_path / "state", build_nginx_image(engine), free_port(), "bridge"
    )
    environment.clear()
    ports = {f"GITOPS_{name.upper()}_PORT": str(free_port()) for name in SERVICES}
    yield MonitoringStack(environment, {**monitoring_images, **ports, "GITOPS_WEBHOOK": WEBHOOK, "GITOPS_TOKEN": TOKEN})
    environment.clear()


def test_the_monitoring_stack_starts_with_few_privileges(stack: MonitoringStack) -> None:
    """Prometheus has the rules and an Alertmanager, and only this machine reaches them."""
    found = stack.watch()
    assert set(found) == set(SERVICES)
    for name in ("prometheus", "alertmanager"):
        wait_until(lambda name=name: answers(f"{found[name]}/-/ready"), f"{name} is ready")  # type: ignore[misc]
    groups = requests.get(f"{found['prometheus']}/api/v1/rules", timeout=10).json()["data"]["groups"]
    assert {group["name"] for group in groups} == {"gitops-requests", "gitops-drift"}
    wait_until(
        lambda: alertmanagers(found["prometheus"]) == ["http://alertmanager:9093/api/v2/alerts"],
        "Prometheus has an Alertmanager",
    )
    containers = stack.environment.containers()
    assert set(containers) == set(SERVICES)
    for entry in containers.values():
        assert_bounded(entry)
    # No stored file contains them.
    assert TOKEN not in kept(stack.environment.folder)
    assert WEBHOOK not in kept(stack.environment.folder)


def test_starting_again_changes_only_what_differs(stack: MonitoringStack) -> None:
    """Another token restarts Prometheus, another webhook Alertmanager; and all services can be stopped."""
    stack.watch()
    before = stack.started()
    stack.watch()
    assert stack.started() == before
    stack.watch(GITOPS_TOKEN=OTHER)
    after = stack.started()
    assert {name for name in SERVICES if after[name] != before[name]} == {"prometheus"}
    stack.watch(GITOPS_TOKEN=OTHER, GITOPS_WEBHOOK=f"{WEBHOOK}/2")
    assert {name for name in SERVICES if stack.started()[name] != after[name]} == {"alertmanager"}
    stack.environment.roll(NOTHING, "end", **stack.env)
    assert stack.environment.containers() == {}


def test_prometheus_scrapes_both_colours_on_their_network(stack: MonitoringStack) -> None:
    """The addresses are those of nginx; neither colour runs yet, which Prometheus reports."""
    found = stack.watch()
    targets = [{"targets": [f"198.18.0.{host}:8080"], "labels": {"job": "gitops-a"}} for host in (3, 4)]
    front = stack.environment.folder / "front"
    (front / "targets.json").write_text(json.dumps(targets))
    wait_until(lambda: answers(f"{found['prometheus']}/-/ready"), "Prometheus is ready")
    wait_until(
        lambda: len(query_metrics(found["prometheus"], 'up{job="gitops-a"} == 0')) == 2, "both are asked", seconds=90
    )


def alertmanagers(prometheus: str) -> list[str]:
    """Return the addresses of its Alertmanagers."""
    found = requests.get(f"{prometheus}/api/v1/alertmanagers", timeout=10).json()["data"]["activeAlertmanagers"]
    return [one["url"] for one in found]


def answers(url: str) -> bool:
    """Return whether a server responds with success."""
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def assert_bounded(entry: dict[str, Any]) -> None:
    """Assert a read-only root, no capabilities, an unprivileged user, limits, and one address."""
    host = entry["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert 0 < host["Memory"] <= 2**30
    assert entry["Config"]["User"].partition(":")[0] in {str(UNPRIVILEGED_UID), "472"}
    assert {bound["HostIp"] for ports in host["PortBindings"].values() for bound in ports} == {"127.0.0.1"}


def kept(folder: Path) -> str:
    """Return the text of every file below a folder."""
    return "".join(file.read_text() for file in folder.rglob("*") if file.is_file())
