"""The local GitHub's tags and releases are GitHub's."""

from typing import Any

import pytest

from github.model import BOT, Event
from local_world import World, enter, errors, plant

seed = pytest.fixture(scope="module")(plant)
world = pytest.fixture(enter)


def release(world: World, token: Any = None, **body: Any) -> dict[str, Any]:
    """Make a release."""
    answer = world.ask("POST", "/releases", token or world.hub.person, **body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_release_makes_its_tag_where_it_is_missing(world: World) -> None:
    """At the commit that it names, else at the default branch; a person's is heard."""
    sha = world.branch("topic")
    world.heard.clear()
    made = release(world, tag_name="v1.0.0", target_commitish=sha, name="One", body="# Card", prerelease=True)
    assert world.hub.git.ref("refs/tags/v1.0.0") == sha
    assert (made["author"]["login"], made["draft"], made["prerelease"]) == ("ada", False, True)
    assert made["html_url"] == f"{world.hub.page}/releases/tag/v1.0.0"
    assert [(event.name, event.action, event.ref, event.sha) for event in world.heard] == [
        ("push", "", "refs/tags/v1.0.0", sha), ("release", "published", "refs/tags/v1.0.0", sha)
    ]  # fmt: skip
    release(world, tag_name="v2")
    assert world.hub.git.ref("refs/tags/v2") == world.hub.git.branch("main")


def test_a_release_keeps_the_tag_that_is_there(world: World) -> None:
    """Whatever commit it names, and even if it names none that exists."""
    main = world.hub.git.branch("main")
    world.push("main:refs/tags/v1")
    world.branch("topic")
    release(world, tag_name="v1", target_commitish="topic")
    assert world.hub.git.ref("refs/tags/v1") == main


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "the tag is taken": ({"tag_name": "v1"}, "tag_name already_exists"),
    "the tag is none": ({"tag_name": "a..b"}, "tag_name is not a valid tag"),
    "the tag is empty": ({"tag_name": ""}, "tag_name is not a valid tag"),
    "the commit is nowhere": ({"tag_name": "v2", "target_commitish": "nowhere"}, "target_commitish invalid"),
    "the text is long": ({"tag_name": "v2", "body": "x" * 125_001}, "body is too long (maximum is 125000 characters)"),
}


@pytest.mark.parametrize("named", WRONG)
def test_a_wrong_release_is_refused(world: World, named: str) -> None:
    """In GitHub's shape, without a trace."""
    release(world, tag_name="v1")
    body, sentence = WRONG[named]
    assert errors(world.ask("POST", "/releases", **body)) == [sentence]
    assert list(world.hub.git.refs("refs/tags")) == ["refs/tags/v1"]
    assert len(world.hub.state.releases) == 1


def test_a_release_is_found_by_its_tag_and_in_the_list(world: World) -> None:
    """The newest first, in pages; what is not there is not found."""
    for tag in ("v1", "team/v2", "v3"):
        release(world, tag_name=tag)
    assert world.ask("GET", "/releases/tags/team/v2").json()["tag_name"] == "team/v2"
    assert world.ask("GET", "/releases/tags/v4").status_code == 404
    answer = world.ask("GET", "/releases?per_page=2")
    assert [found["tag_name"] for found in answer.json()] == ["v3", "team/v2"]
    assert answer.links["next"]["url"].endswith("page=2")


def test_a_release_is_changed(world: World) -> None:
    """Its words, without a second event; another's tag is refused."""
    first, second = release(world, tag_name="v1", body="a"), release(world, tag_name="v2")
    world.heard.clear()
    changed = world.ask("PATCH", f"/releases/{first['id']}", name="One", body="b").json()
    assert (changed["name"], changed["body"], changed["published_at"]) == ("One", "b", first["published_at"])
    assert errors(world.ask("PATCH", f"/releases/{second['id']}", tag_name="v1")) == ["tag_name already_exists"]
    assert world.ask("PATCH", "/releases/7", name="x").status_code == 404
    assert world.heard == []


def test_a_draft_is_seen_by_nobody_else_and_has_no_tag(world: World) -> None:
    """Until it is published."""
    made = release(world, tag_name="v1", draft=True)
    assert (made["published_at"], world.hub.git.ref("refs/tags/v1"), world.heard) == (None, None, [])
    assert world.ask("GET", "/releases", None).json() == []
    assert len(world.ask("GET", "/releases").json()) == 1
    assert world.ask("GET", "/releases/tags/v1").status_code == 404
    assert world.ask("PATCH", f"/releases/{made['id']}", draft=False).json()["published_at"]
    assert world.names() == ["push", "release published"]
    assert len(world.ask("GET", "/releases", None).json()) == 1


def test_a_ref_is_made_once(world: World) -> None:
    """At an object that is there, under a full name."""
    sha = world.hub.git.branch("main")
    body = {"ref": "refs/tags/v1.0.0", "sha": sha}
    made = world.ask("POST", "/git/refs", **body)
    assert (made.status_code, made.json()["object"]) == (
        201, {"type": "commit", "sha": sha, "url": f"{world.hub.home}/git/commits/{sha}"}
    )  # fmt: skip
    assert world.ask("GET", "/git/ref/tags/v1.0.0").json()["object"]["sha"] == sha
    wrong: dict[str, dict[str, Any]] = {
        "Reference already exists": body,
        "Object does not exist": {"ref": "refs/tags/v2", "sha": "a" * 40},
        "Reference name is not valid": {"ref": "tags/v2", "sha": sha},
    }
    for sentence, sent in wrong.items():
        answer = world.ask("POST", "/git/refs", **sent)
        assert (answer.status_code, answer.json()["message"]) == (422, sentence)
    assert world.ask("GET", "/git/ref/tags/v2").status_code == 404


def test_a_ref_obeys_the_rules_of_a_push(world: World) -> None:
    """Where creations are restricted a call is no way around."""
    names = {"ref_name": {"include": ["refs/tags/*"], "exclude": []}}
    world.rules({"type": "creation"}, target="tag", conditions=names)
    answer = world.ask("POST", "/git/refs", ref="refs/tags/v1", sha=world.hub.git.branch("main"))
    assert answer.status_code == 422
    assert "Cannot create ref due to creations being restricted." in answer.json()["message"]
    assert world.hub.git.ref("refs/tags/v1") is None


@pytest.mark.parametrize("how", ["push", "ref", "release"])
def test_a_jobs_tag_starts_nothing(world: World, how: str) -> None:
    """However it is made; an App's does."""

    def tag(name: str, kind: Any) -> list[Event]:
        token = world.hub.issue_token({"contents": "write"}, kind, BOT if kind == "actions" else "shipper[bot]")
        world.heard.clear()
        if how == "push":
            world.push(f"main:refs/tags/{name}", token)
        elif how == "ref":
            world.ask("POST", "/git/refs", token, ref=f"refs/tags/{name}", sha=world.hub.git.branch("main"))
        else:
            release(world, token, tag_name=name)
        assert world.hub.git.ref(f"refs/tags/{name}") is not None
        return world.heard

    assert tag("v1", "actions") == []
    assert tag("v2", "app")[0].ref == "refs/tags/v2"
