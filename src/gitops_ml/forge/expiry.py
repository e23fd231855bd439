"""A proposal whose evidence has expired: the commit status `required` is red, and says what changed."""

from typing import Any

from gitops_ml.forge.checks import CONTEXT, WORKFLOW, compare, post
from gitops_ml.forge.github import GitHub

EXPIRED = "Evidence expired"
ASKED = f"{EXPIRED}, compared again"


def sentence(key: str, changed: str) -> str:
    """What CI says instead of its success.

    Args:
        key: Of what main is now.
        changed: Since the comparison, in words.
    """
    return f"{EXPIRED} ({key}): {changed} changed since"


def turn_red(github: GitHub, head: str, key: str, changed: str, pinned: tuple[str, str, str]) -> bool:
    """Have the version compared again, once for each state of main, and say so in red; whether it was asked.

    A kill between the two asks twice, which is harmless; the other order might never ask.

    Args:
        github: Where.
        head: The commit that proposes the version.
        key: Of what main is now.
        changed: Since the comparison, in words.
        pinned: Version, digest and environment.
    """
    said = _said(github, head)
    mark = f"{ASKED} ({key})"
    asks = not any(status["description"].startswith(mark) for status in said)
    if asks:
        compare(github, *pinned)
    if asks or not _is_red(said):
        post(github, head, "failure", f"{mark}: {changed} changed since")
    return asks


def turn_back(github: GitHub, branch: str, head: str) -> bool:
    """Main is again what the evidence was gathered on: CI decides anew; whether it was asked."""
    if not _is_red(_said(github, head)):
        return False
    github.send("POST", f"/actions/workflows/{WORKFLOW}/dispatches", {"ref": branch})
    post(github, head, "pending", "The evidence holds again; CI is on its way")
    return True


def _said(github: GitHub, head: str) -> list[dict[str, Any]]:
    """The statuses of our context, newest first."""
    listed = github.each(f"/commits/{head}/statuses")
    return [{**status, "description": status["description"] or ""} for status in listed if status["context"] == CONTEXT]


def _is_red(said: list[dict[str, Any]]) -> bool:
    return bool(said) and said[0]["state"] == "failure" and said[0]["description"].startswith(EXPIRED)
