"""Contexts of a run: the github context, the event payload and the environment."""

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from github.model import Event, Run
from github.runner.hub import Hub
from github.runner.repository import Repository
from github.runner.workflow import Workflow

# Variables of the caller that jobs must not inherit: of another run, a virtual environment, make, or a test.
EXCLUDED = ("GITHUB_", "ACTIONS_", "RUNNER_", "MLFLOW_", "PYTEST_", "VIRTUAL_ENV", "PYTHON", "MAKE", "MFLAGS", "XDG_",
           "UV_", "LOCAL_", "GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")  # fmt: skip


# Variable by which GitHub's runner finds the processes of a job; a process that empties it outlives the job.
TRACKING = "RUNNER_TRACKING_ID"


def tracking_id(run: Run) -> str:
    """Return the value of RUNNER_TRACKING_ID in a run's processes."""
    return f"github_{run.folder}"


def complete_event(event: Event, workflow: Workflow, repository: Repository) -> Event:
    """Return the event with the fields that GitHub adds: repository, default inputs, default branch."""
    branch = repository.default_branch()
    payload = {"repository": {"default_branch": branch}, "sender": {"login": event.actor}} | event.payload
    if event.action:
        payload.setdefault("action", event.action)
    if event.name == "push":
        payload = {"ref": event.ref, "before": event.before, "after": event.sha} | payload
    if event.name == "workflow_dispatch":
        payload["ref"] = payload.get("ref", event.ref)
        payload["inputs"] = _defaults(workflow) | (payload.get("inputs") or {})
    return replace(event, payload=payload)


def _defaults(workflow: Workflow) -> dict[str, str]:
    """Return the default inputs of a dispatch."""
    declared = workflow.triggers["workflow_dispatch"].get("inputs") or {}
    return {name: _text(rule["default"]) for name, rule in declared.items() if rule and "default" in rule}


def _text(value: Any) -> str:
    """Return an input as the event contains it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def contexts(hub: Hub, run: Run, workflow: Workflow) -> dict[str, Any]:
    """Return the contexts that the runner's own expressions can read."""
    inputs = run.event.payload.get("inputs") or {} if run.event.name == "workflow_dispatch" else {}
    declared = workflow.triggers.get("workflow_dispatch", {}).get("inputs") or {}
    typed = {name: _typed(value, (declared.get(name) or {}).get("type")) for name, value in inputs.items()}
    variables = dict(hub.settings.variables)
    return {"github": {**github(hub, run), "event": run.event.payload}, "inputs": typed, "vars": variables}


def _typed(value: Any, kind: str | None) -> Any:
    """Return an input as the `inputs` context contains it."""
    return str(value).lower() == "true" if kind == "boolean" else float(value) if kind == "number" else value


def github(hub: Hub, run: Run) -> dict[str, str]:
    """Return the github context, without the event and without fields that differ between jobs."""
    event, pull = run.event, run.event.payload.get("pull_request") or {}
    earlier = [other for other in hub.runs.values() if other.workflow == run.workflow and other.id <= run.id]
    return {
        "actor": event.actor,
        "triggering_actor": event.actor,
        "api_url": hub.api,
        "base_ref": pull["base"]["ref"] if pull else "",
        "event_name": event.name,
        "graphql_url": f"{hub.api}/graphql",
        "head_ref": pull["head"]["ref"] if pull else "",
        "ref": event.ref,
        "ref_name": event.ref.split("/", 2)[-1],
        "ref_type": "tag" if event.ref.startswith("refs/tags/") else "branch",
        "repository": hub.repository,
        "repository_owner": hub.repository.split("/")[0],
        "run_attempt": "1",
        "run_id": str(run.id),
        "run_number": str(len(earlier)),
        "server_url": hub.url,
        "sha": event.sha,
        "workflow": run.name,
        "workflow_ref": f"{hub.repository}/.github/workflows/{run.workflow}@{event.ref}",
        "workflow_sha": event.sha,
    }


def job_variables(hub: Hub, run: Run, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that act sets in every job."""
    context = {f"GITHUB_{name.upper()}": value for name, value in github(hub, run).items()}
    local = {
        "LOCAL_ARTIFACTS": str(run.folder / "artifacts"),
        "LOCAL_GATES": str(run.folder / "gates"),
        "LOCAL_PYTHON": sys.executable,
        "LOCAL_TESTS": str(Path(__file__).parents[2]),
    }
    # act reads SHA_REF for github.sha.
    return {**context, "SHA_REF": run.event.sha, TRACKING: tracking_id(run), **local, **extra}


def act_environment(run: Run) -> dict[str, str]:
    """Return the environment of act, which its jobs inherit: the machine's, without the caller's settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(EXCLUDED)}
    home, own_programs = run.folder / "home", Path(sys.prefix, "bin")
    path = [folder for folder in inherited.get("PATH", os.defpath).split(":") if Path(folder) != own_programs]
    pyenv = os.environ.get("PYENV_ROOT") or str(Path.home() / ".pyenv")
    return {
        **inherited,
        **({"PYENV_ROOT": pyenv} if Path(pyenv).is_dir() else {}),
        "PATH": ":".join([str(run.folder / "bin"), *path]),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
    }
