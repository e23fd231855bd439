"""Releases: list, create, get and update."""

from typing import Any

from .. import access, releases
from ..errors import custom, invalid, not_found, too_long
from ..hub import Hub
from ..resources.releases import release
from ..routing import Call, RestResponse, route
from ..state import Release

PATH = "/repos/{owner}/{repo}/releases"
MAX_BODY = 125_000


def visible_releases(call: Call) -> list[Release]:
    """Return the releases that the caller may see, newest first: drafts need write access."""
    writes = call.token is not None and access.has_grant(call.hub, call.token, "contents=write")
    newest = sorted(call.hub.state.releases.values(), key=lambda item: -item.id)
    return [item for item in newest if writes or not item.draft]


@route("GET", PATH, "contents=read")
def list_releases(call: Call) -> list[dict[str, Any]]:
    """List all releases, newest first."""
    return call.paginate([release(call.hub, item) for item in visible_releases(call)])


@route("GET", f"{PATH}/tags/{{tag}}", "contents=read")
def get_release_by_tag(call: Call) -> dict[str, Any]:
    """Return the release of a tag; drafts are not included."""
    matching = [item for item in call.hub.state.releases.values() if item.tag == call.values["tag"] and not item.draft]
    if not matching:
        raise not_found()
    return release(call.hub, matching[0])


@route("POST", PATH, "contents=write")
def create(call: Call) -> RestResponse:
    """Create a release, and its tag if it does not exist."""
    hub, body = call.hub, call.body
    item = Release(
        hub.state.next_id(), call.caller, body["tag_name"], body.get("target_commitish", hub.settings.default_branch),
        body.get("name"), body.get("body"), body.get("draft", False), body.get("prerelease", False),
    )  # fmt: skip
    _validate(hub, item)
    hub.state.releases[item.id] = item
    if not item.draft:
        releases.publish(hub, call.caller, item)
    return RestResponse(201, release(hub, item))


@route("PATCH", f"{PATH}/{{release_id}}", "contents=write")
def update(call: Call) -> dict[str, Any]:
    """Update a release's text or tag, or publish a draft."""
    hub, body = call.hub, call.body
    item = hub.state.releases.get(call.number("release_id"))
    if item is None:
        raise not_found()
    new = Release(
        item.id, item.author, body.get("tag_name", item.tag), body.get("target_commitish", item.target),
        body.get("name", item.name), body.get("body", item.body), body.get("draft", item.draft),
        body.get("prerelease", item.prerelease), item.created, item.published,
    )  # fmt: skip
    _validate(hub, new)
    hub.state.releases[item.id] = new
    if not new.draft and (item.draft or new.tag != item.tag):
        releases.publish(hub, call.caller, new)
    return release(hub, new)


def _validate(hub: Hub, item: Release) -> None:
    """Raise GitHub's error for an invalid or used tag, an unknown commit, or a text that is too long."""
    if not hub.git.is_valid_ref(f"refs/tags/{item.tag}"):
        raise custom("Release", "tag_name is not a valid tag")
    others = [other for other in hub.state.releases.values() if other.id != item.id and not other.draft]
    if not item.draft and item.tag in {other.tag for other in others}:
        raise invalid("Release", "tag_name", "already_exists")
    if hub.git.ref(f"refs/tags/{item.tag}") is None and hub.git.resolve(item.target) is None:
        raise invalid("Release", "target_commitish")
    if len(item.body or "") > MAX_BODY:
        raise too_long("Release", "body", MAX_BODY)
