"""The commit status `required` of a proposal whose evidence has expired: a failure that names what changed."""

from typing import Any

from gitops_ml.forge.github import GitHub
from gitops_ml.forge.workflow_dispatch import CONTEXT, WORKFLOW, dispatch_comparison, post_status

EXPIRED = "Evidence expired"
COMPARED_AGAIN = f"{EXPIRED}, compared again"


def describe_expiry(key: str, changed: str) -> str:
    """Return the description of a failed status that CI posts if the evidence has expired.

    `mark_expired` posts a description of its own, which states that a new comparison was started.

    Args:
        key: Key of main's current state, as in `EvidenceInputs.key`.
        changed: Inputs that changed since the comparison, such as "the gates".
    """
    return f"{EXPIRED} ({key}): {changed} changed since the comparison"


def mark_expired(github: GitHub, head: str, key: str, changed: str, compared: tuple[str, str, str]) -> bool:
    """Start a new comparison of the version, once for each state of main, and set the status to failure.

    If the command is interrupted between the two requests, the comparison is started twice, which is harmless. With the
    other order it might never be started.

    Args:
        github: The repository.
        head: Commit that proposes the version.
        key: Key of main's current state, as in `EvidenceInputs.key`.
        changed: Inputs that changed since the comparison, such as "the gates".
        compared: Number and digest of the version to compare, and the environment of the champion.

    Returns:
        Whether a comparison was started.
    """
    statuses = _list_statuses(github, head)
    prefix = f"{COMPARED_AGAIN} ({key})"
    is_new = not any(status["description"].startswith(prefix) for status in statuses)
    if is_new:
        dispatch_comparison(github, *compared)
    if is_new or not _is_marked(statuses):
        post_status(github, head, "failure", f"{prefix}: {changed} changed since the comparison")
    return is_new


def mark_valid(github: GitHub, branch: str, head: str) -> bool:
    """Start CI again if the commit is marked as expired; CI then sets the status.

    The caller has checked that main is again as it was for the comparison.

    Args:
        github: The repository.
        branch: Branch with the commit at its tip.
        head: Commit that proposes the version.

    Returns:
        Whether CI was started.
    """
    if not _is_marked(_list_statuses(github, head)):
        return False
    github.send("POST", f"/actions/workflows/{WORKFLOW}/dispatches", {"ref": branch})
    post_status(github, head, "pending", "The evidence is valid again; CI was started")
    return True


def _list_statuses(github: GitHub, head: str) -> list[dict[str, Any]]:
    """Return the statuses with the context `required`, newest first."""
    statuses = github.paginate(f"/commits/{head}/statuses")
    return [{**status, "description": status["description"] or ""} for status in statuses
            if status["context"] == CONTEXT]  # fmt: skip


def _is_marked(statuses: list[dict[str, Any]]) -> bool:
    return bool(statuses) and statuses[0]["state"] == "failure" and statuses[0]["description"].startswith(EXPIRED)
