"""Deployment environments."""

from typing import Any

from .. import reviewing
from ..errors import ApiError, not_found
from ..hub import Hub
from ..resources.users import node_id, user
from ..routing import Call, route
from ..state import Environment

PATH = "/repos/{owner}/{repo}/environments"
PLAN = (
    "Failed to create the environment protection rule. "
    "Please ensure the billing plan supports the required reviewers protection rule."
)


def _rules(hub: Hub, item: Environment) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    if item.body.get("wait_timer"):
        rules.append({"type": "wait_timer", "wait_timer": item.body["wait_timer"]})
    if item.body.get("reviewers"):
        reviewers = [{"type": "User", "reviewer": user(hub, login)} for login in reviewing.list_reviewers(hub, item)]
        prevent = bool(item.body.get("prevent_self_review"))
        rules.append({"type": "required_reviewers", "prevent_self_review": prevent, "reviewers": reviewers})
    if item.body.get("deployment_branch_policy"):
        rules.append({"type": "branch_policy"})
    return [
        {"id": item.id + index, "node_id": node_id("GA", item.id + index), **rule} for index, rule in enumerate(rules)
    ]


def _document(hub: Hub, item: Environment) -> dict[str, Any]:
    return {
        "id": item.id,
        "node_id": node_id("EN", item.id),
        "name": item.name,
        "url": f"{hub.repository_url}/environments/{item.name}",
        "html_url": f"{hub.html_url}/deployments/activity_log?environments_filter={item.name}",
        "created_at": item.created,
        "updated_at": item.created,
        "can_admins_bypass": True,
        "protection_rules": _rules(hub, item),
        "deployment_branch_policy": item.body.get("deployment_branch_policy"),
    }


@route("GET", PATH, "actions=read")
def list_environments(call: Call) -> dict[str, Any]:
    """List all environments."""
    shown = [_document(call.hub, item) for item in call.hub.state.environments.values()]
    return {"total_count": len(shown), "environments": call.paginate(shown)}


@route("GET", f"{PATH}/{{environment_name}}", "actions=read")
def get_environment(call: Call) -> dict[str, Any]:
    """Return one environment and its protection rules."""
    environment = call.hub.state.environments.get(call.values["environment_name"])
    if environment is None:
        raise not_found()
    return _document(call.hub, environment)


@route("PUT", f"{PATH}/{{environment_name}}", "administration=write")
def put_environment(call: Call) -> dict[str, Any]:
    """Create or update an environment; a private repository on a free plan has no protection rules."""
    name, settings = call.values["environment_name"], call.hub.settings
    protected = any(call.body.get(field) for field in ("reviewers", "wait_timer", "deployment_branch_policy"))
    if protected and settings.private and settings.plan == "free":
        raise ApiError(422, PLAN)
    new = Environment(0, name, call.body)
    if len(reviewing.list_reviewers(call.hub, new)) < len(call.body.get("reviewers") or []):
        raise ApiError(422, "Failed to create the environment protection rule. Reviewers are invalid.")
    environment = call.hub.deployments.environment(name)
    environment.body = call.body
    return _document(call.hub, environment)
