"""Write an update to its branch: one commit on main, set in one step; commits of people are never overwritten."""

import re
from dataclasses import dataclass
from pathlib import Path

from gitops_ml import git
from gitops_ml.errors import StoreError
from gitops_ml.updating.git_trees import write_commit

BRANCH = git.UPDATE_BRANCH
# The commit names its own tree: an amended commit is then known to be a person's.
TRAILER = "Gitops-Tree"
_TRAILER = re.compile(rf"^{TRAILER}: ([0-9a-f]+)$", re.MULTILINE)


@dataclass(frozen=True)
class ExistingBranch:
    """State of the branch before an update.

    Attributes:
        tip: Commit at the tip; None if there is no branch, or main contains it.
        base: Parent of its first commit that main does not contain.
        tree: Tree of this first commit, if an update made it.
        foreign: Phrases about the commits that people made.
        before: Commit that the reference names now; zeros if there is none.
    """

    tip: str | None
    base: str | None
    tree: str | None
    foreign: tuple[str, ...]
    before: str


def read_branch(root: Path, ref: str, main: str) -> ExistingBranch:
    """Return the state of the branch, in this clone or on the remote when it was last fetched.

    Args:
        root: Root of the clone.
        ref: Full name of the branch's reference.
        main: Commit of main.
    """
    tip = git.resolve(root, ref)
    commits = git.run(root, "rev-list", "--reverse", "--topo-order", f"{main}..{tip}").split() if tip else []
    if tip is None or not commits:
        return ExistingBranch(None, None, None, (), tip or "0" * len(main))
    made = {commit: _tree_of_update(root, commit) for commit in commits}
    foreign = tuple(
        git.run(root, "log", "-1", "--format=%h by %an (%s)", commit) for commit in commits if made[commit] is None
    )
    return ExistingBranch(tip, git.resolve(root, f"{commits[0]}^"), made[commits[0]], foreign, tip)


def _tree_of_update(root: Path, commit: str) -> str | None:
    """Return the tree of a commit if an update made it, and it was not amended."""
    tree, parents, body = git.run(root, "log", "-1", "--format=%T%x00%P%x00%B", commit).split("\0")
    named = _TRAILER.search(body)
    return tree if named and named[1] == tree and len(parents.split()) == 1 else None


def commit_update(root: Path, branch: str, main: str, tree: str, message: str) -> str | None:
    """Set the branch to one commit with the update on main.

    Args:
        root: Root of the clone.
        branch: Name of the branch.
        main: Commit of main.
        tree: Tree of the update.
        message: Message of the commit.

    Returns:
        The new commit; None if the branch has this update already, perhaps with commits of people on top.

    Raises:
        StoreError: The branch has commits of people for another update, it is checked out, or another process set it.
    """
    existing = read_branch(root, f"refs/heads/{branch}", main)
    if (existing.base, existing.tree) == (main, tree):
        return None
    if existing.foreign:
        raise StoreError(
            f"The branch {branch} has commits of other people: {'; '.join(existing.foreign)}. It is not overwritten.",
            f"Merge the branch, or delete it (`git branch -D {branch}`), or choose another with `--branch NAME`. Then "
            "run the command again.",
        )
    if f"branch refs/heads/{branch}" in git.run(root, "worktree", "list", "--porcelain").splitlines():
        raise StoreError(
            f"The branch {branch} is checked out.", "Go back to main (`git switch main`), and run it again."
        )
    text = f"{message}\n\n{TRAILER}: {tree}\n"
    commit = write_commit(root, tree, [main], text, git.commit_environment(root))
    _set(root, branch, commit, existing.before)
    return commit


def _set(root: Path, branch: str, commit: str, before: str) -> None:
    try:
        git.run(root, "update-ref", "-m", "gitops update", f"refs/heads/{branch}", commit, before)
    except git.GitError as error:
        raise StoreError(
            f"The branch {branch} cannot be set: {error.stderr}.",
            "If another process set it at the same time, run the command again.",
        ) from error
