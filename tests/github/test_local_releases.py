"""The local GitHub's tags and releases are GitHub's."""

from typing import Any

import pytest

from github.model import BOT, Event
from server_world import ServerWorld, create_seed, errors, open_world

seed = pytest.fixture(scope="module")(create_seed)
world = pytest.fixture(open_world)


def release(world: ServerWorld, token: Any = None, **body: Any) -> dict[str, Any]:
    """Make a release."""
    response = world.request("POST", "/releases", token or world.hub.person, **body)
    assert response.status_code == 201, response.text
    document: dict[str, Any] = response.json()
    return document


def test_a_release_creates_a_missing_tag(world: ServerWorld) -> None:
    """The tag is at the named commit, else at the default branch; a person's release sends events."""
    sha = world.branch("topic")
    world.events.clear()
    made = release(world, tag_name="v1.0.0", target_commitish=sha, name="One", body="# Card", prerelease=True)
    assert world.hub.git.ref("refs/tags/v1.0.0") == sha
    assert (made["author"]["login"], made["draft"], made["prerelease"]) == ("ada", False, True)
    assert made["html_url"] == f"{world.hub.html_url}/releases/tag/v1.0.0"
    assert [(event.name, event.action, event.ref, event.sha) for event in world.events] == [
        ("push", "", "refs/tags/v1.0.0", sha), ("release", "published", "refs/tags/v1.0.0", sha)
    ]  # fmt: skip
    release(world, tag_name="v2")
    assert world.hub.git.ref("refs/tags/v2") == world.hub.git.branch("main")


def test_a_release_keeps_an_existing_tag(world: ServerWorld) -> None:
    """An existing tag stays, whatever commit the release names."""
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
def test_a_wrong_release_is_refused(world: ServerWorld, named: str) -> None:
    """The error has GitHub's format, and nothing is created."""
    release(world, tag_name="v1")
    body, sentence = WRONG[named]
    assert errors(world.request("POST", "/releases", **body)) == [sentence]
    assert list(world.hub.git.refs("refs/tags")) == ["refs/tags/v1"]
    assert len(world.hub.state.releases) == 1


def test_a_release_is_found_by_its_tag_and_in_the_list(world: ServerWorld) -> None:
    """The newest first, in pages; what is not there is not found."""
    for tag in ("v1", "team/v2", "v3"):
        release(world, tag_name=tag)
    assert world.request("GET", "/releases/tags/team/v2").json()["tag_name"] == "team/v2"
    assert world.request("GET", "/releases/tags/v4").status_code == 404
    response = world.request("GET", "/releases?per_page=2")
    assert [document["tag_name"] for document in response.json()] == ["v3", "team/v2"]
    assert response.links["next"]["url"].endswith("page=2")


def test_a_release_is_changed(world: ServerWorld) -> None:
    """The text changes without a second event; the tag of another release is refused."""
    first, second = release(world, tag_name="v1", body="a"), release(world, tag_name="v2")
    world.events.clear()
    changed = world.request("PATCH", f"/releases/{first['id']}", name="One", body="b").json()
    assert (changed["name"], changed["body"], changed["published_at"]) == ("One", "b", first["published_at"])
    assert errors(world.request("PATCH", f"/releases/{second['id']}", tag_name="v1")) == ["tag_name already_exists"]
    assert world.request("PATCH", "/releases/7", name="x").status_code == 404
    assert world.events == []


def test_a_draft_is_hidden_and_has_no_tag(world: ServerWorld) -> None:
    """Publishing creates the tag and makes it visible."""
    made = release(world, tag_name="v1", draft=True)
    assert (made["published_at"], world.hub.git.ref("refs/tags/v1"), world.events) == (None, None, [])
    assert world.request("GET", "/releases", None).json() == []
    assert len(world.request("GET", "/releases").json()) == 1
    assert world.request("GET", "/releases/tags/v1").status_code == 404
    assert world.request("PATCH", f"/releases/{made['id']}", draft=False).json()["published_at"]
    assert world.event_names() == ["push", "release published"]
    assert len(world.request("GET", "/releases", None).json()) == 1


def test_a_ref_is_made_once(world: ServerWorld) -> None:
    """The object must exist, and the name must be complete."""
    sha = world.hub.git.branch("main")
    body = {"ref": "refs/tags/v1.0.0", "sha": sha}
    made = world.request("POST", "/git/refs", **body)
    assert (made.status_code, made.json()["object"]) == (
        201, {"type": "commit", "sha": sha, "url": f"{world.hub.repository_url}/git/commits/{sha}"}
    )  # fmt: skip
    assert world.request("GET", "/git/ref/tags/v1.0.0").json()["object"]["sha"] == sha
    wrong: dict[str, dict[str, Any]] = {
        "Reference already exists": body,
        "Object does not exist": {"ref": "refs/tags/v2", "sha": "a" * 40},
        "Reference name is not valid": {"ref": "tags/v2", "sha": sha},
    }
    for sentence, sent in wrong.items():
        response = world.request("POST", "/git/refs", **sent)
        assert (response.status_code, response.json()["message"]) == (422, sentence)
    assert world.request("GET", "/git/ref/tags/v2").status_code == 404


def test_a_ref_obeys_the_rules_of_a_push(world: ServerWorld) -> None:
    """An API call cannot bypass a restriction of creations."""
    names = {"ref_name": {"include": ["refs/tags/*"], "exclude": []}}
    world.add_ruleset({"type": "creation"}, target="tag", conditions=names)
    response = world.request("POST", "/git/refs", ref="refs/tags/v1", sha=world.hub.git.branch("main"))
    assert response.status_code == 422
    assert "Cannot create ref due to creations being restricted." in response.json()["message"]
    assert world.hub.git.ref("refs/tags/v1") is None


@pytest.mark.parametrize("method", ["push", "ref", "release"])
def test_a_jobs_tag_starts_nothing(world: ServerWorld, method: str) -> None:
    """This holds for pushes, refs and releases; an App's tag starts workflows."""

    def tag(name: str, kind: Any) -> list[Event]:
        token = world.hub.issue_token({"contents": "write"}, kind, BOT if kind == "actions" else "shipper[bot]")
        world.events.clear()
        if method == "push":
            world.push(f"main:refs/tags/{name}", token)
        elif method == "ref":
            world.request("POST", "/git/refs", token, ref=f"refs/tags/{name}", sha=world.hub.git.branch("main"))
        else:
            release(world, token, tag_name=name)
        assert world.hub.git.ref(f"refs/tags/{name}") is not None
        return world.events

    assert tag("v1", "actions") == []
    assert tag("v2", "app")[0].ref == "refs/tags/v2"
