"""Commits, refs and what is said of them."""

from typing import Any

from ..git import Commit, Signature
from ..hub import Hub
from ..state import Status
from .repositories import minimal
from .users import node, user


def _signature(signature: Signature) -> dict[str, str]:
    return {"name": signature.name, "email": signature.email}


def simple(hub: Hub, sha: str) -> dict[str, Any]:
    """A commit, as it appears in a run."""
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
    """A commit, as it appears in a push."""
    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "distinct": True,
        "message": commit.message,
        "timestamp": commit.committer.date,
        "url": f"{hub.page}/commit/{commit.sha}",
        "author": {**_signature(commit.author), "username": commit.author.name},
        "committer": {**_signature(commit.committer), "username": commit.committer.name},
        **hub.git.changed(commit.sha),
    }


def reference(hub: Hub, ref: str, sha: str) -> dict[str, Any]:
    """A branch or a tag."""
    kind = hub.git.kind(sha)
    return {
        "ref": ref,
        "node_id": node("REF", ref),
        "url": f"{hub.home}/git/{ref}",
        "object": {"type": kind, "sha": sha, "url": f"{hub.home}/git/{kind}s/{sha}"},
    }


def status(hub: Hub, it: Status) -> dict[str, Any]:
    """What somebody says of a commit."""
    creator = user(hub, it.creator.login)
    return {
        "url": f"{hub.home}/statuses/{it.sha}",
        "avatar_url": creator["avatar_url"],
        "id": it.id,
        "node_id": node("SC", it.id),
        "state": it.state,
        "description": it.description,
        "target_url": it.target,
        "context": it.context,
        "created_at": it.created,
        "updated_at": it.created,
        "creator": creator,
    }


def combined(hub: Hub, sha: str) -> dict[str, Any]:
    """All that is said of a commit, and what it comes to."""
    latest = hub.state.latest(sha)
    states = {it.state for it in latest}
    # GitHub calls a commit of which nothing is said pending.
    worst = "failure" if states & {"error", "failure"} else "success" if states == {"success"} else "pending"
    shown = [{name: value for name, value in status(hub, it).items() if name != "creator"} for it in latest]
    return {
        "state": worst,
        "statuses": shown,
        "sha": sha,
        "total_count": len(latest),
        "repository": minimal(hub),
        "commit_url": f"{hub.home}/commits/{sha}",
        "url": f"{hub.home}/commits/{sha}/status",
    }
