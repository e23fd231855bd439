"""Reviews of pull requests."""

from typing import Any, Literal

from .. import merging
from ..errors import ApiError
from ..resources import pulls
from ..routing import Call, route
from ..state import Review, now
from .pulls import READ, WRITE, find_pull, require_setting

VERDICTS: dict[str, Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED"]] = {
    "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED",
}  # fmt: skip


@route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", READ)
def list_reviews(call: Call) -> list[dict[str, Any]]:
    """List all reviews, oldest first."""
    pull = find_pull(call)
    return call.paginate([pulls.review(call.hub, pull, review) for review in pull.reviews])


@route("POST", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", WRITE)
def create(call: Call) -> dict[str, Any]:
    """Create a review; authors cannot approve their own pull requests."""
    pull, verdict = find_pull(call), call.body.get("event", "COMMENT")
    if verdict == "APPROVE":
        require_setting(call.hub, call.caller)
    if verdict != "COMMENT" and call.caller.login == pull.issue.user.login:
        verb = "approve" if verdict == "APPROVE" else "request changes on"
        raise ApiError(422, "Unprocessable Entity", [f"Can not {verb} your own pull request"])
    if verdict != "APPROVE" and not call.body.get("body"):
        raise ApiError(422, "Unprocessable Entity", ["Body can't be blank"])
    head = call.body.get("commit_id") or merging.head_commit(call.hub, pull)
    review = Review(call.hub.state.next_id(), call.caller, VERDICTS[verdict], call.body.get("body") or "", head)
    pull.reviews.append(review)
    pull.issue.updated = now()
    return pulls.review(call.hub, pull, review)
