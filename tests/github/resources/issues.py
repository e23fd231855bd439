"""Issues, comments and labels."""

from typing import Any
from urllib.parse import quote

from .. import access
from ..hub import Hub
from ..model import Token
from ..state import Comment, Issue, Label
from .users import node_id, user


def association(hub: Hub, token: Token) -> str:
    """Return a user's association with the repository."""
    return "OWNER" if access.is_admin(hub, token) else "CONTRIBUTOR"


def label(hub: Hub, item: Label) -> dict[str, Any]:
    """A label with a color."""
    return {
        "id": item.id,
        "node_id": node_id("LA", item.id),
        "url": f"{hub.repository_url}/labels/{quote(item.name)}",
        "name": item.name,
        "description": item.description,
        "color": item.color,
        "default": False,
    }


def labels(hub: Hub, item: Issue) -> list[dict[str, Any]]:
    """Return the labels of an issue."""
    return [label(hub, hub.state.labels[name]) for name in item.labels]


def comment(hub: Hub, item: Comment) -> dict[str, Any]:
    """Return a comment."""
    return {
        "id": item.id,
        "node_id": node_id("IC", item.id),
        "url": f"{hub.repository_url}/issues/comments/{item.id}",
        "html_url": f"{hub.html_url}/issues/{item.number}#issuecomment-{item.id}",
        "issue_url": f"{hub.repository_url}/issues/{item.number}",
        "user": user(hub, item.user.login),
        "body": item.body,
        "created_at": item.created,
        "updated_at": item.created,
        "author_association": association(hub, item.user),
    }


def issue(hub: Hub, item: Issue) -> dict[str, Any]:
    """Return an issue, also of a pull request."""
    url = f"{hub.repository_url}/issues/{item.number}"
    return {
        "id": item.id,
        "node_id": node_id("I", item.id),
        "url": url,
        "repository_url": hub.repository_url,
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": f"{hub.html_url}/{'pull' if item.number in hub.state.pulls else 'issues'}/{item.number}",
        "number": item.number,
        "title": item.title,
        "body": item.body,
        "user": user(hub, item.user.login),
        "labels": labels(hub, item),
        "state": item.state,
        "state_reason": item.reason,
        "locked": False,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": len(item.comments),
        "created_at": item.created,
        "updated_at": item.updated,
        "closed_at": item.closed,
        "closed_by": user(hub, item.closer.login) if item.closer else None,
        "author_association": association(hub, item.user),
        **_pull(hub, item.number),
    }


def _pull(hub: Hub, number: int) -> dict[str, Any]:
    pull = hub.state.pulls.get(number)
    if pull is None:
        return {}
    page = f"{hub.html_url}/pull/{number}"
    return {
        "draft": pull.draft,
        "pull_request": {
            "url": f"{hub.repository_url}/pulls/{number}",
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "merged_at": pull.merged,
        },
    }
