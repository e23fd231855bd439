"""The repository, the calling user, and the rate limits."""

import time
from typing import Any

from .. import access
from ..errors import INTEGRATION, ApiError
from ..resources import repositories, users
from ..routing import ANYONE, Call, route


@route("GET", "/repos/{owner}/{repo}", "metadata=read")
def repository(call: Call) -> dict[str, Any]:
    """Return the repository, with the caller's permissions."""
    document = repositories.repository(call.hub)
    if call.token is not None:
        admin = access.is_admin(call.hub, call.token)
        push = access.has_grant(call.hub, call.token, "contents=write")
        permissions = {"admin": admin, "maintain": admin, "push": push, "triage": push, "pull": True}
        document["permissions"] = permissions
    return document


@route("PATCH", "/repos/{owner}/{repo}", "administration=write")
def update(call: Call) -> dict[str, Any]:
    """Update the settings that can be changed here; others of GitHub's are refused."""
    for name, value in call.body.items():
        if name not in ("delete_branch_on_merge", "allow_auto_merge", "default_branch", "description", "private"):
            raise ApiError(422, f"{name} cannot be changed here")
        setattr(call.hub.settings, name, value)
    document: dict[str, Any] = repository(call)
    return document


@route("GET", "/user", ANYONE)
def get_user(call: Call) -> dict[str, Any]:
    """Return the calling user; only a person's token has one."""
    if call.token is None:
        raise ApiError(401, "Requires authentication")
    if call.token.kind != "person":
        raise ApiError(403, INTEGRATION)
    return users.myself(call.hub, call.token)


@route("GET", "/rate_limit", ANYONE)
def rate_limit(call: Call) -> dict[str, Any]:
    """Return the rate limits, which are never used up here."""
    limit = 60 if call.token is None else 1000 if call.token.kind == "actions" else 5000
    limits = {"limit": limit, "used": 0, "remaining": limit, "reset": int(time.time()) + 3600}
    return {"resources": {"core": limits, "search": limits}, "rate": limits}
