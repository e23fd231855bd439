"""What a run knows: the github context, the event's file and the environment."""

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

# Of the caller's own: another run's, a virtual environment's, a make's, or a test's.
FOREIGN = ("GITHUB_", "ACTIONS_", "RUNNER_", "MLFLOW_", "PYTEST_", "VIRTUAL_ENV", "PYTHON", "MAKE", "MFLAGS", "XDG_",
           "UV_", "LOCAL_", "GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")  # fmt: skip


# What a process keeps from its job, by which GitHub knows what to end with it; whoever empties it stays.
TRACKING = "RUNNER_TRACKING_ID"


def tracking(run: Run) -> str:
    """The value that marks a run's processes."""
    return f"github_{run.folder}"


def completed(event: Event, workflow: Workflow, repository: Repository) -> Event:
    """The event with what GitHub fills in: where it happens, default inputs, the default branch."""
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
    """The inputs that a dispatch need not give."""
    declared = workflow.triggers["workflow_dispatch"].get("inputs") or {}
    return {name: _text(rule["default"]) for name, rule in declared.items() if rule and "default" in rule}


def _text(value: Any) -> str:
    """An input as the event holds it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def contexts(hub: Hub, run: Run, workflow: Workflow) -> dict[str, Any]:
    """The contexts that the runner's own expressions may read."""
    inputs = run.event.payload.get("inputs") or {} if run.event.name == "workflow_dispatch" else {}
    declared = workflow.triggers.get("workflow_dispatch", {}).get("inputs") or {}
    typed = {name: _typed(value, (declared.get(name) or {}).get("type")) for name, value in inputs.items()}
    return {"github": {**github(hub, run), "event": run.event.payload}, "inputs": typed}


def _typed(value: Any, kind: str | None) -> Any:
    """An input as the `inputs` context has it."""
    return str(value).lower() == "true" if kind == "boolean" else float(value) if kind == "number" else value


def github(hub: Hub, run: Run) -> dict[str, str]:
    """The github context, but for the event and what differs from job to job."""
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


def given(hub: Hub, run: Run, extra: Mapping[str, str]) -> dict[str, str]:
    """What act is told to give every job."""
    context = {f"GITHUB_{name.upper()}": value for name, value in github(hub, run).items()}
    local = {
        "LOCAL_ARTIFACTS": str(run.folder / "artifacts"),
        "LOCAL_GATES": str(run.folder / "gates"),
        "LOCAL_PYTHON": sys.executable,
        "LOCAL_TESTS": str(Path(__file__).parents[2]),
    }
    # SHA_REF is what act itself reads for github.sha.
    return {**context, "SHA_REF": run.event.sha, TRACKING: tracking(run), **local, **extra}


def around(run: Run) -> dict[str, str]:
    """The environment of act itself, which its jobs inherit: the machine's, without the caller's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    home, mine = run.folder / "home", Path(sys.prefix, "bin")
    path = [folder for folder in kept.get("PATH", os.defpath).split(":") if Path(folder) != mine]
    pyenv = os.environ.get("PYENV_ROOT") or str(Path.home() / ".pyenv")
    return {
        **kept,
        **({"PYENV_ROOT": pyenv} if Path(pyenv).is_dir() else {}),
        "PATH": ":".join([str(run.folder / "bin"), *path]),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
    }
