"""Runs of workflows, and asking for them."""

import json
import operator
from datetime import UTC, datetime
from typing import Any

import yaml

from .. import events
from ..errors import RefusedError, not_found
from ..hub import Hub
from ..model import Run
from ..resources import runs
from ..routing import Answer, Call, route

FOLDER = ".github/workflows"
MOST_INPUTS, MOST_CHARACTERS = 25, 65_535
COMPARED = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


@route("GET", "/repos/{owner}/{repo}/actions/runs", "actions=read")
def listed(call: Call) -> dict[str, Any]:
    """Every run, the newest first."""
    return _listed(call, list(call.hub.runs.values()))


@route("GET", "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs", "actions=read")
def of_workflow(call: Call) -> dict[str, Any]:
    """The runs of one workflow, the newest first."""
    file = workflow(call)
    return _listed(call, [run for run in call.hub.runs.values() if run.workflow == file])


def _listed(call: Call, chosen: list[Run]) -> dict[str, Any]:
    chosen = [run for run in sorted(chosen, key=lambda run: -run.id) if _wanted(call, run)]
    shown = [runs.workflow_run(call.hub, run) for run in call.paged(chosen)]
    return {"total_count": len(chosen), "workflow_runs": shown}


def _wanted(call: Call, run: Run) -> bool:
    branch, sha = runs.head(run)
    values = {"head_sha": {sha}, "branch": {branch}, "event": {run.event.name}, "actor": {run.event.actor}}
    values["status"] = {run.status, run.conclusion or ""}
    named = all(call.query.get(name) in {None, *value} for name, value in values.items())
    return named and _within(call.query.get("created", "*..*"), _moment(run.created))


def _within(asked: str, when: datetime) -> bool:
    """Whether a moment is what somebody searches: `>=2026-01-01`, or `2026-01-01T12:00:00Z..*`."""
    sign = next((sign for sign in COMPARED if asked.startswith(sign)), None)
    if sign:
        return bool(COMPARED[sign](when, _moment(asked.removeprefix(sign))))
    first, between, last = asked.partition("..")
    if not between:
        raise RefusedError(422, f"This search for a moment is not known here: {asked}")
    return (first == "*" or _moment(first) <= when) and (last == "*" or when <= _moment(last))


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise RefusedError(422, f"This is neither a date nor a moment: {text}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@route("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}", "actions=read")
def one(call: Call) -> dict[str, Any]:
    """One run."""
    return runs.workflow_run(call.hub, _run(call))


def _run(call: Call) -> Run:
    run = call.hub.runs.get(call.number("run_id"))
    if run is None:
        raise not_found()
    return run


@route("POST", "/repos/{owner}/{repo}/actions/runs/{run_id}/approve", "actions=write")
def approve(call: Call) -> Answer:
    """Let a bot's run start; whoever runs it hears of it."""
    run = _run(call)
    if call.caller.kind == "actions" or not waits(run):
        raise RefusedError(403, "This run is not from a fork pull request or queued for approval")
    for approver in list(call.hub.approvers):
        approver(run, call.caller)
    return Answer(201, {})


def waits(run: Run) -> bool:
    """Whether a run waits for a person."""
    return run.event.waits and (run.status == "waiting" or run.conclusion == "action_required")


def workflow(call: Call) -> str:
    """The file of the workflow in the path, by its name or number; the default branch must have it."""
    named = call.values["workflow_id"]
    listing = call.hub.git.text(call.hub.settings.default_branch, FOLDER) or ""
    for file in listing.splitlines()[2:]:
        if named in {file, str(runs.workflow_id(file))}:
            return file
    raise not_found()


@route("POST", "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches", "actions=write")
def dispatch(call: Call) -> Answer:
    """Ask for a workflow to run on a ref, with inputs."""
    file = workflow(call)
    if file in call.hub.settings.disabled:
        raise RefusedError(422, "Cannot trigger a 'workflow_dispatch' on a disabled workflow")
    ref, sha = _ref(call.hub, call.body["ref"])
    declared = _declared(call.hub, sha, file)
    given = call.body.get("inputs") or {}
    events.workflow_dispatch(call.hub, call.caller, file, ref, sha, filled(declared, given))
    return Answer(204)


def _ref(hub: Hub, name: str) -> tuple[str, str]:
    for ref in (f"refs/heads/{name}", f"refs/tags/{name}", name if name.startswith("refs/") else ""):
        sha = hub.git.ref(ref) if ref else None
        if sha:
            return ref, hub.git.resolve(sha) or sha
    raise RefusedError(422, f"No ref found for: {name}")


def _declared(hub: Hub, sha: str, file: str) -> dict[str, dict[str, Any]]:
    content = yaml.safe_load(hub.git.text(sha, f"{FOLDER}/{file}") or "") or {}
    # YAML 1.1 takes the word `on` for a boolean.
    starts = content.get(True, content.get("on"))
    if starts != "workflow_dispatch" and "workflow_dispatch" not in (starts or {}):
        raise RefusedError(422, "Workflow does not have 'workflow_dispatch' trigger")
    about = starts.get("workflow_dispatch") if isinstance(starts, dict) else None
    inputs = (about or {}).get("inputs") or {}
    return {name: declared or {} for name, declared in inputs.items()}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def filled(declared: dict[str, dict[str, Any]], given: dict[str, Any]) -> dict[str, str]:
    """The inputs as the event has them: all as text, defaults filled in; or GitHub's refusal."""
    unexpected = [name for name in given if name not in declared]
    if unexpected:
        raise RefusedError(422, f"Unexpected inputs provided: {json.dumps(unexpected)}")
    if len(json.dumps(given)) > MOST_CHARACTERS:
        raise RefusedError(422, "inputs are too large.")
    return {name: _value(name, about, given.get(name)) for name, about in declared.items()}


def _value(name: str, about: dict[str, Any], value: Any) -> str:
    if value is None or value == "":
        if about.get("required") and "default" not in about:
            raise RefusedError(422, f"Required input '{name}' not provided")
        return _text(about.get("default", "false" if about.get("type") == "boolean" else ""))
    options = {"choice": [_text(option) for option in about.get("options", [])], "boolean": ["true", "false"]}
    allowed = options.get(about.get("type", "string"))
    if allowed is not None and _text(value) not in allowed:
        raise RefusedError(422, f"Provided value '{_text(value)}' for input '{name}' not in the list of allowed values")
    return _text(value)
