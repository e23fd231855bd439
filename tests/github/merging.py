"""Refs of a pull request: refs/pull/N/head, which stays when it is closed, and refs/pull/N/merge."""

from typing import Literal

from .git import ConflictError
from .hub import Hub
from .model import Token
from .state import Pull

Method = Literal["merge", "squash", "rebase"]


def head_commit(hub: Hub, pull: Pull) -> str:
    """Return the head commit of a pull request."""
    sha = hub.git.ref(f"refs/pull/{pull.number}/head")
    assert sha is not None, f"refs/pull/{pull.number}/head is gone"
    return sha


def merge_commit(hub: Hub, pull: Pull) -> str | None:
    """Return the commit of a test merge; None if there are conflicts."""
    return hub.git.ref(f"refs/pull/{pull.number}/merge")


def update_refs(hub: Hub, pull: Pull) -> None:
    """Update both refs to the current commits of the branches."""
    sha, onto = hub.git.branch(pull.head), hub.git.branch(pull.base)
    if not pull.open or sha is None or onto is None:
        return
    pull.onto = onto
    hub.git.set_ref(f"refs/pull/{pull.number}/head", sha)
    current = merge_commit(hub, pull)
    if current is None or hub.git.commit(current).parents != (onto, sha):
        hub.git.set_ref(f"refs/pull/{pull.number}/merge", _try_merge(hub, pull, onto, sha))


def merged_commits(hub: Hub, pull: Pull) -> list[str]:
    """Return the commits that a pull request adds to its base, including the merge commit."""
    tip = pull.commit or head_commit(hub, pull)
    # After a manual merge, only the base after the merge is known.
    start = f"{tip}^1" if pull.onto == tip else pull.onto
    return hub.git.commits_between(start, tip)


def _try_merge(hub: Hub, pull: Pull, onto: str, sha: str) -> str | None:
    try:
        tree = hub.git.merge_trees(onto, sha)
    except ConflictError:
        return None
    return hub.git.create_commit(tree, [onto, sha], f"Merge {sha} into {onto}", pull.issue.user.login)


def create_merge(hub: Hub, pull: Pull, method: Method, actor: Token, title: str, message: str) -> str:
    """Create and return the new commit of the base branch; the branch itself is not changed."""
    sha, onto = head_commit(hub, pull), pull.onto
    if method == "rebase":
        return hub.git.rebase(onto, sha, actor.login)
    tree = hub.git.merge_trees(onto, sha)
    if method == "squash":
        full_message = _message(title or f"{pull.issue.title} (#{pull.number})", message)
        return hub.git.create_commit(tree, [onto], full_message, pull.issue.user.login)
    default_title = f"Merge pull request #{pull.number} from {hub.owner_login}/{pull.head}"
    return hub.git.create_commit(
        tree, [onto, sha], _message(title or default_title, message or pull.issue.title), actor.login
    )


def _message(title: str, message: str) -> str:
    return f"{title}\n\n{message}\n" if message else f"{title}\n"
