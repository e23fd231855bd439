"""The local GitHub fails on demand."""

import time
from typing import Any

import pytest
import requests

from server_world import ServerWorld, create_seed, open_world

seed = pytest.fixture(scope="module")(create_seed)
world = pytest.fixture(open_world)


@pytest.mark.parametrize("kind", ["401", "403-integration", "403-pull-requests", "404", "409", "422", "502"])
def test_a_call_fails_on_demand(world: ServerWorld, kind: Any) -> None:
    """The call fails once, without an effect; the next one succeeds."""
    world.hub.faults.add(method="POST", path=r"/issues$", kind=kind)
    assert world.request("GET", "/issues").status_code == 200
    assert world.request("POST", "/issues", title="T").status_code == int(kind[:3])
    assert world.hub.state.issues == {}
    assert world.request("POST", "/issues", title="T").status_code == 201


def test_a_bad_gateway_returns_html(world: ServerWorld) -> None:
    """Clients must not expect JSON in every response."""
    world.hub.faults.add(method="GET", path=r"/issues$", kind="502")
    assert world.request("GET", "/issues").headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("kind", "text"), [("429", "rate limit"), ("403-secondary", "exceeded a secondary rate limit")]
)
def test_a_limit_says_how_long_to_wait(world: ServerWorld, kind: Any, text: str) -> None:
    """The header `retry-after` has the seconds; two calls fail after one that succeeds."""
    world.hub.faults.add(method="GET", path=r"/issues$", kind=kind, times=2, seconds=7, skip=1)
    statuses = [world.request("GET", "/issues") for _ in range(4)]
    assert [response.status_code for response in statuses] == [200, int(kind[:3]), int(kind[:3]), 200]
    assert statuses[1].headers["retry-after"] == "7"
    assert text in statuses[1].json()["message"]


def test_a_response_is_lost(world: ServerWorld) -> None:
    """The write is done and its event is sent, but the caller gets no response."""
    world.hub.faults.add(method="POST", path=r"/issues$", kind="lost")
    with pytest.raises(requests.ConnectionError):
        world.request("POST", "/issues", title="T")
    assert (len(world.hub.state.issues), world.event_names()) == (1, ["issues opened"])
    assert world.hub.requests[-1].status == 201


def test_a_connection_is_dropped(world: ServerWorld) -> None:
    """The write is not done."""
    world.hub.faults.add(method="POST", path=r"/issues$", kind="dropped")
    with pytest.raises(requests.ConnectionError):
        world.request("POST", "/issues", title="T")
    assert world.hub.state.issues == {}
    assert world.hub.requests[-1].status == 0


def test_a_response_is_slow(world: ServerWorld) -> None:
    """The response comes late."""
    world.hub.faults.add(method="GET", path=r"/issues$", kind="slow", seconds=0.3)
    start = time.monotonic()
    assert world.request("GET", "/issues").status_code == 200
    assert time.monotonic() - start > 0.3


@pytest.mark.parametrize(("kind", "arrives"), [("502", False), ("dropped", False), ("lost", True), ("429", False)])
def test_a_push_fails_on_demand(world: ServerWorld, kind: Any, arrives: bool) -> None:
    """Faults apply to Git requests too."""
    world.hub.faults.add(method="POST", path=r"/git-receive-pack$", kind=kind)
    world.push("main:topic", code=1)
    assert (world.hub.git.branch("topic") is not None) is arrives


def test_an_unknown_fault_is_refused(world: ServerWorld) -> None:
    """A misspelled fault would never affect a call."""
    with pytest.raises(ValueError, match="'teapot' is not a fault"):
        world.hub.faults.add(method="GET", path="", kind="teapot")  # type: ignore[arg-type]
