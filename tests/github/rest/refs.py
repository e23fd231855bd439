"""Refs: read, and made without a push."""

import re
from typing import Any

from .. import pushes, rules
from ..errors import RefusedError, not_found
from ..resources import commits
from ..routing import Answer, Call, route


@route("GET", "/repos/{owner}/{repo}/git/ref/{ref}", "contents=read")
def one(call: Call) -> dict[str, Any]:
    """One branch or tag, under its full name without refs/."""
    name = f"refs/{call.values['ref']}"
    sha = call.hub.git.ref(name) if re.match(r"refs/[^/]+/.", name) else None
    if sha is None:
        raise not_found()
    return commits.reference(call.hub, name, sha)


@route("POST", "/repos/{owner}/{repo}/git/refs", "contents=write")
def create(call: Call) -> Answer:
    """A new branch or tag at an object that is there; what a push may not make, this may not either."""
    hub, name, sha = call.hub, call.body["ref"], call.body["sha"]
    if not re.match(r"refs/(?:heads|tags)/.", name) or not hub.git.well_formed(name):
        raise RefusedError(422, "Reference name is not valid")
    if not re.fullmatch(r"[0-9a-f]{40}", sha) or hub.git.resolve(sha) is None:
        raise RefusedError(422, "Object does not exist")
    if hub.git.ref(name) is not None:
        raise RefusedError(422, "Reference already exists")
    broken = rules.refusals(hub, call.caller, name, True, False, sha)["always"]
    if broken:
        raise RefusedError(422, "\n\n".join(["Repository rule violations found", *broken]))
    pushes.move(hub, call.caller, name, sha)
    return Answer(201, commits.reference(hub, name, sha))
