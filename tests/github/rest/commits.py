"""What is said of commits: statuses, check runs, and the pull requests that brought them."""

import re
from typing import Any

from .. import merging
from ..errors import RefusedError, custom
from ..resources import commits, pulls, runs
from ..routing import Answer, Call, route
from ..state import Status

STATES = ("error", "failure", "pending", "success")


def found(call: Call) -> str:
    """The commit that the path names."""
    sha = call.hub.git.resolve(call.values["ref"])
    if sha is None:
        raise RefusedError(422, f"No commit found for SHA: {call.values['ref']}")
    return sha


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


@route("GET", "/repos/{owner}/{repo}/commits/{commit_sha}/pulls", "pull_requests=read")
def brought_by(call: Call) -> list[dict[str, Any]]:
    """The merged pull request that brought a commit to the default branch; of another commit, the open ones."""
    git, sha = call.hub.git, call.hub.git.resolve(call.values["commit_sha"])
    if sha is None:
        raise RefusedError(422, f"No commit found for SHA: {call.values['commit_sha']}")
    arrived = git.contains(call.hub.settings.default_branch, sha)
    of_it = [
        pull
        for pull in call.hub.state.pulls.values()
        if (pull.merged is not None if arrived else pull.open) and sha in merging.brought(call.hub, pull)
    ]
    return call.paged([pulls.simple(call.hub, pull) for pull in of_it])
