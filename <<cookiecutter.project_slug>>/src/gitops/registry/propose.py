# machinery
"""Propose a record: a branch cut from main whose one change is that record. Merging it is the promotion."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitops import git
from gitops.errors import ForgeError, StoreError
from gitops.registry import record
from gitops.registry.record import Record

RACED = ("stale info", "cannot lock ref", "incorrect old value", "fetch first", "non-fast-forward")


class Raced(ForgeError):
    """Somebody else moved the branch at the same moment; look again before doing anything."""


@dataclass(frozen=True)
class Standing:
    """The proposal's branch as it stands on the remote.

    Attributes:
        tip: Its commit.
        record: What it proposes; None where its record was removed.
        current: main's record is still the one that it was cut from.
        foreign: What others put on it, in words; never overwritten.
    """

    tip: str
    record: Record | None
    current: bool
    foreign: tuple[str, ...]


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


def standing(root: Path, environment: str) -> Standing | None:
    """The branch on the remote, as `git.refresh` saw it last; None where there is none."""
    tip = git.resolve(root, f"refs/remotes/origin/{branch_name(environment)}")
    if tip is None:
        return None
    main = git.main_ref(root)
    base = git.run(root, "merge-base", main, tip) if git.succeeds(root, "merge-base", main, tip) else None
    at_base = git.show(root, base, record.path(environment)) if base else None
    current = at_base == git.show(root, main, record.path(environment))
    return Standing(tip, record.read(root, environment, tip), current, _foreign(root, environment, base, tip))


def _foreign(root: Path, environment: str, base: str | None, tip: str) -> tuple[str, ...]:
    """Commits that gitops did not make, and files that it does not propose."""
    since = f"{base}..{tip}" if base else tip
    log = git.run(root, "log", "--format=%h%x1f%an%x1f%ae%x1f%ce", since)
    commits = [line.split("\x1f") for line in log.splitlines()]
    said = [f"commit {short} by {name}" for short, name, *emails in commits if set(emails) != {git.EMAIL}]
    changed = git.run(root, "diff", "--name-only", base, tip).splitlines() if base else []
    return (*said, *(f"a change of {path}" for path in changed if path != record.path(environment)))


def publish(root: Path, wanted: Record, before: str | None) -> str:
    """Cut the proposal's branch from main anew, with this record, and push it; the new tip.

    Args:
        root: Of the clone.
        wanted: The record to propose.
        before: The tip that the branch has on the remote; None where there is no such branch.

    Raises:
        Raced: Somebody else pushed first; nothing was overwritten.
        ForgeError: The remote refuses.
    """
    name, main = branch_name(wanted.environment), git.resolve(root, git.main_ref(root))
    if main is None:
        raise StoreError("There is no commit on main yet.", "Push main first; a promotion is a change to main.")
    commit = _commit(root, main, wanted, {**git.IDENTITY, **git.AUTHOR})
    lease = f"--force-with-lease=refs/heads/{name}:{before or ''}"
    try:
        git.run(root, "push", "--quiet", lease, "origin", f"{commit}:refs/heads/{name}")
    except git.GitError as error:
        if any(sign in error.stderr for sign in RACED):
            raise Raced(f"Somebody else pushed {name} at the same moment.", "Run the same command again.") from error
        raise ForgeError(
            f"The branch {name} cannot be pushed: {error.stderr}",
            "In a workflow the job needs `contents: write`; and no rule may keep workflows from pushing `promote/*`.",
        ) from error
    git.run(root, "update-ref", f"refs/remotes/origin/{name}", commit)
    return commit


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
    commit = _commit(root, main, wanted, git.identity(root))
    git.run(root, "update-ref", "-m", "gitops promote", f"refs/heads/{name}", commit, before or "0" * 40)
    return True


def _commit(root: Path, parent: str, wanted: Record, identity: Mapping[str, str]) -> str:
    """A commit with the record on top of a parent, made without a working tree."""
    blob = git.run(root, "hash-object", "-w", "--stdin", stdin=wanted.to_json())
    with tempfile.TemporaryDirectory() as scratch:
        env = {"GIT_INDEX_FILE": os.path.join(scratch, "index"), **identity}
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
