"""Grants of a job's token."""

from typing import Any

from github.model import Grant
from github.runner.workflow import InvalidWorkflow, Workflow

KNOWN = (
    "actions", "artifact-metadata", "attestations", "checks", "contents", "deployments", "discussions", "id-token",
    "issues", "metadata", "models", "packages", "pages", "pull-requests", "repository-projects", "security-events",
    "statuses",
)  # fmt: skip
READ_DEFAULT = ("contents", "metadata", "packages")


def grants(workflow: Workflow, job: str, default: str) -> dict[str, Grant]:
    """Return a job's grants by the API's names: from the job, else the workflow, else the repository's default."""
    declared = workflow.jobs[job].get("permissions", workflow.data.get("permissions", default))
    if declared == "read":
        return dict.fromkeys(READ_DEFAULT, "read")
    if declared in ("write", "write-all", "read-all"):
        return {_api(name): "read" if declared == "read-all" else "write" for name in KNOWN}
    return {_api(name): level for name, level in (declared or {}).items() if _known(name, level) != "none"}


def _api(name: str) -> str:
    """Return a permission's name in the API."""
    return name.replace("-", "_")


def _known(name: str, level: Any) -> str:
    """Return the level; raise an error if GitHub does not know it or the name."""
    if name not in KNOWN or level not in ("read", "write", "none"):
        raise InvalidWorkflow(f"Unknown permission `{name}: {level}`.")
    return str(level)
