"""Blue and green behind nginx, with a real container engine: nobody notices that a version was replaced."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from containers.place import FRONT, Place, load, wait_gone, wait_ready
from engines import Yard
from images import Image, nginx

# Effects of a deployment: the colour is started, nginx is started, callers are pointed to it, the old one is stopped,
# and removed.
EFFECTS = range(1, 6)


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


@pytest.mark.faults
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


@pytest.mark.faults
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
