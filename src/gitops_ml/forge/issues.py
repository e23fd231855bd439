"""Issues that gitops opens. They are found by their title and their author, because any user may write the same title.

https://docs.github.com/rest/issues/issues
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from gitops_ml.forge.github import GitHub

Issue = dict[str, Any]


def find_open(github: GitHub, title: str) -> Issue | None:
    """Return the open issue with a title; None if there is none.

    Args:
        github: The repository.
        title: The whole title.
    """
    return next(list_open(github, re.compile(re.escape(title))), None)


def list_open(github: GitHub, title: re.Pattern[str]) -> Iterator[Issue]:
    """Yield the open issues whose whole title matches a pattern.

    Args:
        github: The repository.
        title: Pattern of the title.
    """
    # The list is fetched completely first, because the caller may close issues during the iteration.
    for issue in list(github.paginate("/issues", state="open")):
        if title.fullmatch(issue["title"]) and _is_own(github, issue):
            yield issue


def keep_open(github: GitHub, title: str, body: str, find_closed: Callable[[], Issue | None], subject: str) -> str:
    """Open or update an issue; an issue that a person closed stays closed.

    Args:
        github: The repository.
        title: The whole title.
        body: Body in Markdown.
        find_closed: Function that returns the issue that a person closed; it is called if none is open.
        subject: Phrase for what the closed issue is about.

    Returns:
        A sentence with the issue's URL and the change that was made.
    """
    issue = find_open(github, title)
    if issue is None:
        closed = find_closed()
        if closed:
            return f"{closed['html_url']} was closed by a person. It is not reopened for {subject}."
        created = github.send("POST", "/issues", {"title": title, "body": body})
        return f"Opened {created['html_url']}: {title}."
    # GitHub may return other line ends than those that were sent.
    if (issue["body"] or "").replace("\r\n", "\n").strip() != body.strip():
        github.send("PATCH", f"/issues/{issue['number']}", {"body": body})
        return f"Updated {issue['html_url']}: {title}."
    return f"{issue['html_url']} is up to date."


def find_closed_by_person(github: GitHub, title: str, since: datetime, marker: str = "") -> Issue | None:
    """Return an issue that a person closed since a moment; None if there is none.

    An issue that a workflow closed does not count: its cause was over, but no person decided anything.

    Args:
        github: The repository.
        title: The whole title.
        since: Issues that were closed earlier do not count.
        marker: Text that the body contains.
    """
    moment = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    for listed in github.paginate("/issues", state="closed", since=moment):
        is_named = listed["title"] == title and marker in (listed["body"] or "")
        if is_named and listed["closed_at"] >= moment and _is_own(github, listed):
            issue: Issue = github.get(f"/issues/{listed['number']}")
            if issue["closed_by"] is None or issue["closed_by"]["type"] != "Bot":
                return issue
    return None


def close(github: GitHub, issue: Issue) -> None:
    """Close an issue as completed.

    Args:
        github: The repository.
        issue: The issue.
    """
    github.send("PATCH", f"/issues/{issue['number']}", {"state": "closed", "state_reason": "completed"})


def _is_own(github: GitHub, issue: Issue) -> bool:
    """Return whether a bot or the owner of the token opened the issue, and it is no pull request."""
    author = issue["user"] or {}
    is_author = author.get("type") == "Bot" or (bool(author) and author.get("login") == github.login)
    return is_author and "pull_request" not in issue
