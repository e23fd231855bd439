"""The repository as a resource."""

from typing import Any

from ..hub import Hub
from .users import node_id, number, user

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
COMPLETE_PATHS = {"blobs", "git_commits", "git_refs", "git_tags", "issue_comment", "issue_events", "trees"}
ZERO_FIELDS = (
    "forks", "forks_count", "stargazers_count", "watchers", "watchers_count", "network_count", "subscribers_count",
    "size",
)  # fmt: skip
NULL_FIELDS = ("homepage", "language", "mirror_url", "license")
FALSE_FIELDS = (
    "fork", "has_wiki", "has_pages", "has_projects", "has_discussions", "archived", "disabled", "is_template",
    "web_commit_signoff_required", "allow_update_branch", "use_squash_pr_title_as_default",
)  # fmt: skip
TRUE_FIELDS = (
    "has_issues",
    "has_downloads",
    "allow_rebase_merge",
    "allow_squash_merge",
    "allow_merge_commit",
    "allow_forking",
)


def links(hub: Hub) -> dict[str, str]:
    """Return the URLs of the repository's resources."""
    return {
        f"{name}_url": f"{hub.repository_url}{rest if name in COMPLETE_PATHS else f'/{name}{rest}'}"
        for name, rest in LINKS.items()
    }


def minimal(hub: Hub) -> dict[str, Any]:
    """Return the repository as it appears in statuses and workflow runs."""
    return {
        "id": number(hub.repository),
        "node_id": node_id("R", number(hub.repository)),
        "name": hub.name,
        "full_name": hub.repository,
        "private": hub.settings.private,
        "owner": user(hub, hub.owner_login),
        "html_url": hub.html_url,
        "description": hub.settings.description,
        "fork": False,
        "url": hub.repository_url,
        **links(hub),
    }


def repository(hub: Hub) -> dict[str, Any]:
    """Return the repository as it appears in pull requests and events."""
    waiting = sum(issue.state == "open" for issue in hub.state.issues.values())
    return {
        **minimal(hub),
        **dict.fromkeys(ZERO_FIELDS, 0),
        **dict.fromkeys(NULL_FIELDS),
        **dict.fromkeys(FALSE_FIELDS, False),
        **dict.fromkeys(TRUE_FIELDS, True),
        "clone_url": f"{hub.html_url}.git",
        "git_url": f"{hub.html_url.replace('http', 'git', 1)}.git",
        "ssh_url": f"git@127.0.0.1:{hub.repository}.git",
        "svn_url": hub.html_url,
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
