"""Blue and green behind nginx, with a real container engine: no request is lost when a version is replaced."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from container_engine import ContainerEngine
from containers.compose_environment import FRONT, ComposeEnvironment, load, wait_gone, wait_ready
from images import Image, build_nginx_image

# Effects of a deployment: the colour is started, nginx is started, callers are pointed to it, the old one is stopped,
# and removed.
EFFECTS = range(1, 6)


@pytest.fixture(scope="module")
def front(engine: ContainerEngine) -> str:
    """The image of nginx."""
    return build_nginx_image(engine)


@pytest.fixture(params=["bridge", "host"])
def environment(
    request: pytest.FixtureRequest, repository: Path, engine: ContainerEngine, front: str, tmp_path: Path
) -> Iterator[ComposeEnvironment]:
    """An environment without a version, on each kind of network."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    made = ComposeEnvironment(repository, engine, tmp_path / "state", front, port, request.param)
    made.clear()
    yield made
    made.clear()


def test_a_new_version_takes_over_and_no_request_is_lost(
    environment: ComposeEnvironment, images: tuple[Image, Image]
) -> None:
    """Under constant load, with and without open connections; no caller gets the old version after the new one."""
    one, two = images
    environment.deploy(one)
    assert environment.answers(one)
    with load(environment, one, callers=4, pause=0.01) as observed:
        environment.deploy(two)
        environment.deploy(one)
    assert observed.failures == []
    for versions in observed.versions:
        changes = [version for before, version in zip(["", *versions], versions, strict=False) if version != before]
        assert changes == ["1", "2", "1"]
    assert environment.answers(one)
    assert len(environment.containers()) == 2


def test_a_slow_request_is_answered_by_the_version_that_received_it(
    environment: ComposeEnvironment, images: tuple[Image, Image]
) -> None:
    """The old version stops when it has finished its requests."""
    one, two = images
    own = environment.deploy(one)
    body = one.recorded[0].encode()
    connection = http.client.HTTPConnection("127.0.0.1", environment.port, timeout=60)
    connection.putrequest("POST", "/predict")
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body[:100])
    url, _ = environment.roll(two, "start", "alive")
    wait_ready(url)
    switching = threading.Thread(target=environment.roll, args=(two, "switch"))
    switching.start()
    wait_gone(f"{own}/health/live")
    assert environment.answers(two)
    connection.send(body[100:])
    assert json.loads(connection.getresponse().read())["version"] == "1"
    connection.close()
    switching.join()
    assert len(environment.containers()) == 2


@pytest.mark.faults
@pytest.mark.parametrize("kill", EFFECTS)
@pytest.mark.parametrize("environment", ["bridge"], indirect=True)
def test_killed_after_any_effect_it_converges(
    environment: ComposeEnvironment, images: tuple[Image, Image], kill: int
) -> None:
    """Callers get responses all the time, and the next run completes the deployment."""
    one, two = images
    environment.deploy(one)
    with load(environment, one) as observed:
        if kill == 1:
            environment.roll(two, "start", kill=1)
        else:
            wait_ready(environment.roll(two, "start")[0])
            environment.roll(two, "switch", kill=kill - 1)
        environment.deploy(two)
    assert observed.failures == []
    assert environment.answers(two)
    assert len(environment.containers()) == 2


def test_an_abandoned_version_leaves_the_other_alone(
    environment: ComposeEnvironment, images: tuple[Image, Image]
) -> None:
    """It never received requests; its log is returned."""
    one, two = images
    environment.deploy(one)
    before = environment.containers()
    with load(environment, one) as observed:
        started, alive = environment.roll(two, "start", "alive")
        until = time.monotonic() + 60
        while environment.roll(two, "well") != [True]:
            assert time.monotonic() < until, "its own check never passes"
        logs, running = environment.roll(two, "abandon", "running")
    assert alive
    assert observed.failures == []
    assert {version for versions in observed.versions for version in versions} == {"1"}
    assert running == {"digest": one.digest, "image": one.reference, "url": environment.url, "drift": ""}
    assert {name: entry["Id"] for name, entry in environment.containers().items()} == {
        name: entry["Id"] for name, entry in before.items()
    }
    assert isinstance(logs, str)
    assert started != environment.url


@pytest.mark.parametrize("environment", ["bridge"], indirect=True)
def test_a_version_that_ends_by_itself_is_not_alive(
    environment: ComposeEnvironment, images: tuple[Image, Image]
) -> None:
    """Its files do not match its digest; it restarts repeatedly, and never counts as running."""
    one, two = images
    environment.deploy(one)
    wrong = Image(two.version, one.digest.replace(one.digest[-4:], "0000"), two.reference, two.files)
    environment.roll(wrong, "start")
    until = time.monotonic() + 60
    while environment.roll(wrong, "alive")[0]:
        assert time.monotonic() < until
    assert environment.roll(wrong, "well") == [False]
    logs, running = environment.roll(wrong, "abandon", "running")
    assert "Integrity" in logs
    assert running["digest"] == one.digest
    assert environment.answers(one)


def test_a_deployment_with_other_settings_is_detected(
    environment: ComposeEnvironment, images: tuple[Image, Image]
) -> None:
    """Another token, another port, other settings of nginx, or an unhealthy container."""
    one = images[0]
    environment.deploy(one)
    (token,) = environment.roll(one, "running", GITOPS_TOKEN="secret")  # noqa: S106
    assert token["drift"] == "its settings or the token have changed"
    (nginx_conf,) = environment.folder.glob("front/nginx.conf")
    text = nginx_conf.read_text()
    nginx_conf.write_text(f"{text}# by hand\n")
    (by_hand,) = environment.roll(one, "running")
    assert by_hand["drift"] == "nginx's settings have changed"
    nginx_conf.write_text(text)
    environment.port += 1
    (port,) = environment.roll(one, "running")
    environment.port -= 1
    assert "nginx's settings have changed" in port["drift"]
    environment.engine.docker("stop", environment.containers()[FRONT]["Id"])
    (down,) = environment.roll(one, "running")
    assert down["drift"] == "nginx is not up"


@pytest.mark.faults
@pytest.mark.parametrize("environment", ["bridge"], indirect=True)
def test_a_registry_that_is_down_is_an_error_only_for_what_is_not_here(
    environment: ComposeEnvironment, images: tuple[Image, Image]
) -> None:
    """A rollback to a version that this machine had needs no registry."""
    one, two = images
    environment.deploy(one)
    environment.deploy(two)
    strange = Image("9", two.digest, f"{one.reference.partition('@')[0]}@sha256:{'9' * 64}", two.files)
    environment.engine.server.stop()
    try:
        assert "pull" in environment.roll(strange, "start")["error"]
        assert environment.answers(two)
        environment.deploy(one)
    finally:
        environment.engine.server.start()
    assert environment.answers(one)


@pytest.mark.parametrize("environment", ["bridge"], indirect=True)
def test_containers_have_only_the_privileges_they_need(
    environment: ComposeEnvironment, images: tuple[Image, Image]
) -> None:
    """Read-only, unprivileged, without capabilities; only nginx is reachable from outside."""
    environment.deploy(images[0])
    found = environment.containers()
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
