"""What the owner may switch."""

from typing import Any

from ..routing import Answer, Call, route

PATH = "/repos/{owner}/{repo}/actions/permissions/workflow"


@route("GET", PATH, "administration=read")
def read(call: Call) -> dict[str, Any]:
    """What jobs may do."""
    settings = call.hub.settings
    return {
        "default_workflow_permissions": settings.default_workflow_permissions,
        "can_approve_pull_request_reviews": settings.actions_may_open_pull_requests,
    }


@route("PUT", PATH, "administration=write")
def write(call: Call) -> Answer:
    """Change what jobs may do."""
    settings, body = call.hub.settings, call.body
    if "can_approve_pull_request_reviews" in body:
        settings.actions_may_open_pull_requests = body["can_approve_pull_request_reviews"]
    if "default_workflow_permissions" in body:
        settings.default_workflow_permissions = body["default_workflow_permissions"]
    return Answer(204)
