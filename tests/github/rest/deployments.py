"""Deployments and their statuses."""

from typing import Any

from .. import pushes, rules
from ..deployments import Deployment
from ..errors import ApiError, custom, not_found
from ..hub import Hub
from ..model import Token
from ..resources.deployments import deployment, status
from ..routing import Call, RestResponse, route

PATH = "/repos/{owner}/{repo}/deployments"
READ, WRITE = "deployments=read", "deployments=write"
MAX_DESCRIPTION = 140


@route("GET", PATH, READ)
def list_deployments(call: Call) -> list[dict[str, Any]]:
    """List all deployments, newest first."""
    fields = ("sha", "ref", "task", "environment")
    newest = [deployment(call.hub, item) for item in reversed(call.hub.deployments.all.values())]
    return call.paginate(
        [item for item in newest if all(call.query.get(name) in {None, item[name]} for name in fields)]
    )


@route("POST", PATH, WRITE)
def create(call: Call) -> RestResponse:
    """Create a deployment if the commit's checks succeeded; merge the default branch first into a branch behind it."""
    hub, body = call.hub, call.body
    sha = hub.git.resolve(body["ref"])
    if sha is None:
        raise ApiError(422, f"No ref found for: {body['ref']}")
    _check_length(body)
    if body.get("auto_merge", True) and _merge_default_branch(hub, call.caller, body["ref"], sha):
        message = f"Auto-merged {hub.settings.default_branch} into {body['ref']} on deployment."
        return RestResponse(202, {"message": message})
    _require_success(hub, body, sha)
    environment = body.get("environment", "production")
    made = hub.deployments.add(
        call.caller, sha, body["ref"], environment, task=body.get("task", "deploy"), payload=body.get("payload", {}),
        description=body.get("description"), transient=body.get("transient_environment", False),
        production=body.get("production_environment", environment == "production"),
    )  # fmt: skip
    return RestResponse(201, deployment(hub, made))


def _merge_default_branch(hub: Hub, actor: Token, ref: str, sha: str) -> bool:
    """Merge the default branch into a branch; return False if there is nothing to merge."""
    main = hub.git.branch(hub.settings.default_branch)
    if hub.git.branch(ref) is None or main is None or hub.git.contains(sha, main):
        return False
    tree = hub.git.merge_trees(sha, main)
    message = f"Merge {hub.settings.default_branch} into {ref}"
    pushes.move_ref(hub, actor, f"refs/heads/{ref}", hub.git.create_commit(tree, [sha, main], message, actor.login))
    return True


def _require_success(hub: Hub, body: dict[str, Any], sha: str) -> None:
    """Raise an error for a commit with an unsuccessful check; if the caller names contexts, only these count."""
    unsuccessful = rules.unsuccessful_checks(hub, sha)
    required = body.get("required_contexts")
    failed = sorted(unsuccessful if required is None else set(required) - rules.passed_checks(hub, sha))
    if failed:
        error = {"contexts": failed, "resource": "Deployment", "field": "required_contexts", "code": "invalid"}
        raise ApiError(409, f"Conflict: Commit status checks failed for {body['ref']}.", [error])


def _check_length(body: dict[str, Any]) -> None:
    if len(body.get("description") or "") > MAX_DESCRIPTION:
        raise custom("Deployment", f"description is too long (maximum is {MAX_DESCRIPTION} characters)")


def find_deployment(call: Call) -> Deployment:
    """Return the deployment in the path."""
    item = call.hub.deployments.all.get(call.number("deployment_id"))
    if item is None:
        raise not_found()
    return item


@route("GET", f"{PATH}/{{deployment_id}}", READ)
def get_deployment(call: Call) -> dict[str, Any]:
    """Return one deployment."""
    return deployment(call.hub, find_deployment(call))


@route("GET", f"{PATH}/{{deployment_id}}/statuses", READ)
def list_statuses(call: Call) -> list[dict[str, Any]]:
    """List all statuses of a deployment, newest first."""
    item = find_deployment(call)
    return call.paginate([status(call.hub, item, entry) for entry in reversed(item.statuses)])


@route("POST", f"{PATH}/{{deployment_id}}/statuses", WRITE)
def create_status(call: Call) -> RestResponse:
    """Add a status to a deployment."""
    item, body = find_deployment(call), call.body
    _check_length(body)
    entry = call.hub.deployments.add_status(
        item, call.caller, body["state"], body.get("auto_inactive", True), url=body.get("environment_url", ""),
        log=body.get("log_url") or body.get("target_url", ""), description=body.get("description", ""),
        environment=body.get("environment", item.environment),
    )  # fmt: skip
    return RestResponse(201, status(call.hub, item, entry))
