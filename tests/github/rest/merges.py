"""The merge, which is a real one."""

from typing import Any

from .. import closing, merging, pushes, rules
from ..errors import RefusedError
from ..git import ConflictError
from ..hub import Hub
from ..model import Token
from ..routing import Answer, Call, route
from ..state import Pull
from .pulls import READ, found


@route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/merge", READ)
def is_merged(call: Call) -> Answer:
    """Whether it was merged: 204, or 404."""
    if found(call).merged is None:
        raise RefusedError(404, "Not Found")
    return Answer(204)


@route("PUT", "/repos/{owner}/{repo}/pulls/{pull_number}/merge", "contents=write")
def merge(call: Call) -> dict[str, Any]:
    """Merge it, if it may be."""
    pull, body = found(call), call.body
    if body.get("sha") and body["sha"] != merging.head(call.hub, pull):
        raise RefusedError(409, "Head branch was modified. Review and try the merge again.")
    sha = land(
        call.hub, call.caller, pull, body.get("merge_method", "merge"), body.get("commit_title") or "",
        body.get("commit_message") or "",
    )  # fmt: skip
    return {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


def land(
    hub: Hub, actor: Token, pull: Pull, method: merging.Method = "merge", title: str = "", message: str = ""
) -> str:
    """Merge a pull request in somebody's name; what the base branch is at then."""
    # Somebody may have pushed straight to the folder.
    merging.refresh(hub, pull)
    if not pull.open or pull.draft:
        raise RefusedError(405, "Pull Request is not mergeable")
    broken = rules.against_merge(hub, actor, pull)
    if broken:
        raise RefusedError(405, "\n\n".join(["Repository rule violations found", *broken]))
    try:
        sha = merging.combine(hub, pull, method, actor, title, message)
    except ConflictError:
        raise RefusedError(405, "Pull Request is not mergeable") from None
    _arrive(hub, actor, pull, sha)
    return sha


def _arrive(hub: Hub, actor: Token, pull: Pull, sha: str) -> None:
    # Closed before the push is settled, which would else take it for merged by hand.
    closing.merged(hub, actor, pull, sha)
    pushes.move(hub, actor, f"refs/heads/{pull.base}", sha)
    if hub.settings.delete_branch_on_merge:
        pushes.move(hub, actor, f"refs/heads/{pull.head}", None)
