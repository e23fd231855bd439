"""The repository."""

from typing import Any

from ..hub import Hub
from .users import node, number, user

LINKS = {
    "archive": "/{archive_format}{/ref}", "assignees": "{/user}", "blobs": "/git/blobs{/sha}",
    "branches": "{/branch}", "collaborators": "{/collaborator}", "comments": "{/number}", "commits": "{/sha}",
    "compare": "/{base}...{head}", "contents": "/{+path}", "contributors": "", "deployments": "", "downloads": "",
    "events": "", "forks": "", "git_commits": "/git/commits{/sha}", "git_refs": "/git/refs{/sha}",
    "git_tags": "/git/tags{/sha}", "hooks": "", "issue_comment": "/issues/comments{/number}",
    "issue_events": "/issues/events{/number}", "issues": "{/number}", "keys": "{/key_id}", "labels": "{/name}",
    "languages": "", "merges": "", "milestones": "{/number}", "notifications": "{?since,all,participating}",
    "pulls": "{/number}", "releases": "{/id}", "stargazers": "", "statuses": "/{sha}", "subscribers": "",
    "subscription": "", "tags": "", "teams": "", "trees": "/git/trees{/sha}",
}  # fmt: skip
WHOLE = {"blobs", "git_commits", "git_refs", "git_tags", "issue_comment", "issue_events", "trees"}
COUNTS = (
    "forks", "forks_count", "stargazers_count", "watchers", "watchers_count", "network_count", "subscribers_count",
    "size",
)  # fmt: skip
NOTHING = ("homepage", "language", "mirror_url", "license")
NO = (
    "fork", "has_wiki", "has_pages", "has_projects", "has_discussions", "archived", "disabled", "is_template",
    "web_commit_signoff_required", "allow_update_branch", "use_squash_pr_title_as_default",
)  # fmt: skip
YES = ("has_issues", "has_downloads", "allow_rebase_merge", "allow_squash_merge", "allow_merge_commit", "allow_forking")


def links(hub: Hub) -> dict[str, str]:
    """Where its parts are found."""
    return {
        f"{name}_url": f"{hub.home}{rest if name in WHOLE else f'/{name}{rest}'}" for name, rest in LINKS.items()
    }  # fmt: skip


def minimal(hub: Hub) -> dict[str, Any]:
    """The repository, as it appears in statuses and runs."""
    return {
        "id": number(hub.repository),
        "node_id": node("R", number(hub.repository)),
        "name": hub.name,
        "full_name": hub.repository,
        "private": hub.settings.private,
        "owner": user(hub, hub.owner_login),
        "html_url": hub.page,
        "description": hub.settings.description,
        "fork": False,
        "url": hub.home,
        **links(hub),
    }


def repository(hub: Hub) -> dict[str, Any]:
    """The repository, as it appears in pull requests and events."""
    waiting = sum(issue.state == "open" for issue in hub.state.issues.values())
    return {
        **minimal(hub),
        **dict.fromkeys(COUNTS, 0),
        **dict.fromkeys(NOTHING),
        **dict.fromkeys(NO, False),
        **dict.fromkeys(YES, True),
        "clone_url": f"{hub.page}.git",
        "git_url": f"{hub.page.replace('http', 'git', 1)}.git",
        "ssh_url": f"git@127.0.0.1:{hub.repository}.git",
        "svn_url": hub.page,
        "default_branch": hub.settings.default_branch,
        "visibility": "private" if hub.settings.private else "public",
        "open_issues": waiting,
        "open_issues_count": waiting,
        "topics": [],
        "created_at": hub.state.created,
        "updated_at": hub.state.created,
        "pushed_at": hub.state.created,
        "allow_auto_merge": hub.settings.allow_auto_merge,
        "delete_branch_on_merge": hub.settings.delete_branch_on_merge,
    }
