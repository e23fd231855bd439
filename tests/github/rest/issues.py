"""Issues and comments; a pull request is an issue too."""

from collections.abc import Callable
from typing import Any

from .. import closing, events
from ..access import has_grant, missing_grant
from ..errors import invalid, not_found, too_long
from ..resources import issues
from ..routing import Call, RestResponse, route
from ..state import Comment, Issue, now

MAX_TITLE, MAX_BODY = 256, 65_536


def find_issue(call: Call) -> Issue:
    """Return the issue or pull request in the path."""
    issue = call.hub.state.issues.get(call.number("issue_number"))
    if issue is None:
        raise not_found()
    return issue


def require_write(call: Call, issue: Issue) -> Issue:
    """Return the issue if the caller may write it: a pull request needs another grant than an issue."""
    needs = "issues=write; pull_requests=write" if issue.number in call.hub.state.pulls else "issues=write"
    if not has_grant(call.hub, call.caller, needs):
        raise missing_grant(call.caller, needs)
    return issue


def check_lengths(resource: str, body: dict[str, Any]) -> None:
    """Raise GitHub's error for a title or a body that is too long, or an empty title."""
    if "title" in body and not (body["title"] or "").strip():
        raise invalid(resource, "title", "missing_field")
    for field, maximum in (("title", MAX_TITLE), ("body", MAX_BODY)):
        if len(body.get(field) or "") > maximum:
            raise too_long(resource, field, maximum)


def sort_items(call: Call, items: list[Any], issue_of: Callable[[Any], Issue], direction: str) -> list[Any]:
    """Return the items in the requested order."""
    keys: dict[str, Callable[[Any], Any]] = {
        "updated": lambda item: (issue_of(item).updated, issue_of(item).number),
        "comments": lambda item: (len(issue_of(item).comments), issue_of(item).number),
    }
    key = keys.get(call.query.get("sort", ""), lambda item: issue_of(item).number)
    return sorted(items, key=key, reverse=call.query.get("direction", direction) == "desc")


@route("GET", "/repos/{owner}/{repo}/issues", "issues=read")
def list_issues(call: Call) -> list[dict[str, Any]]:
    """List issues and pull requests, newest first."""
    state, creator = call.query.get("state", "open"), call.query.get("creator")
    labels = {name.strip().lower() for name in call.query.get("labels", "").split(",") if name.strip()}
    chosen = [
        issue
        for issue in call.hub.state.issues.values()
        if state in {"all", issue.state}
        and creator in {None, issue.user.login}
        and labels <= set(issue.labels)
        and issue.updated >= call.query.get("since", "")
    ]
    return [
        issues.issue(call.hub, issue) for issue in call.paginate(sort_items(call, chosen, lambda item: item, "desc"))
    ]


@route("POST", "/repos/{owner}/{repo}/issues", "issues=write")
def create(call: Call) -> RestResponse:
    """Create an issue."""
    check_lengths("Issue", {**call.body, "title": str(call.body["title"])})
    issue = call.hub.state.create_issue(call.caller, str(call.body["title"]), call.body.get("body"))
    issue.labels = [
        call.hub.state.get_or_create_label(_name(label)).name.lower() for label in call.body.get("labels", [])
    ]
    events.issue(call.hub, call.caller, "opened", issue)
    return RestResponse(201, issues.issue(call.hub, issue))


def _name(label: str | dict[str, str]) -> str:
    return label if isinstance(label, str) else label["name"]


@route("GET", "/repos/{owner}/{repo}/issues/{issue_number}", "issues=read")
def get_issue(call: Call) -> dict[str, Any]:
    """Return one issue, with the user who closed it."""
    return issues.issue(call.hub, find_issue(call))


@route("PATCH", "/repos/{owner}/{repo}/issues/{issue_number}", "issues=write; pull_requests=write")
def update(call: Call) -> dict[str, Any]:
    """Update the title, body, labels or state of an issue."""
    issue, body = require_write(call, find_issue(call)), call.body
    check_lengths("Issue", body)
    issue.title, issue.body = body.get("title") or issue.title, body.get("body", issue.body)
    if "labels" in body:
        issue.labels = [call.hub.state.get_or_create_label(_name(label)).name.lower() for label in body["labels"]]
    issue.updated = now()
    if body.get("state") == "closed" and issue.state == "open":
        closing.close(call.hub, call.caller, issue, body.get("state_reason"))
    elif body.get("state") == "open" and issue.state == "closed":
        closing.reopen(call.hub, call.caller, issue)
    return issues.issue(call.hub, issue)


@route("GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments", "issues=read; pull_requests=read")
def list_comments(call: Call) -> list[dict[str, Any]]:
    """List the comments, oldest first."""
    return call.paginate([issues.comment(call.hub, comment) for comment in find_issue(call).comments])


@route("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments", "issues=write; pull_requests=write")
def create_comment(call: Call) -> RestResponse:
    """Comment on an issue or a pull request."""
    issue = require_write(call, find_issue(call))
    check_lengths("IssueComment", call.body)
    if not call.body["body"].strip():
        raise invalid("IssueComment", "body", "missing_field")
    comment = Comment(call.hub.state.next_id(), issue.number, call.caller, call.body["body"])
    issue.comments.append(comment)
    issue.updated = now()
    events.issue(call.hub, call.caller, "created", issue, comment)
    return RestResponse(201, issues.comment(call.hub, comment))
