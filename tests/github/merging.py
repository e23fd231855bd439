"""What Git knows of a pull request: refs/pull/N/head, which stays when it is closed, and refs/pull/N/merge."""

from typing import Literal

from .git import ConflictError
from .hub import Hub
from .model import Token
from .state import Pull

Method = Literal["merge", "squash", "rebase"]


def head(hub: Hub, pull: Pull) -> str:
    """The commit that is asked to be pulled."""
    sha = hub.git.ref(f"refs/pull/{pull.number}/head")
    assert sha is not None, f"refs/pull/{pull.number}/head is gone"
    return sha


def merge(hub: Hub, pull: Pull) -> str | None:
    """The commit that a merge would make; nothing when it conflicts."""
    return hub.git.ref(f"refs/pull/{pull.number}/merge")


def refresh(hub: Hub, pull: Pull) -> None:
    """Bring both refs to where the branches are now."""
    sha, onto = hub.git.branch(pull.head), hub.git.branch(pull.base)
    if not pull.open or sha is None or onto is None:
        return
    pull.onto = onto
    hub.git.point(f"refs/pull/{pull.number}/head", sha)
    known = merge(hub, pull)
    if known is None or hub.git.commit(known).parents != (onto, sha):
        hub.git.point(f"refs/pull/{pull.number}/merge", _attempt(hub, pull, onto, sha))


def brought(hub: Hub, pull: Pull) -> list[str]:
    """The commits that a pull request brings to its base, with the one that merged it."""
    tip = pull.commit or head(hub, pull)
    # Where it was merged by hand, the base is known only as it was afterwards.
    start = f"{tip}^1" if pull.onto == tip else pull.onto
    return hub.git.between(start, tip)


def _attempt(hub: Hub, pull: Pull, onto: str, sha: str) -> str | None:
    try:
        tree = hub.git.merged_tree(onto, sha)
    except ConflictError:
        return None
    return hub.git.write(tree, [onto, sha], f"Merge {sha} into {onto}", pull.issue.user.login)


def combine(hub: Hub, pull: Pull, method: Method, actor: Token, title: str, message: str) -> str:
    """The commit that the base branch will be at; the branch is not touched yet."""
    sha, onto = head(hub, pull), pull.onto
    if method == "rebase":
        return hub.git.rebase(onto, sha, actor.login)
    tree = hub.git.merged_tree(onto, sha)
    if method == "squash":
        text = _text(title or f"{pull.issue.title} (#{pull.number})", message)
        return hub.git.write(tree, [onto], text, pull.issue.user.login)
    standard = f"Merge pull request #{pull.number} from {hub.owner_login}/{pull.head}"
    return hub.git.write(tree, [onto, sha], _text(title or standard, message or pull.issue.title), actor.login)


def _text(title: str, message: str) -> str:
    return f"{title}\n\n{message}\n" if message else f"{title}\n"
