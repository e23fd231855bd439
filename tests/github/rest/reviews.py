"""Reviews of pull requests."""

from typing import Any, Literal

from .. import merging
from ..errors import RefusedError
from ..resources import pulls
from ..routing import Call, route
from ..state import Review, now
from .pulls import READ, WRITE, found, permitted

VERDICTS: dict[str, Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED"]] = {
    "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED",
}  # fmt: skip


@route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", READ)
def listed(call: Call) -> list[dict[str, Any]]:
    """Every review, the oldest first."""
    pull = found(call)
    return call.paged([pulls.review(call.hub, pull, review) for review in pull.reviews])


@route("POST", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", WRITE)
def create(call: Call) -> dict[str, Any]:
    """Approve, ask for changes, or comment; nobody judges his own work."""
    pull, verdict = found(call), call.body.get("event", "COMMENT")
    if verdict == "APPROVE":
        permitted(call.hub, call.caller)
    if verdict != "COMMENT" and call.caller.login == pull.issue.user.login:
        deed = "approve" if verdict == "APPROVE" else "request changes on"
        raise RefusedError(422, "Unprocessable Entity", [f"Can not {deed} your own pull request"])
    if verdict != "APPROVE" and not call.body.get("body"):
        raise RefusedError(422, "Unprocessable Entity", ["Body can't be blank"])
    head = call.body.get("commit_id") or merging.head(call.hub, pull)
    review = Review(call.hub.state.identity(), call.caller, VERDICTS[verdict], call.body.get("body") or "", head)
    pull.reviews.append(review)
    pull.issue.updated = now()
    return pulls.review(call.hub, pull, review)
