# machinery
"""Propose a record: a branch cut from main whose one change is that record. Merging it is the promotion."""

import os
import tempfile
from pathlib import Path

from gitops import git
from gitops.errors import StoreError
from gitops.registry import record
from gitops.registry.record import Record


def branch_name(environment: str) -> str:
    """The branch that proposes a record of an environment."""
    return f"promote/{environment}"


def proposed(root: Path, environment: str) -> Record | None:
    """The record that is proposed now and that main does not have yet; None where there is none."""
    for revision in (f"refs/remotes/origin/{branch_name(environment)}", f"refs/heads/{branch_name(environment)}"):
        tip, main = git.resolve(root, revision), git.resolve(root, git.main_ref(root))
        if tip and main and not git.succeeds(root, "merge-base", "--is-ancestor", tip, main):
            return record.read(root, environment, tip)
    return None


def propose(root: Path, wanted: Record) -> bool:
    """Put the proposal's branch on top of main with this record as its one change, in this clone.

    Neither the files nor the index that the person works with are touched; the branch moves in one step, so a kill
    leaves the old proposal or the new one.

    Args:
        root: Of the clone.
        wanted: The record to propose.

    Returns:
        Whether anything was done; False when that very proposal stands already.

    Raises:
        StoreError: There is no commit on main yet, or the branch is checked out.
    """
    name = branch_name(wanted.environment)
    main, before = git.resolve(root, git.main_ref(root)), git.resolve(root, f"refs/heads/{name}")
    if main is None:
        raise StoreError("There is no commit on main yet.", "Commit first; a promotion is a change to main.")
    if before and git.resolve(root, f"{before}^") == main and record.read(root, wanted.environment, before) == wanted:
        return False
    if git.run(root, "branch", "--show-current") == name:
        raise StoreError(f"The branch {name} is checked out.", "Go back to main: `git switch main`.")
    commit = _commit(root, main, wanted)
    git.run(root, "update-ref", "-m", "gitops promote", f"refs/heads/{name}", commit, before or "0" * 40)
    return True


def _commit(root: Path, parent: str, wanted: Record) -> str:
    """A commit with the record on top of a parent, made without a working tree."""
    blob = git.run(root, "hash-object", "-w", "--stdin", stdin=wanted.to_json())
    with tempfile.TemporaryDirectory() as scratch:
        env = {"GIT_INDEX_FILE": os.path.join(scratch, "index"), **git.identity(root)}
        git.run(root, "read-tree", parent, env=env)
        entry = f"100644,{blob},{record.path(wanted.environment)}"
        git.run(root, "update-index", "--add", "--cacheinfo", entry, env=env)
        tree = git.run(root, "write-tree", env=env)
        figure = wanted.figure
        message = (
            f"Promote {wanted.model} version {wanted.version} to {wanted.environment}\n\n"
            f"Release {wanted.release}, {figure.metric} {figure.value:.4f}, digest {wanted.digest}\n"
        )
        return git.run(root, "commit-tree", tree, "-p", parent, "-m", message, env=env)
