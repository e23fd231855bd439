"""Refs, statuses and check runs."""

import re
from typing import Any

from ..errors import RefusedError, custom, not_found
from ..resources import commits, runs
from ..routing import Answer, Call, route
from ..state import Status

STATES = ("error", "failure", "pending", "success")


def found(call: Call) -> str:
    """The commit that the path names."""
    sha = call.hub.git.resolve(call.values["ref"])
    if sha is None:
        raise RefusedError(422, f"No commit found for SHA: {call.values['ref']}")
    return sha


@route("GET", "/repos/{owner}/{repo}/git/ref/{ref}", "contents=read")
def ref(call: Call) -> dict[str, Any]:
    """One branch or tag, under its full name without refs/."""
    name = f"refs/{call.values['ref']}"
    sha = call.hub.git.ref(name) if re.match(r"refs/[^/]+/.", name) else None
    if sha is None:
        raise not_found()
    return commits.reference(call.hub, name, sha)


@route("POST", "/repos/{owner}/{repo}/statuses/{sha}", "statuses=write")
def say(call: Call) -> Answer:
    """Say something of a commit."""
    sha, body = call.values["sha"], call.body
    if not re.fullmatch(r"[0-9a-f]{40}", sha) or call.hub.git.resolve(sha) is None:
        raise RefusedError(422, f"No commit found for SHA: {sha}")
    if len(body.get("description") or "") > 140:
        raise custom("Status", "description is too long (maximum is 140 characters)")
    if len(body.get("context", "")) > 255:
        raise custom("Status", "context is too long (maximum is 255 characters)")
    if body.get("target_url") and not body["target_url"].startswith(("http://", "https://")):
        raise custom("Status", "target_url must use http(s) scheme")
    status = Status(
        call.hub.state.identity(), sha, body["state"], body.get("context", "default"), body.get("description"),
        body.get("target_url"), call.caller,
    )  # fmt: skip
    call.hub.state.statuses.append(status)
    return Answer(201, commits.status(call.hub, status))


@route("GET", "/repos/{owner}/{repo}/commits/{ref}/status", "statuses=read")
def combined(call: Call) -> dict[str, Any]:
    """What all statuses of a commit come to."""
    return commits.combined(call.hub, found(call))


@route("GET", "/repos/{owner}/{repo}/commits/{ref}/statuses", "statuses=read")
def statuses(call: Call) -> list[dict[str, Any]]:
    """All that was ever said of a commit, the newest first."""
    sha = found(call)
    said = [status for status in call.hub.state.statuses if status.sha == sha]
    return call.paged([commits.status(call.hub, status) for status in reversed(said)])


@route("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs", "checks=read")
def check_runs(call: Call) -> dict[str, Any]:
    """The jobs of every run of a commit."""
    sha = found(call)
    checks = [runs.check_run(call.hub, *check) for check in runs.checks(call.hub, sha)]
    for name, key in (("check_name", "name"), ("status", "status")):
        checks = [check for check in checks if call.query.get(name) in {None, check[key]}]
    return {"total_count": len(checks), "check_runs": call.paged(checks)}
