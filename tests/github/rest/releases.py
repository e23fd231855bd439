"""Releases: listed, made, read, changed."""

from typing import Any

from .. import access, releases
from ..errors import custom, invalid, not_found, too_long
from ..hub import Hub
from ..resources.releases import release
from ..routing import Answer, Call, route
from ..state import Release

PATH = "/repos/{owner}/{repo}/releases"
BODY = 125_000


def visible(call: Call) -> list[Release]:
    """Those that the caller may see, the newest first: drafts are for who may write."""
    writes = call.token is not None and access.granted(call.hub, call.token, "contents=write")
    newest = sorted(call.hub.state.releases.values(), key=lambda it: -it.id)
    return [it for it in newest if writes or not it.draft]


@route("GET", PATH, "contents=read")
def listed(call: Call) -> list[dict[str, Any]]:
    """Every release, the newest first."""
    return call.paged([release(call.hub, it) for it in visible(call)])


@route("GET", f"{PATH}/tags/{{tag}}", "contents=read")
def of_tag(call: Call) -> dict[str, Any]:
    """The release of a tag; a draft is not found by its tag."""
    found = [it for it in call.hub.state.releases.values() if it.tag == call.values["tag"] and not it.draft]
    if not found:
        raise not_found()
    return release(call.hub, found[0])


@route("POST", PATH, "contents=write")
def create(call: Call) -> Answer:
    """A new release, and its tag where it is missing."""
    hub, body = call.hub, call.body
    it = Release(
        hub.state.identity(), call.caller, body["tag_name"], body.get("target_commitish", hub.settings.default_branch),
        body.get("name"), body.get("body"), body.get("draft", False), body.get("prerelease", False),
    )  # fmt: skip
    _sound(hub, it)
    hub.state.releases[it.id] = it
    if not it.draft:
        releases.publish(hub, call.caller, it)
    return Answer(201, release(hub, it))


@route("PATCH", f"{PATH}/{{release_id}}", "contents=write")
def update(call: Call) -> dict[str, Any]:
    """Change its text or its tag, or publish a draft."""
    hub, body = call.hub, call.body
    it = hub.state.releases.get(call.number("release_id"))
    if it is None:
        raise not_found()
    new = Release(
        it.id, it.author, body.get("tag_name", it.tag), body.get("target_commitish", it.target),
        body.get("name", it.name), body.get("body", it.body), body.get("draft", it.draft),
        body.get("prerelease", it.prerelease), it.created, it.published,
    )  # fmt: skip
    _sound(hub, new)
    hub.state.releases[it.id] = new
    if not new.draft and (it.draft or new.tag != it.tag):
        releases.publish(hub, call.caller, new)
    return release(hub, new)


def _sound(hub: Hub, it: Release) -> None:
    """Refuse a tag that is none or is taken, a commit that is not there, a text that is too long."""
    if not hub.git.well_formed(f"refs/tags/{it.tag}"):
        raise custom("Release", "tag_name is not a valid tag")
    others = [other for other in hub.state.releases.values() if other.id != it.id and not other.draft]
    if not it.draft and it.tag in {other.tag for other in others}:
        raise invalid("Release", "tag_name", "already_exists")
    if hub.git.ref(f"refs/tags/{it.tag}") is None and hub.git.resolve(it.target) is None:
        raise invalid("Release", "target_commitish")
    if len(it.body or "") > BODY:
        raise too_long("Release", "body", BODY)
