"""Pull requests and reviews."""

from typing import Any

from .. import merging, rules
from ..hub import Hub
from ..state import Pull, Review
from .issues import association, labels
from .repositories import repository
from .users import node, user


def _side(hub: Hub, branch: str, sha: str) -> dict[str, Any]:
    return {
        "label": f"{hub.owner_login}:{branch}",
        "ref": branch,
        "sha": sha,
        "user": user(hub, hub.owner_login),
        "repo": repository(hub),
    }


def _links(hub: Hub, number: int, head: str) -> dict[str, str]:
    pull, page, issue = f"{hub.home}/pulls/{number}", f"{hub.page}/pull/{number}", f"{hub.home}/issues/{number}"
    return {
        "url": pull,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue,
        "commits_url": f"{pull}/commits",
        "review_comments_url": f"{pull}/comments",
        "review_comment_url": f"{hub.home}/pulls/comments{{/number}}",
        "comments_url": f"{issue}/comments",
        "statuses_url": f"{hub.home}/statuses/{head}",
    }


def _hrefs(links: dict[str, str]) -> dict[str, dict[str, str]]:
    names = {
        "self": "url", "html": "html_url", "issue": "issue_url", "comments": "comments_url",
        "review_comments": "review_comments_url", "review_comment": "review_comment_url", "commits": "commits_url",
        "statuses": "statuses_url",
    }  # fmt: skip
    return {name: {"href": links[link]} for name, link in names.items()}


def simple(hub: Hub, it: Pull) -> dict[str, Any]:
    """A pull request, as it appears in a list."""
    head = merging.head(hub, it)
    links = _links(hub, it.number, head)
    return {
        **links,
        "id": it.issue.id,
        "node_id": node("PR", it.issue.id),
        "number": it.number,
        "state": it.issue.state,
        "locked": False,
        "title": it.issue.title,
        "user": user(hub, it.issue.user.login),
        "body": it.issue.body,
        # The specification knows no null here, so a label without a description has an empty one.
        "labels": [{**label, "description": label["description"] or ""} for label in labels(hub, it.issue)],
        "milestone": None,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "created_at": it.issue.created,
        "updated_at": it.issue.updated,
        "closed_at": it.issue.closed,
        "merged_at": it.merged,
        "merge_commit_sha": it.commit or merging.merge(hub, it),
        "head": _side(hub, it.head, head),
        "base": _side(hub, it.base, it.onto),
        "_links": _hrefs(links),
        "author_association": association(hub, it.issue.user),
        "auto_merge": None,
        "draft": it.draft,
    }


def pull(hub: Hub, it: Pull) -> dict[str, Any]:
    """A pull request in full."""
    head = merging.head(hub, it)
    start = hub.git.base(it.onto, head) or it.onto
    additions, deletions, files = hub.git.counted(start, head)
    mergeable = merging.merge(hub, it) is not None if it.open else None
    return {
        **simple(hub, it),
        "merged": it.merged is not None,
        "merged_by": user(hub, it.merger.login) if it.merger else None,
        "mergeable": mergeable,
        "rebaseable": mergeable,
        "mergeable_state": _state(hub, it, mergeable),
        "comments": len(it.issue.comments),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": len(hub.git.between(start, head)),
        "additions": additions,
        "deletions": deletions,
        "changed_files": files,
    }


def _state(hub: Hub, it: Pull, mergeable: bool | None) -> str:
    if mergeable is None:
        return "unknown"
    if not mergeable:
        return "dirty"
    return "draft" if it.draft else "blocked" if rules.against_merge(hub, None, it) else "clean"


def review(hub: Hub, it: Pull, said: Review) -> dict[str, Any]:
    """A person's verdict."""
    page = f"{hub.page}/pull/{it.number}#pullrequestreview-{said.id}"
    url = f"{hub.home}/pulls/{it.number}"
    return {
        "id": said.id,
        "node_id": node("PRR", said.id),
        "user": user(hub, said.user.login),
        "body": said.body,
        "state": said.state,
        "html_url": page,
        "pull_request_url": url,
        "_links": {"html": {"href": page}, "pull_request": {"href": url}},
        "submitted_at": said.submitted,
        "commit_id": said.commit,
        "author_association": association(hub, said.user),
    }
