"""Refs: get and create, without a push."""

import re
from typing import Any

from .. import pushes, rules
from ..errors import ApiError, not_found
from ..resources import commits
from ..routing import Call, RestResponse, route


@route("GET", "/repos/{owner}/{repo}/git/ref/{ref}", "contents=read")
def get_ref(call: Call) -> dict[str, Any]:
    """Return one branch or tag, by its full name without refs/."""
    name = f"refs/{call.values['ref']}"
    sha = call.hub.git.ref(name) if re.match(r"refs/[^/]+/.", name) else None
    if sha is None:
        raise not_found()
    return commits.reference(call.hub, name, sha)


@route("POST", "/repos/{owner}/{repo}/git/refs", "contents=write")
def create(call: Call) -> RestResponse:
    """Create a branch or tag at an existing object; the rules for pushes apply."""
    hub, name, sha = call.hub, call.body["ref"], call.body["sha"]
    if not re.match(r"refs/(?:heads|tags)/.", name) or not hub.git.is_valid_ref(name):
        raise ApiError(422, "Reference name is not valid")
    if not re.fullmatch(r"[0-9a-f]{40}", sha) or hub.git.resolve(sha) is None:
        raise ApiError(422, "Object does not exist")
    if hub.git.ref(name) is not None:
        raise ApiError(422, "Reference already exists")
    violations = rules.push_violations(hub, call.caller, name, True, False, sha)["always"]
    if violations:
        raise ApiError(422, "\n\n".join(["Repository rule violations found", *violations]))
    pushes.move_ref(hub, call.caller, name, sha)
    return RestResponse(201, commits.reference(hub, name, sha))
