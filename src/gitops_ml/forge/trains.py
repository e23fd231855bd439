"""Runs of Train that somebody asked for. https://docs.github.com/rest/actions/workflow-runs"""

from datetime import datetime
from typing import Literal

from gitops_ml.forge.github import GitHub

WORKFLOW = "train.yml"
# What ended so has found nothing out; a refused gate is green.
RED = {"failure", "cancelled", "timed_out", "startup_failure"}


def failed_since(github: GitHub, when: datetime) -> bool:
    """Whether the newest run that was asked for since then ended without an answer."""
    path = f"/actions/workflows/{WORKFLOW}/runs"
    runs = github.get(path, event="workflow_dispatch", per_page=1)["workflow_runs"]
    since = [run for run in runs if datetime.fromisoformat(run["created_at"]) >= when.replace(microsecond=0)]
    return any(run["conclusion"] in RED for run in since)


def dispatched_since(github: GitHub, when: datetime) -> Literal["running", "red", "green"] | None:
    """How the newest run ended that an alarm asked for since then; None where there is none."""
    path = f"/actions/workflows/{WORKFLOW}/runs"
    runs = github.get(path, event="repository_dispatch", per_page=1)["workflow_runs"]
    since = [run for run in runs if datetime.fromisoformat(run["created_at"]) >= when.replace(microsecond=0)]
    if not since:
        return None
    if since[0]["status"] != "completed":
        return "running"
    return "red" if since[0]["conclusion"] in RED else "green"


def ask(github: GitHub, payload: dict[str, str]) -> None:
    """Have Train run on the newest main. https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event"""
    github.send("POST", "/dispatches", {"event_type": "retrain", "client_payload": payload})
