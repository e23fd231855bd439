"""Issues and comments; a pull request is an issue too."""

from collections.abc import Callable
from typing import Any

from .. import closing, events
from ..access import granted, missing
from ..errors import invalid, not_found, too_long
from ..resources import issues
from ..routing import Answer, Call, route
from ..state import Comment, Issue, now

TITLE, BODY = 256, 65_536


def found(call: Call) -> Issue:
    """The issue or pull request in the path."""
    issue = call.hub.state.issues.get(call.number("issue_number"))
    if issue is None:
        raise not_found()
    return issue


def writable(call: Call, issue: Issue) -> Issue:
    """The same, if the caller may write it: a pull request needs another grant than an issue."""
    needs = "issues=write; pull_requests=write" if issue.number in call.hub.state.pulls else "issues=write"
    if not granted(call.hub, call.caller, needs):
        raise missing(call.caller, needs)
    return issue


def measured(resource: str, body: dict[str, Any]) -> None:
    """Refuse a title or a body that GitHub finds too long, or a title that is empty."""
    if "title" in body and not (body["title"] or "").strip():
        raise invalid(resource, "title", "missing_field")
    for field, maximum in (("title", TITLE), ("body", BODY)):
        if len(body.get(field) or "") > maximum:
            raise too_long(resource, field, maximum)


def ordered(call: Call, items: list[Any], issue_of: Callable[[Any], Issue], direction: str) -> list[Any]:
    """In the order that was asked for."""
    keys: dict[str, Callable[[Any], Any]] = {
        "updated": lambda item: (issue_of(item).updated, issue_of(item).number),
        "comments": lambda item: (len(issue_of(item).comments), issue_of(item).number),
    }
    key = keys.get(call.query.get("sort", ""), lambda item: issue_of(item).number)
    return sorted(items, key=key, reverse=call.query.get("direction", direction) == "desc")


@route("GET", "/repos/{owner}/{repo}/issues", "issues=read")
def listed(call: Call) -> list[dict[str, Any]]:
    """Issues and pull requests, the newest first."""
    state, creator = call.query.get("state", "open"), call.query.get("creator")
    wanted = {name.strip().lower() for name in call.query.get("labels", "").split(",") if name.strip()}
    chosen = [
        issue
        for issue in call.hub.state.issues.values()
        if state in {"all", issue.state}
        and creator in {None, issue.user.login}
        and wanted <= set(issue.labels)
        and issue.updated >= call.query.get("since", "")
    ]
    return [issues.issue(call.hub, issue) for issue in call.paged(ordered(call, chosen, lambda it: it, "desc"))]


@route("POST", "/repos/{owner}/{repo}/issues", "issues=write")
def create(call: Call) -> Answer:
    """A new issue."""
    measured("Issue", {**call.body, "title": str(call.body["title"])})
    issue = call.hub.state.issue(call.caller, str(call.body["title"]), call.body.get("body"))
    issue.labels = [call.hub.state.label(_name(label)).name.lower() for label in call.body.get("labels", [])]
    events.issue(call.hub, call.caller, "opened", issue)
    return Answer(201, issues.issue(call.hub, issue))


def _name(label: str | dict[str, str]) -> str:
    return label if isinstance(label, str) else label["name"]


@route("GET", "/repos/{owner}/{repo}/issues/{issue_number}", "issues=read")
def one(call: Call) -> dict[str, Any]:
    """One issue, with who closed it."""
    return issues.issue(call.hub, found(call))


@route("PATCH", "/repos/{owner}/{repo}/issues/{issue_number}", "issues=write; pull_requests=write")
def update(call: Call) -> dict[str, Any]:
    """Change a title, a body, labels, or the state."""
    issue, body = writable(call, found(call)), call.body
    measured("Issue", body)
    issue.title, issue.body = body.get("title") or issue.title, body.get("body", issue.body)
    if "labels" in body:
        issue.labels = [call.hub.state.label(_name(label)).name.lower() for label in body["labels"]]
    issue.updated = now()
    if body.get("state") == "closed" and issue.state == "open":
        closing.close(call.hub, call.caller, issue, body.get("state_reason"))
    elif body.get("state") == "open" and issue.state == "closed":
        closing.reopen(call.hub, call.caller, issue)
    return issues.issue(call.hub, issue)


@route("GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments", "issues=read; pull_requests=read")
def comments(call: Call) -> list[dict[str, Any]]:
    """What was said, the oldest first."""
    return call.paged([issues.comment(call.hub, comment) for comment in found(call).comments])


@route("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments", "issues=write; pull_requests=write")
def say(call: Call) -> Answer:
    """Say something about an issue or a pull request."""
    issue = writable(call, found(call))
    measured("IssueComment", call.body)
    if not call.body["body"].strip():
        raise invalid("IssueComment", "body", "missing_field")
    comment = Comment(call.hub.state.identity(), issue.number, call.caller, call.body["body"])
    issue.comments.append(comment)
    issue.updated = now()
    events.issue(call.hub, call.caller, "created", issue, comment)
    return Answer(201, issues.comment(call.hub, comment))
