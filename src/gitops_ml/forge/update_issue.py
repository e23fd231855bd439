"""The issue about an update that a workflow may not propose: one, refreshed, and closed when it is no longer needed."""

from datetime import UTC, datetime, timedelta

from gitops_ml.forge import issues
from gitops_ml.forge.github import GitHub
from gitops_ml.forge.update_proposal_text import (
    ISSUE_TITLE,
    Obstacle,
    includes,
    parse_issue_version,
    render_issue,
    version_marker,
)
from gitops_ml.update_report import UpdateReport

REMEMBERED = timedelta(days=365)  # an issue that a person closed earlier is forgotten


def keep_issue(github: GitHub, report: UpdateReport, obstacle: Obstacle) -> str:
    """Open or refresh the issue; one that a person closed for the same version stays closed.

    Args:
        github: The repository.
        report: Changes of the update, with reasons.
        obstacle: Reason why a workflow cannot propose it.

    Returns:
        A sentence with the issue's URL and the change that was made.
    """
    since, marker = datetime.now(UTC) - REMEMBERED, version_marker(report.version)
    return issues.keep_open(
        github, ISSUE_TITLE, render_issue(report, obstacle),
        lambda: issues.find_closed_by_person(github, ISSUE_TITLE, since, marker), f"version {report.version}",
    )  # fmt: skip


def find_number(github: GitHub) -> int | None:
    """Return the number of the open issue; None if there is none.

    Args:
        github: The repository.
    """
    issue = issues.find_open(github, ISSUE_TITLE)
    return int(issue["number"]) if issue else None


def close_issue(github: GitHub, pinned: str | None = None) -> str:
    """Close the issue, if it is open.

    Args:
        github: The repository.
        pinned: Version that main pins: an issue about a newer version stays open. None to close it in any case.

    Returns:
        A sentence about the issue that was closed; empty if none was.
    """
    issue = issues.find_open(github, ISSUE_TITLE)
    if issue is None or (pinned is not None and not includes(pinned, parse_issue_version(issue["body"] or ""))):
        return ""
    issues.close(github, issue)
    return f"Closed {issue['html_url']}, which is no longer needed."
