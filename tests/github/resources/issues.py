"""Issues, comments and labels."""

from typing import Any
from urllib.parse import quote

from .. import access
from ..hub import Hub
from ..model import Token
from ..state import Comment, Issue, Label
from .users import node, user


def association(hub: Hub, token: Token) -> str:
    """What somebody is to the repository."""
    return "OWNER" if access.is_admin(hub, token) else "CONTRIBUTOR"


def label(hub: Hub, it: Label) -> dict[str, Any]:
    """A coloured word."""
    return {
        "id": it.id,
        "node_id": node("LA", it.id),
        "url": f"{hub.home}/labels/{quote(it.name)}",
        "name": it.name,
        "description": it.description,
        "color": it.color,
        "default": False,
    }


def labels(hub: Hub, it: Issue) -> list[dict[str, Any]]:
    """The labels that an issue has."""
    return [label(hub, hub.state.labels[name]) for name in it.labels]


def comment(hub: Hub, it: Comment) -> dict[str, Any]:
    """What somebody said."""
    return {
        "id": it.id,
        "node_id": node("IC", it.id),
        "url": f"{hub.home}/issues/comments/{it.id}",
        "html_url": f"{hub.page}/issues/{it.number}#issuecomment-{it.id}",
        "issue_url": f"{hub.home}/issues/{it.number}",
        "user": user(hub, it.user.login),
        "body": it.body,
        "created_at": it.created,
        "updated_at": it.created,
        "author_association": association(hub, it.user),
    }


def issue(hub: Hub, it: Issue) -> dict[str, Any]:
    """An issue; a pull request is one too."""
    url = f"{hub.home}/issues/{it.number}"
    return {
        "id": it.id,
        "node_id": node("I", it.id),
        "url": url,
        "repository_url": hub.home,
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": f"{hub.page}/{'pull' if it.number in hub.state.pulls else 'issues'}/{it.number}",
        "number": it.number,
        "title": it.title,
        "body": it.body,
        "user": user(hub, it.user.login),
        "labels": labels(hub, it),
        "state": it.state,
        "state_reason": it.reason,
        "locked": False,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": len(it.comments),
        "created_at": it.created,
        "updated_at": it.updated,
        "closed_at": it.closed,
        "closed_by": user(hub, it.closer.login) if it.closer else None,
        "author_association": association(hub, it.user),
        **_pull(hub, it.number),
    }


def _pull(hub: Hub, number: int) -> dict[str, Any]:
    pull = hub.state.pulls.get(number)
    if pull is None:
        return {}
    page = f"{hub.page}/pull/{number}"
    return {
        "draft": pull.draft,
        "pull_request": {
            "url": f"{hub.home}/pulls/{number}",
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "merged_at": pull.merged,
        },
    }
