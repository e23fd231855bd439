"""Jobs that wait for a person before they deploy."""

from typing import Any

from .. import reviewing
from ..errors import RefusedError, not_found
from ..model import Run
from ..resources.deployments import deployment
from ..resources.users import user
from ..routing import Call, route

PATH = "/repos/{owner}/{repo}/actions/runs/{run_id}/pending_deployments"


def _run(call: Call) -> Run:
    run = call.hub.runs.get(call.number("run_id"))
    if run is None:
        raise not_found()
    return run


@route("GET", PATH, "actions=read")
def listed(call: Call) -> list[dict[str, Any]]:
    """The environments that a run waits for, and who may allow them."""
    hub, run = call.hub, _run(call)
    return [
        {
            "environment": {
                "id": it.id,
                "node_id": f"EN_{it.id}",
                "name": it.name,
                "url": f"{hub.home}/environments/{it.name}",
                "html_url": f"{hub.page}/deployments/activity_log?environments_filter={it.name}",
            },
            "wait_timer": 0,
            "wait_timer_started_at": None,
            "current_user_can_approve": call.token is not None and reviewing.may(hub, call.token, run, it),
            "reviewers": [{"type": "User", "reviewer": user(hub, login)} for login in reviewing.reviewers(hub, it)],
        }
        for it in reviewing.awaited(hub, run)
    ]


@route("POST", PATH, "deployments=write")
def review(call: Call) -> list[dict[str, Any]]:
    """Allow a run's jobs to deploy, or forbid it; only a reviewer of each environment may."""
    hub, run, ids = call.hub, _run(call), set(call.body["environment_ids"])
    chosen = [it for it in reviewing.awaited(hub, run) if it.id in ids]
    if len(chosen) != len(ids):
        raise RefusedError(422, "No pending deployment requests to approve or reject")
    if not all(reviewing.may(hub, call.caller, run, it) for it in chosen):
        raise RefusedError(422, "You are not allowed to approve or reject these deployments")
    approved = call.body["state"] == "approved"
    decided = [it for environment in chosen for it in reviewing.decide(hub, run, environment, approved)]
    return [deployment(hub, it) for it in decided]
