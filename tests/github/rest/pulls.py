"""Pull requests: list, create, get and update."""

from typing import Any

from .. import closing, events, merging
from ..errors import PULL_REQUESTS, ApiError, custom, invalid, not_found
from ..hub import Hub
from ..model import Token
from ..resources import pulls
from ..routing import Call, RestResponse, route
from ..state import Pull, now
from .issues import check_lengths, sort_items

WRITE, READ = "pull_requests=write", "pull_requests=read"


def find_pull(call: Call) -> Pull:
    """Return the pull request in the path."""
    pull = call.hub.state.pulls.get(call.number("pull_number"))
    if pull is None:
        raise not_found()
    return pull


def require_setting(hub: Hub, token: Token) -> None:
    """Raise an error if a job's token may not open or approve pull requests."""
    if token.kind == "actions" and not hub.settings.actions_may_open_pull_requests:
        raise ApiError(403, PULL_REQUESTS)


@route("GET", "/repos/{owner}/{repo}/pulls", READ)
def list_pulls(call: Call) -> list[dict[str, Any]]:
    """List pull requests, newest first."""
    state, base, head = call.query.get("state", "open"), call.query.get("base"), call.query.get("head", "")
    chosen = [
        pull
        for pull in call.hub.state.pulls.values()
        if state in {"all", pull.issue.state}
        and base in {None, pull.base}
        # GitHub ignores a head without its owner, and lists everything.
        and (":" not in head or head == f"{call.hub.owner_login}:{pull.head}")
    ]
    direction = "desc" if call.query.get("sort", "created") == "created" else "asc"
    chosen = sort_items(call, chosen, lambda pull: pull.issue, direction)
    return [pulls.simple(call.hub, pull) for pull in call.paginate(chosen)]


@route("POST", "/repos/{owner}/{repo}/pulls", WRITE)
def create(call: Call) -> RestResponse:
    """Create a pull request."""
    body = call.body
    check_lengths("PullRequest", {**body, "title": body.get("title")})
    pull = open_pull(call.hub, call.caller, body["title"], body.get("body"), body["head"], body["base"])
    pull.draft = bool(body.get("draft"))
    return RestResponse(201, pulls.pull(call.hub, pull))


def open_pull(hub: Hub, actor: Token, title: str, text: str | None, head: str, base: str) -> Pull:
    """Open a pull request for a user."""
    require_setting(hub, actor)
    head, base = _branch(hub, head, "head"), _branch(hub, base, "base")
    _check_new_pull(hub, head, base)
    issue = hub.state.create_issue(actor, title, text)
    pull = hub.state.pulls[issue.number] = Pull(issue, head, base)
    merging.update_refs(hub, pull)
    events.pull_request(hub, actor, "opened", pull)
    return pull


def _branch(hub: Hub, name: str, field: str) -> str:
    owner, _, branch = name.rpartition(":")
    if owner not in {"", hub.owner_login} or hub.git.branch(branch) is None:
        raise invalid("PullRequest", field)
    return branch


def _check_new_pull(hub: Hub, head: str, base: str) -> None:
    new, old = hub.git.branch(head) or "", hub.git.branch(base) or ""
    if _find_open(hub, head, base):
        raise custom("PullRequest", f"A pull request already exists for {hub.owner_login}:{head}.")
    if hub.git.merge_base(old, new) is None:
        raise custom("PullRequest", f"The {head} branch has no history in common with {base}")
    if not hub.git.commits_between(old, new):
        raise custom("PullRequest", f"No commits between {base} and {head}")


def _find_open(hub: Hub, head: str, base: str) -> Pull | None:
    return next(
        (item for item in hub.state.pulls.values() if item.open and (item.head, item.base) == (head, base)), None
    )


@route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}", READ)
def get_pull(call: Call) -> dict[str, Any]:
    """Return one pull request with all fields."""
    pull = find_pull(call)
    merging.update_refs(call.hub, pull)
    return pulls.pull(call.hub, pull)


@route("PATCH", "/repos/{owner}/{repo}/pulls/{pull_number}", WRITE)
def update(call: Call) -> dict[str, Any]:
    """Update the title, body, base or state of a pull request."""
    pull, body = find_pull(call), call.body
    check_lengths("PullRequest", body)
    if body.get("base", pull.base) != pull.base:
        pull.base = _branch(call.hub, body["base"], "base")
        merging.update_refs(call.hub, pull)
    _rewrite(call, pull)
    if body.get("state") == "closed" and pull.open:
        closing.close(call.hub, call.caller, pull.issue)
    elif body.get("state") == "open" and not pull.open:
        reopen(call.hub, call.caller, pull)
    return pulls.pull(call.hub, pull)


def _rewrite(call: Call, pull: Pull) -> None:
    issue, body = pull.issue, call.body
    old = {"title": issue.title, "body": issue.body}
    changes = {name: {"from": text} for name, text in old.items() if name in body and body[name] != text}
    issue.title, issue.body, issue.updated = body.get("title", issue.title), body.get("body", issue.body), now()
    if changes:
        events.pull_request(call.hub, call.caller, "edited", pull, changes=changes)


def reopen(hub: Hub, actor: Token, pull: Pull) -> None:
    """Reopen a pull request, if its branch still exists and has no other open pull request."""
    obstacles = {
        "The pull request cannot be reopened.": pull.merged is not None,
        f"The {pull.head} branch has been deleted.": hub.git.branch(pull.head) is None,
        f"There is already an open pull request from {pull.head} to {pull.base}.": _find_open(
            hub, pull.head, pull.base
        ),
    }
    for reason, applies in obstacles.items():
        if applies:
            raise invalid("PullRequest", "state", message=f"state cannot be changed. {reason}")
    pull.issue.state = "open"
    merging.update_refs(hub, pull)
    closing.reopen(hub, actor, pull.issue)
