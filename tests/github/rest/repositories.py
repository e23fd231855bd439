"""The repository, the caller, the limits."""

import time
from typing import Any

from .. import access
from ..errors import INTEGRATION, RefusedError
from ..resources import repositories, users
from ..routing import ANYONE, Call, route


@route("GET", "/repos/{owner}/{repo}", "metadata=read")
def repository(call: Call) -> dict[str, Any]:
    """The repository, and what the caller may do with it."""
    shown = repositories.repository(call.hub)
    if call.token is not None:
        admin = access.is_admin(call.hub, call.token)
        push = access.granted(call.hub, call.token, "contents=write")
        may = {"admin": admin, "maintain": admin, "push": push, "triage": push, "pull": True}
        shown["permissions"] = may
    return shown


@route("GET", "/user", ANYONE)
def myself(call: Call) -> dict[str, Any]:
    """Who calls; only a person has an answer."""
    if call.token is None:
        raise RefusedError(401, "Requires authentication")
    if call.token.kind != "person":
        raise RefusedError(403, INTEGRATION)
    return users.myself(call.hub, call.token)


@route("GET", "/rate_limit", ANYONE)
def rate_limit(call: Call) -> dict[str, Any]:
    """Limits, of which nothing is ever used up here."""
    limit = 60 if call.token is None else 1000 if call.token.kind == "actions" else 5000
    left = {"limit": limit, "used": 0, "remaining": limit, "reset": int(time.time()) + 3600}
    return {"resources": {"core": left, "search": left}, "rate": left}
