"""Closing and reopening of issues and pull requests."""

import re

from . import events
from .hub import Hub
from .model import Token
from .state import Issue, Pull, now

# Words in the body of a pull request that close an issue when it is merged into the default branch.
CLOSES = re.compile(r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+#(\d+)", re.IGNORECASE)


def close(hub: Hub, actor: Token, issue: Issue, reason: str | None = None) -> None:
    """Close an issue or a pull request, without a merge."""
    pull = hub.state.pulls.get(issue.number)
    _mark_closed(actor, issue, reason if pull or reason else "completed")
    if pull is None:
        events.issue(hub, actor, "closed", issue)
    else:
        events.pull_request(hub, actor, "closed", pull)


def mark_merged(hub: Hub, actor: Token, pull: Pull, commit: str) -> None:
    """Mark a pull request as merged."""
    pull.merged, pull.merger, pull.commit = now(), actor, commit
    _mark_closed(actor, pull.issue, None)
    events.pull_request(hub, actor, "closed", pull)
    _close_linked(hub, actor, pull)


def _close_linked(hub: Hub, actor: Token, pull: Pull) -> None:
    """Close the issues that a merged pull request names."""
    named = CLOSES.findall(pull.issue.body or "") if pull.base == hub.settings.default_branch else []
    for issue in (hub.state.issues.get(int(number)) for number in named):
        if issue and issue.state == "open" and issue.number not in hub.state.pulls:
            close(hub, actor, issue)


def _mark_closed(actor: Token, issue: Issue, reason: str | None) -> None:
    issue.state, issue.closed, issue.closer, issue.reason = "closed", now(), actor, reason
    issue.updated = issue.closed


def reopen(hub: Hub, actor: Token, issue: Issue) -> None:
    """Reopen an issue or a pull request."""
    issue.state, issue.closed, issue.closer = "open", None, None
    issue.reason, issue.updated = "reopened", now()
    pull = hub.state.pulls.get(issue.number)
    if pull is None:
        events.issue(hub, actor, "reopened", issue)
    else:
        issue.reason = None
        events.pull_request(hub, actor, "reopened", pull)
