"""Workflow runs and dispatches."""

import json
import operator
from datetime import UTC, datetime
from typing import Any

import yaml

from .. import events
from ..errors import ApiError, not_found
from ..hub import Hub
from ..model import Run
from ..resources import runs
from ..routing import Call, RestResponse, route

FOLDER = ".github/workflows"
MAX_INPUTS, MAX_CHARACTERS = 25, 65_535
COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


@route("GET", "/repos/{owner}/{repo}/actions/runs", "actions=read")
def list_runs(call: Call) -> dict[str, Any]:
    """List all runs, newest first."""
    return _listed(call, list(call.hub.runs.values()))


@route("GET", "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs", "actions=read")
def list_workflow_runs(call: Call) -> dict[str, Any]:
    """List the runs of one workflow, newest first."""
    file = workflow(call)
    return _listed(call, [run for run in call.hub.runs.values() if run.workflow == file])


def _listed(call: Call, chosen: list[Run]) -> dict[str, Any]:
    chosen = [run for run in sorted(chosen, key=lambda run: -run.id) if _matches(call, run)]
    shown = [runs.workflow_run(call.hub, run) for run in call.paginate(chosen)]
    return {"total_count": len(chosen), "workflow_runs": shown}


def _matches(call: Call, run: Run) -> bool:
    branch, sha = runs.head(run)
    values = {"head_sha": {sha}, "branch": {branch}, "event": {run.event.name}, "actor": {run.event.actor}}
    values["status"] = {run.status, run.conclusion or ""}
    has_values = all(call.query.get(name) in {None, *value} for name, value in values.items())
    return has_values and _is_within(call.query.get("created", "*..*"), _parse_time(run.created))


def _is_within(query: str, time: datetime) -> bool:
    """Return whether a time matches a search: `>=2026-01-01`, or `2026-01-01T12:00:00Z..*`."""
    sign = next((sign for sign in COMPARISONS if query.startswith(sign)), None)
    if sign:
        return bool(COMPARISONS[sign](time, _parse_time(query.removeprefix(sign))))
    first, between, last = query.partition("..")
    if not between:
        raise ApiError(422, f"This search for a time is not supported: {query}")
    return (first == "*" or _parse_time(first) <= time) and (last == "*" or time <= _parse_time(last))


def _parse_time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ApiError(422, f"This is not a date or time: {text}") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@route("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}", "actions=read")
def get_run(call: Call) -> dict[str, Any]:
    """Return one run."""
    return runs.workflow_run(call.hub, _find_run(call))


def _find_run(call: Call) -> Run:
    run = call.hub.runs.get(call.number("run_id"))
    if run is None:
        raise not_found()
    return run


@route("POST", "/repos/{owner}/{repo}/actions/runs/{run_id}/approve", "actions=write")
def approve(call: Call) -> RestResponse:
    """Approve a run of a bot's pull request, and notify the runner."""
    run = _find_run(call)
    if call.caller.kind == "actions" or not awaits_approval(run):
        raise ApiError(403, "This run is not from a fork pull request or queued for approval")
    for approver in list(call.hub.approvers):
        approver(run, call.caller)
    return RestResponse(201, {})


def awaits_approval(run: Run) -> bool:
    """Return whether a run waits for approval."""
    return run.event.waits and (run.status == "waiting" or run.conclusion == "action_required")


def workflow(call: Call) -> str:
    """Return the file of the workflow in the path, by name or id; it must exist on the default branch."""
    name = call.values["workflow_id"]
    listing = call.hub.git.read_text(call.hub.settings.default_branch, FOLDER) or ""
    for file in listing.splitlines()[2:]:
        if name in {file, str(runs.workflow_id(file))}:
            return file
    raise not_found()


@route("POST", "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches", "actions=write")
def dispatch(call: Call) -> RestResponse:
    """Dispatch a workflow on a ref, with inputs."""
    file = workflow(call)
    if file in call.hub.settings.disabled:
        raise ApiError(422, "Cannot trigger a 'workflow_dispatch' on a disabled workflow")
    ref, sha = _resolve_ref(call.hub, call.body["ref"])
    declared = _declared_inputs(call.hub, sha, file)
    inputs = call.body.get("inputs") or {}
    events.workflow_dispatch(call.hub, call.caller, file, ref, sha, fill_inputs(declared, inputs))
    return RestResponse(204)


def _resolve_ref(hub: Hub, name: str) -> tuple[str, str]:
    for ref in (f"refs/heads/{name}", f"refs/tags/{name}", name if name.startswith("refs/") else ""):
        sha = hub.git.ref(ref) if ref else None
        if sha:
            return ref, hub.git.resolve(sha) or sha
    raise ApiError(422, f"No ref found for: {name}")


def _declared_inputs(hub: Hub, sha: str, file: str) -> dict[str, dict[str, Any]]:
    document = yaml.safe_load(hub.git.read_text(sha, f"{FOLDER}/{file}") or "") or {}
    # YAML 1.1 parses the key `on` as a boolean.
    triggers = document.get(True, document.get("on"))
    if triggers != "workflow_dispatch" and "workflow_dispatch" not in (triggers or {}):
        raise ApiError(422, "Workflow does not have 'workflow_dispatch' trigger")
    declaration = triggers.get("workflow_dispatch") if isinstance(triggers, dict) else None
    inputs = (declaration or {}).get("inputs") or {}
    return {name: declared or {} for name, declared in inputs.items()}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def fill_inputs(declared: dict[str, dict[str, Any]], inputs: dict[str, Any]) -> dict[str, str]:
    """Return the inputs as text, with defaults; raise GitHub's error for invalid inputs."""
    unexpected = [name for name in inputs if name not in declared]
    if unexpected:
        raise ApiError(422, f"Unexpected inputs provided: {json.dumps(unexpected)}")
    if len(json.dumps(inputs)) > MAX_CHARACTERS:
        raise ApiError(422, "inputs are too large.")
    return {name: _value(name, declaration, inputs.get(name)) for name, declaration in declared.items()}


def _value(name: str, declaration: dict[str, Any], value: Any) -> str:
    if value is None or value == "":
        if declaration.get("required") and "default" not in declaration:
            raise ApiError(422, f"Required input '{name}' not provided")
        return _text(declaration.get("default", "false" if declaration.get("type") == "boolean" else ""))
    options = {"choice": [_text(option) for option in declaration.get("options", [])], "boolean": ["true", "false"]}
    allowed = options.get(declaration.get("type", "string"))
    if allowed is not None and _text(value) not in allowed:
        raise ApiError(422, f"Provided value '{_text(value)}' for input '{name}' not in the list of allowed values")
    return _text(value)
