"""Labels."""

import re
from typing import Any

from ..errors import invalid, not_found
from ..resources import issues
from ..routing import Call, RestResponse, route
from ..state import Label
from .issues import find_issue

EITHER = "issues=write; pull_requests=write"


@route("GET", "/repos/{owner}/{repo}/labels", "issues=read; pull_requests=read")
def list_labels(call: Call) -> list[dict[str, Any]]:
    """List all labels."""
    return call.paginate([issues.label(call.hub, label) for label in call.hub.state.labels.values()])


@route("POST", "/repos/{owner}/{repo}/labels", EITHER)
def create(call: Call) -> RestResponse:
    """Create a label; names are unique, ignoring case."""
    name, color = call.body["name"], call.body.get("color", "ededed")
    if name.lower() in call.hub.state.labels:
        raise invalid("Label", "name", "already_exists")
    if not re.fullmatch(r"[0-9a-fA-F]{6}", color):
        raise invalid("Label", "color", value=color)
    label = Label(call.hub.state.next_id(), name, color.lower(), call.body.get("description"))
    call.hub.state.labels[name.lower()] = label
    return RestResponse(201, issues.label(call.hub, label))


@route("GET", "/repos/{owner}/{repo}/labels/{name}", "issues=read; pull_requests=read")
def get_label(call: Call) -> dict[str, Any]:
    """Return one label."""
    label = call.hub.state.labels.get(call.values["name"].lower())
    if label is None:
        raise not_found()
    return issues.label(call.hub, label)


@route("POST", "/repos/{owner}/{repo}/issues/{issue_number}/labels", EITHER)
def add_labels(call: Call) -> list[dict[str, Any]]:
    """Add labels to an issue or a pull request."""
    issue = find_issue(call)
    names = [call.hub.state.get_or_create_label(name).name.lower() for name in call.body["labels"]]
    issue.labels += [name for name in dict.fromkeys(names) if name not in issue.labels]
    return issues.labels(call.hub, issue)
