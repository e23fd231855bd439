"""Merges of pull requests, with real merge commits."""

from typing import Any

from .. import closing, merging, pushes, rules
from ..errors import ApiError
from ..git import ConflictError
from ..hub import Hub
from ..model import Token
from ..routing import Call, RestResponse, route
from ..state import Pull
from .pulls import READ, find_pull


@route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/merge", READ)
def is_merged(call: Call) -> RestResponse:
    """Return 204 if a pull request was merged, 404 otherwise."""
    if find_pull(call).merged is None:
        raise ApiError(404, "Not Found")
    return RestResponse(204)


@route("PUT", "/repos/{owner}/{repo}/pulls/{pull_number}/merge", "contents=write")
def merge(call: Call) -> dict[str, Any]:
    """Merge a pull request, if its rules allow it."""
    pull, body = find_pull(call), call.body
    if body.get("sha") and body["sha"] != merging.head_commit(call.hub, pull):
        raise ApiError(409, "Head branch was modified. Review and try the merge again.")
    sha = merge_pull(
        call.hub, call.caller, pull, body.get("merge_method", "merge"), body.get("commit_title") or "",
        body.get("commit_message") or "",
    )  # fmt: skip
    return {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


def merge_pull(
    hub: Hub, actor: Token, pull: Pull, method: merging.Method = "merge", title: str = "", message: str = ""
) -> str:
    """Merge a pull request for a user, and return the new commit of the base branch."""
    # A test may have pushed directly to the folder.
    merging.update_refs(hub, pull)
    if not pull.open or pull.draft:
        raise ApiError(405, "Pull Request is not mergeable")
    violations = rules.merge_violations(hub, actor, pull)
    if violations:
        raise ApiError(405, "\n\n".join(["Repository rule violations found", *violations]))
    try:
        sha = merging.create_merge(hub, pull, method, actor, title, message)
    except ConflictError:
        raise ApiError(405, "Pull Request is not mergeable") from None
    _move_base(hub, actor, pull, sha)
    return sha


def _move_base(hub: Hub, actor: Token, pull: Pull, sha: str) -> None:
    # Closed before the push is processed, which would otherwise treat it as a manual merge.
    closing.mark_merged(hub, actor, pull, sha)
    pushes.move_ref(hub, actor, f"refs/heads/{pull.base}", sha)
    if hub.settings.delete_branch_on_merge:
        pushes.move_ref(hub, actor, f"refs/heads/{pull.head}", None)
