"""Deployments that a call begins, and what is said of all of them."""

from typing import Any

from .. import pushes, rules
from ..deployments import Deployment
from ..errors import RefusedError, custom, not_found
from ..hub import Hub
from ..model import Token
from ..resources.deployments import deployment, status
from ..routing import Answer, Call, route

PATH = "/repos/{owner}/{repo}/deployments"
READ, WRITE = "deployments=read", "deployments=write"
LONGEST = 140


@route("GET", PATH, READ)
def listed(call: Call) -> list[dict[str, Any]]:
    """Every deployment, the newest first."""
    fields = ("sha", "ref", "task", "environment")
    newest = [deployment(call.hub, it) for it in reversed(call.hub.deployments.all.values())]
    return call.paged([it for it in newest if all(call.query.get(name) in {None, it[name]} for name in fields)])


@route("POST", PATH, WRITE)
def create(call: Call) -> Answer:
    """Begin one, if the commit has passed what it must; a branch that lacks main's commits has them merged first."""
    hub, body = call.hub, call.body
    sha = hub.git.resolve(body["ref"])
    if sha is None:
        raise RefusedError(422, f"No ref found for: {body['ref']}")
    _short(body)
    if body.get("auto_merge", True) and _merged(hub, call.caller, body["ref"], sha):
        sentence = f"Auto-merged {hub.settings.default_branch} into {body['ref']} on deployment."
        return Answer(202, {"message": sentence})
    _passed(hub, body, sha)
    environment = body.get("environment", "production")
    made = hub.deployments.add(
        call.caller, sha, body["ref"], environment, task=body.get("task", "deploy"), payload=body.get("payload", {}),
        description=body.get("description"), transient=body.get("transient_environment", False),
        production=body.get("production_environment", environment == "production"),
    )  # fmt: skip
    return Answer(201, deployment(hub, made))


def _merged(hub: Hub, actor: Token, ref: str, sha: str) -> bool:
    """Bring a branch up to the default one; False where there was nothing to bring."""
    main = hub.git.branch(hub.settings.default_branch)
    if hub.git.branch(ref) is None or main is None or hub.git.contains(sha, main):
        return False
    tree = hub.git.merged_tree(sha, main)
    message = f"Merge {hub.settings.default_branch} into {ref}"
    pushes.move(hub, actor, f"refs/heads/{ref}", hub.git.write(tree, [sha, main], message, actor.login))
    return True


def _passed(hub: Hub, body: dict[str, Any], sha: str) -> None:
    """Refuse a commit of which a status or a check is not a success; only those that the caller names, if any."""
    open_ones = rules.unsuccessful(hub, sha)
    wanted = body.get("required_contexts")
    failed = sorted(open_ones if wanted is None else set(wanted) - rules.passed(hub, sha))
    if failed:
        error = {"contexts": failed, "resource": "Deployment", "field": "required_contexts", "code": "invalid"}
        raise RefusedError(409, f"Conflict: Commit status checks failed for {body['ref']}.", [error])


def _short(body: dict[str, Any]) -> None:
    if len(body.get("description") or "") > LONGEST:
        raise custom("Deployment", f"description is too long (maximum is {LONGEST} characters)")


def found(call: Call) -> Deployment:
    """The deployment in the path."""
    it = call.hub.deployments.all.get(call.number("deployment_id"))
    if it is None:
        raise not_found()
    return it


@route("GET", f"{PATH}/{{deployment_id}}", READ)
def one(call: Call) -> dict[str, Any]:
    """One deployment."""
    return deployment(call.hub, found(call))


@route("GET", f"{PATH}/{{deployment_id}}/statuses", READ)
def statuses(call: Call) -> list[dict[str, Any]]:
    """All that was said of it, the newest first."""
    it = found(call)
    return call.paged([status(call.hub, it, said) for said in reversed(it.said)])


@route("POST", f"{PATH}/{{deployment_id}}/statuses", WRITE)
def say(call: Call) -> Answer:
    """Say how it goes."""
    it, body = found(call), call.body
    _short(body)
    said = call.hub.deployments.say(
        it, call.caller, body["state"], body.get("auto_inactive", True), url=body.get("environment_url", ""),
        log=body.get("log_url") or body.get("target_url", ""), description=body.get("description", ""),
        environment=body.get("environment", it.environment),
    )  # fmt: skip
    return Answer(201, status(call.hub, it, said))
