"""Labels."""

import re
from typing import Any

from ..errors import invalid, not_found
from ..resources import issues
from ..routing import Answer, Call, route
from ..state import Label
from .issues import found

EITHER = "issues=write; pull_requests=write"


@route("GET", "/repos/{owner}/{repo}/labels", "issues=read; pull_requests=read")
def listed(call: Call) -> list[dict[str, Any]]:
    """Every label."""
    return call.paged([issues.label(call.hub, label) for label in call.hub.state.labels.values()])


@route("POST", "/repos/{owner}/{repo}/labels", EITHER)
def create(call: Call) -> Answer:
    """A new label; no two have the same name, whatever the case."""
    name, color = call.body["name"], call.body.get("color", "ededed")
    if name.lower() in call.hub.state.labels:
        raise invalid("Label", "name", "already_exists")
    if not re.fullmatch(r"[0-9a-fA-F]{6}", color):
        raise invalid("Label", "color", value=color)
    label = Label(call.hub.state.identity(), name, color.lower(), call.body.get("description"))
    call.hub.state.labels[name.lower()] = label
    return Answer(201, issues.label(call.hub, label))


@route("GET", "/repos/{owner}/{repo}/labels/{name}", "issues=read; pull_requests=read")
def one(call: Call) -> dict[str, Any]:
    """One label."""
    label = call.hub.state.labels.get(call.values["name"].lower())
    if label is None:
        raise not_found()
    return issues.label(call.hub, label)


@route("POST", "/repos/{owner}/{repo}/issues/{issue_number}/labels", EITHER)
def add(call: Call) -> list[dict[str, Any]]:
    """Put labels on an issue or a pull request."""
    issue = found(call)
    issues_labels = [call.hub.state.label(name).name.lower() for name in call.body["labels"]]
    issue.labels += [name for name in dict.fromkeys(issues_labels) if name not in issue.labels]
    return issues.labels(call.hub, issue)
