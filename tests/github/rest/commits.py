"""Commit statuses, check runs, and the pull requests of commits."""

import re
from typing import Any

from .. import merging
from ..errors import ApiError, custom
from ..resources import commits, pulls, runs
from ..routing import Call, RestResponse, route
from ..state import Status

STATES = ("error", "failure", "pending", "success")


def find_commit(call: Call) -> str:
    """Return the commit in the path."""
    sha = call.hub.git.resolve(call.values["ref"])
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {call.values['ref']}")
    return sha


@route("POST", "/repos/{owner}/{repo}/statuses/{sha}", "statuses=write")
def create_status(call: Call) -> RestResponse:
    """Create a commit status."""
    sha, body = call.values["sha"], call.body
    if not re.fullmatch(r"[0-9a-f]{40}", sha) or call.hub.git.resolve(sha) is None:
        raise ApiError(422, f"No commit found for SHA: {sha}")
    if len(body.get("description") or "") > 140:
        raise custom("Status", "description is too long (maximum is 140 characters)")
    if len(body.get("context", "")) > 255:
        raise custom("Status", "context is too long (maximum is 255 characters)")
    if body.get("target_url") and not body["target_url"].startswith(("http://", "https://")):
        raise custom("Status", "target_url must use http(s) scheme")
    status = Status(
        call.hub.state.next_id(), sha, body["state"], body.get("context", "default"), body.get("description"),
        body.get("target_url"), call.caller,
    )  # fmt: skip
    call.hub.state.statuses.append(status)
    return RestResponse(201, commits.status(call.hub, status))


@route("GET", "/repos/{owner}/{repo}/commits/{ref}/status", "statuses=read")
def get_combined_status(call: Call) -> dict[str, Any]:
    """Return the combined status of a commit."""
    return commits.combined(call.hub, find_commit(call))


@route("GET", "/repos/{owner}/{repo}/commits/{ref}/statuses", "statuses=read")
def list_statuses(call: Call) -> list[dict[str, Any]]:
    """List all statuses of a commit, newest first."""
    sha = find_commit(call)
    statuses = [status for status in call.hub.state.statuses if status.sha == sha]
    return call.paginate([commits.status(call.hub, status) for status in reversed(statuses)])


@route("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs", "checks=read")
def list_check_runs(call: Call) -> dict[str, Any]:
    """List the jobs of all runs of a commit."""
    sha = find_commit(call)
    checks = [runs.check_run(call.hub, *check) for check in runs.checks(call.hub, sha)]
    for name, key in (("check_name", "name"), ("status", "status")):
        checks = [check for check in checks if call.query.get(name) in {None, check[key]}]
    return {"total_count": len(checks), "check_runs": call.paginate(checks)}


@route("GET", "/repos/{owner}/{repo}/commits/{commit_sha}/pulls", "pull_requests=read")
def list_pulls(call: Call) -> list[dict[str, Any]]:
    """List the merged pull request of a commit on the default branch; for another commit, the open ones."""
    git, sha = call.hub.git, call.hub.git.resolve(call.values["commit_sha"])
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {call.values['commit_sha']}")
    is_merged = git.contains(call.hub.settings.default_branch, sha)
    matching = [
        pull
        for pull in call.hub.state.pulls.values()
        if (pull.merged is not None if is_merged else pull.open) and sha in merging.merged_commits(call.hub, pull)
    ]
    return call.paginate([pulls.simple(call.hub, pull) for pull in matching])
