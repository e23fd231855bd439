"""Pull requests and reviews."""

from typing import Any

from .. import merging, rules
from ..hub import Hub
from ..state import Pull, Review
from .issues import association, labels
from .repositories import repository
from .users import node_id, user


def _side(hub: Hub, branch: str, sha: str) -> dict[str, Any]:
    return {
        "label": f"{hub.owner_login}:{branch}",
        "ref": branch,
        "sha": sha,
        "user": user(hub, hub.owner_login),
        "repo": repository(hub),
    }


def _links(hub: Hub, number: int, head: str) -> dict[str, str]:
    pull, page, issue = (
        f"{hub.repository_url}/pulls/{number}",
        f"{hub.html_url}/pull/{number}",
        f"{hub.repository_url}/issues/{number}",
    )
    return {
        "url": pull,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue,
        "commits_url": f"{pull}/commits",
        "review_comments_url": f"{pull}/comments",
        "review_comment_url": f"{hub.repository_url}/pulls/comments{{/number}}",
        "comments_url": f"{issue}/comments",
        "statuses_url": f"{hub.repository_url}/statuses/{head}",
    }


def _hrefs(links: dict[str, str]) -> dict[str, dict[str, str]]:
    names = {
        "self": "url", "html": "html_url", "issue": "issue_url", "comments": "comments_url",
        "review_comments": "review_comments_url", "review_comment": "review_comment_url", "commits": "commits_url",
        "statuses": "statuses_url",
    }  # fmt: skip
    return {name: {"href": links[link]} for name, link in names.items()}


def simple(hub: Hub, item: Pull) -> dict[str, Any]:
    """Return a pull request as it appears in a list."""
    head = merging.head_commit(hub, item)
    links = _links(hub, item.number, head)
    return {
        **links,
        "id": item.issue.id,
        "node_id": node_id("PR", item.issue.id),
        "number": item.number,
        "state": item.issue.state,
        "locked": False,
        "title": item.issue.title,
        "user": user(hub, item.issue.user.login),
        "body": item.issue.body,
        # The specification allows no null here, so a label without a description has an empty one.
        "labels": [{**label, "description": label["description"] or ""} for label in labels(hub, item.issue)],
        "milestone": None,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "created_at": item.issue.created,
        "updated_at": item.issue.updated,
        "closed_at": item.issue.closed,
        "merged_at": item.merged,
        "merge_commit_sha": item.commit or merging.merge_commit(hub, item),
        "head": _side(hub, item.head, head),
        "base": _side(hub, item.base, item.onto),
        "_links": _hrefs(links),
        "author_association": association(hub, item.issue.user),
        "auto_merge": None,
        "draft": item.draft,
    }


def pull(hub: Hub, item: Pull) -> dict[str, Any]:
    """Return a pull request with all fields."""
    head = merging.head_commit(hub, item)
    start = hub.git.merge_base(item.onto, head) or item.onto
    additions, deletions, files = hub.git.count_changes(start, head)
    mergeable = merging.merge_commit(hub, item) is not None if item.open else None
    return {
        **simple(hub, item),
        "merged": item.merged is not None,
        "merged_by": user(hub, item.merger.login) if item.merger else None,
        "mergeable": mergeable,
        "rebaseable": mergeable,
        "mergeable_state": _state(hub, item, mergeable),
        "comments": len(item.issue.comments),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": len(hub.git.commits_between(start, head)),
        "additions": additions,
        "deletions": deletions,
        "changed_files": files,
    }


def _state(hub: Hub, item: Pull, mergeable: bool | None) -> str:
    if mergeable is None:
        return "unknown"
    if not mergeable:
        return "dirty"
    return "draft" if item.draft else "blocked" if rules.merge_violations(hub, None, item) else "clean"


def review(hub: Hub, item: Pull, entry: Review) -> dict[str, Any]:
    """Return a review."""
    page = f"{hub.html_url}/pull/{item.number}#pullrequestreview-{entry.id}"
    url = f"{hub.repository_url}/pulls/{item.number}"
    return {
        "id": entry.id,
        "node_id": node_id("PRR", entry.id),
        "user": user(hub, entry.user.login),
        "body": entry.body,
        "state": entry.state,
        "html_url": page,
        "pull_request_url": url,
        "_links": {"html": {"href": page}, "pull_request": {"href": url}},
        "submitted_at": entry.submitted,
        "commit_id": entry.commit,
        "author_association": association(hub, entry.user),
    }
