"""Deployments that wait for a review."""

from typing import Any

from .. import reviewing
from ..errors import ApiError, not_found
from ..model import Run
from ..resources.deployments import deployment
from ..resources.users import user
from ..routing import Call, route

PATH = "/repos/{owner}/{repo}/actions/runs/{run_id}/pending_deployments"


def _find_run(call: Call) -> Run:
    run = call.hub.runs.get(call.number("run_id"))
    if run is None:
        raise not_found()
    return run


@route("GET", PATH, "actions=read")
def list_pending(call: Call) -> list[dict[str, Any]]:
    """List the environments for whose review a run waits, with their reviewers."""
    hub, run = call.hub, _find_run(call)
    return [
        {
            "environment": {
                "id": item.id,
                "node_id": f"EN_{item.id}",
                "name": item.name,
                "url": f"{hub.repository_url}/environments/{item.name}",
                "html_url": f"{hub.html_url}/deployments/activity_log?environments_filter={item.name}",
            },
            "wait_timer": 0,
            "wait_timer_started_at": None,
            "current_user_can_approve": call.token is not None and reviewing.may_review(hub, call.token, run, item),
            "reviewers": [
                {"type": "User", "reviewer": user(hub, login)} for login in reviewing.list_reviewers(hub, item)
            ],
        }
        for item in reviewing.awaited_environments(hub, run)
    ]


@route("POST", PATH, "deployments=write")
def review(call: Call) -> list[dict[str, Any]]:
    """Approve or reject the deployments of a run; the caller must be a reviewer of each environment."""
    hub, run, ids = call.hub, _find_run(call), set(call.body["environment_ids"])
    chosen = [item for item in reviewing.awaited_environments(hub, run) if item.id in ids]
    if len(chosen) != len(ids):
        raise ApiError(422, "No pending deployment requests to approve or reject")
    if not all(reviewing.may_review(hub, call.caller, run, item) for item in chosen):
        raise ApiError(422, "You are not allowed to approve or reject these deployments")
    approved = call.body["state"] == "approved"
    decided = [item for environment in chosen for item in reviewing.decide(hub, run, environment, approved)]
    return [deployment(hub, item) for item in decided]
