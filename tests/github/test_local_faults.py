"""The local GitHub has bad days on demand."""

import time
from typing import Any

import pytest
import requests

from local_world import World, enter, plant

seed = pytest.fixture(scope="module")(plant)
world = pytest.fixture(enter)


@pytest.mark.parametrize("kind", ["401", "403-integration", "403-pull-requests", "404", "409", "422", "502"])
def test_a_call_fails_on_demand(world: World, kind: Any) -> None:
    """Once, without an effect; then all is well."""
    world.hub.faults.add(method="POST", path=r"/issues$", kind=kind)
    assert world.ask("GET", "/issues").status_code == 200
    assert world.ask("POST", "/issues", title="T").status_code == int(kind[:3])
    assert world.hub.state.issues == {}
    assert world.ask("POST", "/issues", title="T").status_code == 201


def test_a_bad_gateway_speaks_html(world: World) -> None:
    """A client that expects JSON of every answer must not stumble."""
    world.hub.faults.add(method="GET", path=r"/issues$", kind="502")
    assert world.ask("GET", "/issues").headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("kind", "words"), [("429", "rate limit"), ("403-secondary", "exceeded a secondary rate limit")]
)
def test_a_limit_says_how_long_to_wait(world: World, kind: Any, words: str) -> None:
    """In the header that clients must honour; twice, after one call that goes well."""
    world.hub.faults.add(method="GET", path=r"/issues$", kind=kind, times=2, seconds=7, skip=1)
    statuses = [world.ask("GET", "/issues") for _ in range(4)]
    assert [answer.status_code for answer in statuses] == [200, int(kind[:3]), int(kind[:3]), 200]
    assert statuses[1].headers["retry-after"] == "7"
    assert words in statuses[1].json()["message"]


def test_an_answer_is_lost(world: World) -> None:
    """The deed is done, and heard of; the caller cannot know."""
    world.hub.faults.add(method="POST", path=r"/issues$", kind="lost")
    with pytest.raises(requests.ConnectionError):
        world.ask("POST", "/issues", title="T")
    assert (len(world.hub.state.issues), world.names()) == (1, ["issues opened"])
    assert world.hub.requests[-1].status == 201


def test_a_connection_is_dropped(world: World) -> None:
    """Nothing was done."""
    world.hub.faults.add(method="POST", path=r"/issues$", kind="dropped")
    with pytest.raises(requests.ConnectionError):
        world.ask("POST", "/issues", title="T")
    assert world.hub.state.issues == {}
    assert world.hub.requests[-1].status == 0


def test_an_answer_is_slow(world: World) -> None:
    """But it comes."""
    world.hub.faults.add(method="GET", path=r"/issues$", kind="slow", seconds=0.3)
    start = time.monotonic()
    assert world.ask("GET", "/issues").status_code == 200
    assert time.monotonic() - start > 0.3


@pytest.mark.parametrize(("kind", "arrives"), [("502", False), ("dropped", False), ("lost", True), ("429", False)])
def test_a_push_fails_on_demand(world: World, kind: Any, arrives: bool) -> None:
    """Git has bad days too."""
    world.hub.faults.add(method="POST", path=r"/git-receive-pack$", kind=kind)
    world.push("main:topic", code=1)
    assert (world.hub.git.branch("topic") is not None) is arrives


def test_an_unknown_fault_is_refused(world: World) -> None:
    """A misspelt one would never befall anything."""
    with pytest.raises(ValueError, match="'teapot' is not a fault"):
        world.hub.faults.add(method="GET", path="", kind="teapot")  # type: ignore[arg-type]
