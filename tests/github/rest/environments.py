"""Environments to deploy to."""

from typing import Any

from .. import reviewing
from ..errors import RefusedError, not_found
from ..hub import Hub
from ..resources.users import node, user
from ..routing import Call, route
from ..state import Environment

PATH = "/repos/{owner}/{repo}/environments"
PLAN = (
    "Failed to create the environment protection rule. "
    "Please ensure the billing plan supports the required reviewers protection rule."
)


def _rules(hub: Hub, it: Environment) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    if it.body.get("wait_timer"):
        rules.append({"type": "wait_timer", "wait_timer": it.body["wait_timer"]})
    if it.body.get("reviewers"):
        who = [{"type": "User", "reviewer": user(hub, login)} for login in reviewing.reviewers(hub, it)]
        prevent = bool(it.body.get("prevent_self_review"))
        rules.append({"type": "required_reviewers", "prevent_self_review": prevent, "reviewers": who})
    if it.body.get("deployment_branch_policy"):
        rules.append({"type": "branch_policy"})
    return [{"id": it.id + at, "node_id": node("GA", it.id + at), **rule} for at, rule in enumerate(rules)]


def _shown(hub: Hub, it: Environment) -> dict[str, Any]:
    return {
        "id": it.id,
        "node_id": node("EN", it.id),
        "name": it.name,
        "url": f"{hub.home}/environments/{it.name}",
        "html_url": f"{hub.page}/deployments/activity_log?environments_filter={it.name}",
        "created_at": it.created,
        "updated_at": it.created,
        "can_admins_bypass": True,
        "protection_rules": _rules(hub, it),
        "deployment_branch_policy": it.body.get("deployment_branch_policy"),
    }


@route("GET", PATH, "actions=read")
def listed(call: Call) -> dict[str, Any]:
    """Every environment."""
    shown = [_shown(call.hub, it) for it in call.hub.state.environments.values()]
    return {"total_count": len(shown), "environments": call.paged(shown)}


@route("GET", f"{PATH}/{{environment_name}}", "actions=read")
def one(call: Call) -> dict[str, Any]:
    """One environment and its protection."""
    found = call.hub.state.environments.get(call.values["environment_name"])
    if found is None:
        raise not_found()
    return _shown(call.hub, found)


@route("PUT", f"{PATH}/{{environment_name}}", "administration=write")
def write(call: Call) -> dict[str, Any]:
    """Make or change an environment; a private repository on a free plan has no protection."""
    name, settings = call.values["environment_name"], call.hub.settings
    protected = any(call.body.get(field) for field in ("reviewers", "wait_timer", "deployment_branch_policy"))
    if protected and settings.private and settings.plan == "free":
        raise RefusedError(422, PLAN)
    new = Environment(0, name, call.body)
    if len(reviewing.reviewers(call.hub, new)) < len(call.body.get("reviewers") or []):
        raise RefusedError(422, "Failed to create the environment protection rule. Reviewers are invalid.")
    environment = call.hub.deployments.environment(name)
    environment.body = call.body
    return _shown(call.hub, environment)
