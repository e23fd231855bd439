"""The pull request that started this workflow run, and whether GitHub withholds the repository's secrets from the run.

https://docs.github.com/actions/security-for-github-actions/security-guides/using-secrets-in-github-actions
"""

import json
import os
from pathlib import Path
from typing import Any

DEPENDABOT = "dependabot[bot]"


def describe_missing_secrets() -> str:
    """Return why this run of a workflow has no secrets, as a sentence; empty if nothing withholds them."""
    if os.environ.get("GITHUB_EVENT_NAME") != "pull_request":
        return ""
    if os.environ.get("GITHUB_ACTOR") == DEPENDABOT:
        return "GitHub gives no secrets of Actions to a pull request of Dependabot."
    head, base = _repository(_load_event(), "head"), os.environ.get("GITHUB_REPOSITORY", "")
    if head.casefold() == base.casefold():
        return ""
    return f"GitHub gives no secrets to a pull request from a fork ({head or 'deleted'})."


def _load_event() -> dict[str, Any]:
    """Return the payload of the event; empty if there is none."""
    try:
        event = json.loads(Path(os.environ.get("GITHUB_EVENT_PATH", "")).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return event if isinstance(event, dict) else {}


def _repository(event: dict[str, Any], side: str) -> str:
    """Return OWNER/NAME of a side of the pull request; empty if it is unknown, as that of a deleted fork."""
    repository = (event.get("pull_request") or {}).get(side, {}).get("repo") or {}
    return str(repository.get("full_name", ""))
