"""Prometheus and Alertmanager beside a deployment, on a real container engine; Grafana is a stand-in that sleeps."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from containers.place import Place
from engines import Yard, free_port
from images import NOBODY, Image, nginx, programs
from prometheus import ask, until

SHELL = {"/bin/sh": "/bin/sh"}
# Debian's lie beside the program; elsewhere they are in it.
TEMPLATES = {
    file: file for name in ("default", "email") for file in [f"/usr/share/prometheus/alertmanager/{name}.tmpl"]
}
IDLE = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do /bin/sleep 1; done"]
WATCHERS = ("prometheus", "alertmanager", "grafana")
NOTHING = Image("1", "sha256:none", "none", Path())
WEBHOOK, TOKEN, OTHER = "http://127.0.0.1:9/a-secret-place", "a-secret-token", "another-token"


@dataclass
class Stand:
    """An environment without a version, and what watches it.

    Attributes:
        place: The environment.
        env: Images and ports.
    """

    place: Place
    env: dict[str, Any]

    def watch(self, **env: str) -> dict[str, str]:
        """Bring them up; where each is found."""
        said: dict[str, Any] = {**self.env, **env}
        found: dict[str, str] = self.place.roll(NOTHING, "watch", **said)[0]
        return found

    def started(self) -> dict[str, str]:
        """When each container was."""
        return {name: entry["State"]["StartedAt"] for name, entry in self.place.containers().items()}


@pytest.fixture(scope="module")
def watching(yard: Yard) -> dict[str, str]:
    """Images of this machine's programs, by the variables that name them."""
    made = {
        "prometheus": (SHELL | {"/bin/prometheus": "/usr/bin/prometheus"}, "/prometheus"),
        "alertmanager": (
            SHELL | {"/bin/alertmanager": "/usr/bin/prometheus-alertmanager", **TEMPLATES},
            "/alertmanager",
        ),
    }
    found = {name: programs(yard, name, held, "ENV PATH=/bin", own=own) for name, (held, own) in made.items()}
    found["grafana"] = programs(yard, "grafana", SHELL | {"/bin/sleep": "/bin/sleep"}, f"ENTRYPOINT {json.dumps(IDLE)}")
    return {f"GITOPS_{name.upper()}_IMAGE": reference for name, reference in found.items()}


@pytest.fixture
def stand(repository: Path, yard: Yard, watching: dict[str, str], tmp_path: Path) -> Iterator[Stand]:
    """On a network of its own, at ports that are free."""
    place = Place(repository, yard, tmp_path / "state", nginx(yard), free_port(), "bridge")
    place.clear()
    ports = {f"GITOPS_{name.upper()}_PORT": str(free_port()) for name in WATCHERS}
    yield Stand(place, {**watching, **ports, "GITOPS_WEBHOOK": WEBHOOK, "GITOPS_TOKEN": TOKEN})
    place.clear()


def test_they_come_up_beside_what_serves_and_may_no_more_than_they_need(stand: Stand) -> None:
    """The rules are followed, alerts have somebody to go to, and this machine alone can look."""
    found = stand.watch()
    assert set(found) == set(WATCHERS)
    for name in ("prometheus", "alertmanager"):
        until(lambda name=name: answers(f"{found[name]}/-/ready"), f"{name} is ready")  # type: ignore[misc]
    groups = requests.get(f"{found['prometheus']}/api/v1/rules", timeout=10).json()["data"]["groups"]
    assert {group["name"] for group in groups} == {"gitops-requests", "gitops-drift"}
    until(
        lambda: told(found["prometheus"]) == ["http://alertmanager:9093/api/v2/alerts"], "alerts have somebody to go to"
    )
    containers = stand.place.containers()
    assert set(containers) == set(WATCHERS)
    for entry in containers.values():
        assert_bounded(entry)
    # Neither stands in a file that is kept.
    assert TOKEN not in kept(stand.place.folder)
    assert WEBHOOK not in kept(stand.place.folder)


def test_doing_it_again_changes_only_what_differs(stand: Stand) -> None:
    """Another token is Prometheus' matter, another webhook Alertmanager's; and all of it can be ended."""
    stand.watch()
    before = stand.started()
    stand.watch()
    assert stand.started() == before
    stand.watch(GITOPS_TOKEN=OTHER)
    after = stand.started()
    assert {name for name in WATCHERS if after[name] != before[name]} == {"prometheus"}
    stand.watch(GITOPS_TOKEN=OTHER, GITOPS_WEBHOOK=f"{WEBHOOK}/2")
    assert {name for name in WATCHERS if stand.started()[name] != after[name]} == {"alertmanager"}
    stand.place.roll(NOTHING, "end", **stand.env)
    assert stand.place.containers() == {}


def test_prometheus_asks_both_colours_on_their_network(stand: Stand) -> None:
    """Where nginx would find them; nobody is there yet, which is said."""
    found = stand.watch()
    targets = [{"targets": [f"198.18.0.{host}:8080"], "labels": {"job": "gitops-a"}} for host in (3, 4)]
    front = stand.place.folder / "front"
    (front / "targets.json").write_text(json.dumps(targets))
    until(lambda: answers(f"{found['prometheus']}/-/ready"), "Prometheus is ready")
    until(lambda: len(ask(found["prometheus"], 'up{job="gitops-a"} == 0')) == 2, "both are asked", seconds=90)


def told(prometheus: str) -> list[str]:
    """Where it posts alerts."""
    found = requests.get(f"{prometheus}/api/v1/alertmanagers", timeout=10).json()["data"]["activeAlertmanagers"]
    return [one["url"] for one in found]


def answers(url: str) -> bool:
    """Whether somebody says that all is well."""
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def assert_bounded(entry: dict[str, Any]) -> None:
    """A root that cannot be written, no capability, nobody's rights, limits, and one address."""
    host = entry["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert 0 < host["Memory"] <= 2**30
    assert entry["Config"]["User"].partition(":")[0] in {str(NOBODY), "472"}
    assert {bound["HostIp"] for ports in host["PortBindings"].values() for bound in ports} == {"127.0.0.1"}


def kept(folder: Path) -> str:
    """The text of every file below a folder."""
    return "".join(file.read_text() for file in folder.rglob("*") if file.is_file())
