"""Runs of the workflow Train that were started by a dispatch. https://docs.github.com/rest/actions/workflow-runs"""

from datetime import datetime
from typing import Any, Literal

from gitops_ml.forge.github import GitHub

WORKFLOW = "train.yml"
# A run with such a conclusion has no result. A run in which a gate refuses the version is green.
FAILED = {"failure", "cancelled", "timed_out", "startup_failure"}


def has_failed_since(github: GitHub, since: datetime) -> bool:
    """Return whether the newest manually dispatched run since a moment failed.

    Args:
        github: The repository.
        since: Runs that were created earlier do not count.
    """
    return any(run["conclusion"] in FAILED for run in _newest_run(github, "workflow_dispatch", since))


def status_of_retraining(github: GitHub, since: datetime) -> Literal["running", "red", "green"] | None:
    """Return the status of the newest run that an alarm dispatched since a moment; None if there is no such run.

    Args:
        github: The repository.
        since: Runs that were created earlier do not count.
    """
    runs = _newest_run(github, "repository_dispatch", since)
    if not runs:
        return None
    if runs[0]["status"] != "completed":
        return "running"
    return "red" if runs[0]["conclusion"] in FAILED else "green"


def dispatch_retraining(github: GitHub, payload: dict[str, str]) -> None:
    """Start Train on the newest main. https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event

    Args:
        github: The repository.
        payload: The reason for the training, for readers of the run.
    """
    github.send("POST", "/dispatches", {"event_type": "retrain", "client_payload": payload})


def _newest_run(github: GitHub, event: str, since: datetime) -> list[dict[str, Any]]:
    """Return the newest run of Train for an event, or an empty list if it was created before `since`."""
    runs = github.get(f"/actions/workflows/{WORKFLOW}/runs", event=event, per_page=1)["workflow_runs"]
    return [run for run in runs if datetime.fromisoformat(run["created_at"]) >= since.replace(microsecond=0)]
