"""Issues of ours: known by their title, and by who opened them, for anybody may write any title.

https://docs.github.com/rest/issues/issues
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from gitops_ml.forge.github import GitHub

Issue = dict[str, Any]


def find(github: GitHub, title: str) -> Issue | None:
    """The open one with this title."""
    return next(opened(github, re.compile(re.escape(title))), None)


def opened(github: GitHub, title: re.Pattern[str]) -> Iterator[Issue]:
    """The open ones whose whole title is such."""
    # All of them first, for whoever asks may close some meanwhile.
    for issue in list(github.each("/issues", state="open")):
        if title.fullmatch(issue["title"]) and _ours(github, issue):
            yield issue


def closed_by_a_person(github: GitHub, title: str, since: datetime) -> Issue | None:
    """The one that a person closed since then: what we closed ourselves was over, and not settled by anybody."""
    moment = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    for listed in github.each("/issues", state="closed", since=moment):
        if listed["title"] == title and listed["closed_at"] >= moment and _ours(github, listed):
            found: Issue = github.get(f"/issues/{listed['number']}")
            if found["closed_by"] is None or found["closed_by"]["type"] != "Bot":
                return found
    return None


def close(github: GitHub, issue: Issue) -> None:
    """What it spoke of is over."""
    github.send("PATCH", f"/issues/{issue['number']}", {"state": "closed", "state_reason": "completed"})


def _ours(github: GitHub, issue: Issue) -> bool:
    """Whether automation opened it, or whoever the token is of; a pull request is none."""
    who = issue["user"] or {}
    known = who.get("type") == "Bot" or (bool(who) and who.get("login") == github.login)
    return known and "pull_request" not in issue
