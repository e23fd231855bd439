"""Blue and green behind nginx, with a real container engine: nobody notices that a version was replaced."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from engines import Yard
from images import Image, nginx

ROLL = Path(__file__).with_name("roll.py")
PROJECT = "gitops-tumour-screening-production"
FRONT = "front"
# Effects of a deployment: the colour is started, nginx is started, callers are pointed to it, the old one is stopped,
# and removed.
EFFECTS = range(1, 6)


@dataclass
class Place:
    """One environment on the engine.

    Attributes:
        repository: Whose Python and manifests are used.
        yard: Where it runs.
        folder: What nginx reads lies below it.
        front: The image of nginx.
        port: Where callers come.
    """

    repository: Path
    yard: Yard
    folder: Path
    front: str
    port: int
    network: str

    @property
    def url(self) -> str:
        """Where callers come."""
        return f"http://127.0.0.1:{self.port}"

    def roll(self, image: Image, *steps: str, kill: int = 0, **env: str) -> Any:
        """Do these steps of the target with a version; what each returned, or the error that ended them."""
        toml = (self.repository / "model.toml").read_text()
        asked = {
            "root": str(self.repository), "folder": str(self.folder), "steps": steps, "kill": kill,
            "toml": toml.replace('kind = "none"', 'kind = "compose"').replace("port = 8080", f"port = {self.port}"),
            "rollout": image.rollout,
        }  # fmt: skip
        env = {**os.environ, **self.yard.environment, "GITOPS_FRONT_IMAGE": self.front,
               "GITOPS_CONTAINER_NETWORK": self.network, **env}  # fmt: skip
        done = subprocess.run(
            [self.repository / ".venv/bin/python", ROLL], input=json.dumps(asked), check=False, capture_output=True,
            text=True, env=env,
        )  # fmt: skip
        assert done.returncode == (-signal.SIGKILL if kill else 0), done.stderr
        return None if kill else json.loads(done.stdout)

    def deploy(self, image: Image) -> str | None:
        """As `gitops deploy` does it: only what is missing, and callers only when it is ready; where it was tried."""
        (running,) = self.roll(image, "running")
        if running and running["digest"] == image.digest:
            self.roll(image, "abandon")
            return None
        url, alive = self.roll(image, "start", "alive")
        assert alive
        wait_ready(url)
        assert self.roll(image, "switch") == [None]
        return str(url)

    def containers(self) -> dict[str, Any]:
        """What there is, by service, as the engine knows it."""
        ids = self.yard.docker("ps", "--all", "--quiet", "--filter", f"name=^{PROJECT}-").split()
        found = json.loads(self.yard.docker("inspect", *ids)) if ids else []
        return {entry["Config"]["Labels"]["com.docker.compose.service"]: entry for entry in found}

    def answers(self, image: Image) -> bool:
        """Whether callers get this version, and of the recorded rows it says what it said in training."""
        body, predictions = image.recorded
        said = requests.post(
            f"{self.url}/predict", data=body, headers={"Content-Type": "application/json"}, timeout=30
        ).json()  # fmt: skip
        return bool(said["version"] == image.version and said["predictions"] == predictions)

    def clear(self) -> None:
        """Remove everything."""
        ids = [entry["Id"] for entry in self.containers().values()]
        if ids:
            self.yard.docker("rm", "--force", *ids)
        networks = self.yard.docker("network", "ls", "--quiet", "--filter", f"name={PROJECT}").split()
        if networks:
            self.yard.docker("network", "rm", *networks)
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Load:
    """What callers got while something happened."""

    versions: list[list[str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def wait_ready(url: str) -> None:
    """Until the address says that it is ready."""
    until = time.monotonic() + 180
    while time.monotonic() < until:
        try:
            if requests.get(f"{url}/health/ready", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{url} did not become ready")


def wait_gone(url: str) -> None:
    """Until nobody answers there any more."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            requests.get(url, timeout=1)
        except requests.RequestException:
            return
        time.sleep(0.1)
    raise AssertionError(f"{url} still answers")


@contextmanager
def load(place: Place, image: Image) -> Iterator[Load]:
    """Callers that ask all the time, every other one through a connection that it holds open; none tries again."""
    seen, stop = Load([[] for _ in range(4)]), threading.Event()
    body = json.dumps({"rows": json.loads(image.recorded[0])["rows"][:1]})

    def ask(caller: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=60)
        while not stop.wait(0.01):
            try:
                connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                said = json.loads(answer.read())
                seen.versions[caller].append(said["version"])
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                seen.failures.append(repr(error))
                connection.close()
            if caller % 2:
                connection.close()
        connection.close()

    callers = [threading.Thread(target=ask, args=(number,)) for number in range(len(seen.versions))]
    for caller in callers:
        caller.start()
    try:
        yield seen
    finally:
        stop.set()
        for caller in callers:
            caller.join()


@pytest.fixture(scope="module")
def front(yard: Yard) -> str:
    """The image of nginx."""
    return nginx(yard)


@pytest.fixture(params=["bridge", "host"])
def place(request: pytest.FixtureRequest, repository: Path, yard: Yard, front: str, tmp_path: Path) -> Iterator[Place]:
    """An environment with nothing in it, on each kind of network."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    made = Place(repository, yard, tmp_path / "state", front, port, request.param)
    made.clear()
    yield made
    made.clear()


def test_a_new_version_takes_over_and_no_request_is_lost(place: Place, images: tuple[Image, Image]) -> None:
    """Under constant load, with connections held open and without; whoever got the new one never gets the old again."""
    one, two = images
    place.deploy(one)
    assert place.answers(one)
    with load(place, one) as seen:
        place.deploy(two)
        place.deploy(one)
    assert seen.failures == []
    for versions in seen.versions:
        changes = [version for before, version in zip(["", *versions], versions, strict=False) if version != before]
        assert changes == ["1", "2", "1"]
    assert place.answers(one)
    assert len(place.containers()) == 2


def test_a_request_that_takes_long_to_arrive_is_answered_by_whom_it_came_to(
    place: Place, images: tuple[Image, Image]
) -> None:
    """The old version ends when it has finished what it began."""
    one, two = images
    own = place.deploy(one)
    body = one.recorded[0].encode()
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=60)
    connection.putrequest("POST", "/predict")
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body[:100])
    url, _ = place.roll(two, "start", "alive")
    wait_ready(url)
    switching = threading.Thread(target=place.roll, args=(two, "switch"))
    switching.start()
    wait_gone(f"{own}/health/live")
    assert place.answers(two)
    connection.send(body[100:])
    assert json.loads(connection.getresponse().read())["version"] == "1"
    connection.close()
    switching.join()
    assert len(place.containers()) == 2


@pytest.mark.parametrize("kill", EFFECTS)
@pytest.mark.parametrize("place", ["bridge"], indirect=True)
def test_killed_after_any_effect_it_converges(place: Place, images: tuple[Image, Image], kill: int) -> None:
    """Callers are answered all the while, and the next run goes through with it."""
    one, two = images
    place.deploy(one)
    with load(place, one) as seen:
        if kill == 1:
            place.roll(two, "start", kill=1)
        else:
            wait_ready(place.roll(two, "start")[0])
            place.roll(two, "switch", kill=kill - 1)
        place.deploy(two)
    assert seen.failures == []
    assert place.answers(two)
    assert len(place.containers()) == 2


def test_an_abandoned_version_leaves_the_other_alone(place: Place, images: tuple[Image, Image]) -> None:
    """It never had a caller; what it wrote is told."""
    one, two = images
    place.deploy(one)
    before = place.containers()
    with load(place, one) as seen:
        started, alive = place.roll(two, "start", "alive")
        until = time.monotonic() + 60
        while place.roll(two, "well") != [True]:
            assert time.monotonic() < until, "its own check never passes"
        logs, running = place.roll(two, "abandon", "running")
    assert alive
    assert seen.failures == []
    assert {version for versions in seen.versions for version in versions} == {"1"}
    assert running == {"digest": one.digest, "image": one.reference, "url": place.url, "drift": ""}
    assert {name: entry["Id"] for name, entry in place.containers().items()} == {
        name: entry["Id"] for name, entry in before.items()
    }
    assert isinstance(logs, str)
    assert started != place.url


@pytest.mark.parametrize("place", ["bridge"], indirect=True)
def test_a_version_that_ends_by_itself_is_not_alive(place: Place, images: tuple[Image, Image]) -> None:
    """Its files are not those that its digest names; it is started anew and anew, and never counts as up."""
    one, two = images
    place.deploy(one)
    wrong = Image(two.version, one.digest.replace(one.digest[-4:], "0000"), two.reference, two.files)
    place.roll(wrong, "start")
    until = time.monotonic() + 60
    while place.roll(wrong, "alive")[0]:
        assert time.monotonic() < until
    assert place.roll(wrong, "well") == [False]
    logs, running = place.roll(wrong, "abandon", "running")
    assert "Integrity" in logs
    assert running["digest"] == one.digest
    assert place.answers(one)


def test_what_was_brought_up_otherwise_is_seen(place: Place, images: tuple[Image, Image]) -> None:
    """Another token, another port, other settings of nginx, or a container that is not well."""
    one = images[0]
    place.deploy(one)
    (token,) = place.roll(one, "running", GITOPS_TOKEN="secret")  # noqa: S106
    assert token["drift"] == "its settings or the token have changed"
    (nginx_conf,) = place.folder.glob("front/nginx.conf")
    text = nginx_conf.read_text()
    nginx_conf.write_text(f"{text}# by hand\n")
    (by_hand,) = place.roll(one, "running")
    assert by_hand["drift"] == "nginx's settings have changed"
    nginx_conf.write_text(text)
    place.port += 1
    (port,) = place.roll(one, "running")
    place.port -= 1
    assert "nginx's settings have changed" in port["drift"]
    place.yard.docker("stop", place.containers()[FRONT]["Id"])
    (down,) = place.roll(one, "running")
    assert down["drift"] == "nginx is not up"


@pytest.mark.parametrize("place", ["bridge"], indirect=True)
def test_a_registry_that_is_down_is_an_error_only_for_what_is_not_here(
    place: Place, images: tuple[Image, Image]
) -> None:
    """Going back to a version that this machine had needs no registry."""
    one, two = images
    place.deploy(one)
    place.deploy(two)
    strange = Image("9", two.digest, f"{one.reference.partition('@')[0]}@sha256:{'9' * 64}", two.files)
    place.yard.server.stop()
    try:
        assert "pull" in place.roll(strange, "start")["error"]
        assert place.answers(two)
        place.deploy(one)
    finally:
        place.yard.server.start()
    assert place.answers(one)


@pytest.mark.parametrize("place", ["bridge"], indirect=True)
def test_containers_may_no_more_than_answering_needs(place: Place, images: tuple[Image, Image]) -> None:
    """Nothing is writable, nobody is root, no capability is left; only nginx is reachable from outside."""
    place.deploy(images[0])
    found = place.containers()
    assert len(found) == 2
    for service, entry in found.items():
        host = entry["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert not host["Privileged"]
        assert 0 < host["Memory"] <= 2**30
        assert 0 < host["PidsLimit"] <= 256
        assert entry["Config"]["User"].partition(":")[0] not in {"", "0", "root"}
        published = {bound["HostIp"] for ports in host["PortBindings"].values() for bound in ports}
        assert published == ({""} if service == FRONT else {"127.0.0.1"})
