"""Commits, refs and commit statuses."""

from typing import Any

from ..git import Commit, Signature
from ..hub import Hub
from ..state import Status
from .repositories import minimal
from .users import node_id, user


def _signature(signature: Signature) -> dict[str, str]:
    return {"name": signature.name, "email": signature.email}


def simple(hub: Hub, sha: str) -> dict[str, Any]:
    """Return a commit as it appears in a workflow run."""
    commit = hub.git.commit(sha)
    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "message": commit.message,
        "timestamp": commit.author.date,
        "author": _signature(commit.author),
        "committer": _signature(commit.committer),
    }


def pushed(hub: Hub, commit: Commit) -> dict[str, Any]:
    """Return a commit as it appears in a push event."""
    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "distinct": True,
        "message": commit.message,
        "timestamp": commit.committer.date,
        "url": f"{hub.html_url}/commit/{commit.sha}",
        "author": {**_signature(commit.author), "username": commit.author.name},
        "committer": {**_signature(commit.committer), "username": commit.committer.name},
        **hub.git.changed_files(commit.sha),
    }


def reference(hub: Hub, ref: str, sha: str) -> dict[str, Any]:
    """Return a branch or a tag."""
    kind = hub.git.object_type(sha)
    return {
        "ref": ref,
        "node_id": node_id("REF", ref),
        "url": f"{hub.repository_url}/git/{ref}",
        "object": {"type": kind, "sha": sha, "url": f"{hub.repository_url}/git/{kind}s/{sha}"},
    }


def status(hub: Hub, item: Status) -> dict[str, Any]:
    """A commit status."""
    creator = user(hub, item.creator.login)
    return {
        "url": f"{hub.repository_url}/statuses/{item.sha}",
        "avatar_url": creator["avatar_url"],
        "id": item.id,
        "node_id": node_id("SC", item.id),
        "state": item.state,
        "description": item.description,
        "target_url": item.target,
        "context": item.context,
        "created_at": item.created,
        "updated_at": item.created,
        "creator": creator,
    }


def combined(hub: Hub, sha: str) -> dict[str, Any]:
    """Return the combined status of a commit."""
    latest = hub.state.latest_statuses(sha)
    states = {item.state for item in latest}
    # GitHub calls a commit without statuses pending.
    worst = "failure" if states & {"error", "failure"} else "success" if states == {"success"} else "pending"
    shown = [{name: value for name, value in status(hub, item).items() if name != "creator"} for item in latest]
    return {
        "state": worst,
        "statuses": shown,
        "sha": sha,
        "total_count": len(latest),
        "repository": minimal(hub),
        "commit_url": f"{hub.repository_url}/commits/{sha}",
        "url": f"{hub.repository_url}/commits/{sha}/status",
    }
