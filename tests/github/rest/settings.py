"""Settings of the repository that its owner can change."""

from typing import Any

from ..routing import Call, RestResponse, route

PATH = "/repos/{owner}/{repo}/actions/permissions/workflow"


@route("GET", PATH, "administration=read")
def get_permissions(call: Call) -> dict[str, Any]:
    """Return the default permissions of jobs."""
    settings = call.hub.settings
    return {
        "default_workflow_permissions": settings.default_workflow_permissions,
        "can_approve_pull_request_reviews": settings.actions_may_open_pull_requests,
    }


@route("PUT", PATH, "administration=write")
def put_permissions(call: Call) -> RestResponse:
    """Update the default permissions of jobs."""
    settings, body = call.hub.settings, call.body
    if "can_approve_pull_request_reviews" in body:
        settings.actions_may_open_pull_requests = body["can_approve_pull_request_reviews"]
    if "default_workflow_permissions" in body:
        settings.default_workflow_permissions = body["default_workflow_permissions"]
    return RestResponse(204)
