"""Propose a change to main: a branch cut from main with one commit that writes records, and what describes them.

A promotion proposes a record; a rollback, an earlier one. Merging it is the deed.
"""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitops_ml import git
from gitops_ml.errors import ForgeError, StoreError
from gitops_ml.registry import record
from gitops_ml.registry.record import Record

RACED = ("stale info", "cannot lock ref", "incorrect old value", "fetch first", "non-fast-forward")


CARD = "docs/model-card.md"


class Raced(ForgeError):
    """Somebody else moved the branch at the same moment; look again before doing anything."""


@dataclass(frozen=True)
class Change:
    """What a branch would do to main.

    Attributes:
        branch: Its name.
        message: Of its one commit.
        files: Content by path, or the file that holds it byte for byte; None removes the file.
    """

    branch: str
    message: str
    files: Mapping[str, str | Path | None] = field(repr=False)


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


def card_of(environment: str, environments: Sequence[str]) -> str:
    """Where the model card of an environment lies: each has its own, so that two proposals never meet in one file."""
    return CARD if environment == environments[-1] else CARD.replace(".md", f"-{environment}.md")


def branch_name(environment: str) -> str:
    """The branch that proposes a record of an environment."""
    return f"promote/{environment}"


def reversal_name(environment: str) -> str:
    """The branch that proposes an earlier record."""
    return f"rollback/{environment}"


def reversal(environment: str, now: Record, to: Record | None, why: str, beside: Mapping[str, str | None]) -> Change:
    """The change that restores an earlier record, or removes the record where there is none to restore.

    Args:
        environment: Where.
        now: What main says.
        to: What it should say.
        why: In words.
        beside: Content by path of what is written beside the record; None removes it.
    """
    whither = f"to version {to.version}" if to else "to nothing"
    message = f"Roll back {now.model} from version {now.version} {whither} in {environment}\n\n{why}\n"
    files = {record.path(environment): to.to_json() if to else None, **beside}
    return Change(reversal_name(environment), message, files)


def overlay(environment: str) -> str:
    """Where the image of an environment is pinned for whatever syncs a cluster with Git."""
    return f"{record.FOLDER}/argocd/{environment}/kustomization.yaml"


def promotion(wanted: Record, beside: Mapping[str, str | None]) -> Change:
    """The change that promotes a version: its record, and the files beside it that describe the record."""
    figure = wanted.figure
    message = (
        f"Promote {wanted.model} version {wanted.version} to {wanted.environment}\n\n"
        f"Release {wanted.release}, {figure.metric} {figure.value:.4f}, digest {wanted.digest}\n"
    )
    files = {record.path(wanted.environment): wanted.to_json(), **beside}
    return Change(branch_name(wanted.environment), message, files)


def proposed(root: Path, environment: str) -> Record | None:
    """The record that is proposed now and that main does not have yet; None where there is none."""
    for revision in (f"refs/remotes/origin/{branch_name(environment)}", f"refs/heads/{branch_name(environment)}"):
        tip, main = git.resolve(root, revision), git.resolve(root, git.main_ref(root))
        if tip and main and not git.succeeds(root, "merge-base", "--is-ancestor", tip, main):
            return record.read(root, environment, tip)
    return None


def standing(root: Path, environment: str, branch: str | None = None) -> Standing | None:
    """The branch on the remote, as `git.refresh` saw it last; None where there is none.

    Args:
        root: Of the clone.
        environment: Whose record the branch proposes.
        branch: Its name; the promotion's unless named.
    """
    tip = git.resolve(root, f"refs/remotes/origin/{branch or branch_name(environment)}")
    if tip is None:
        return None
    main = git.main_ref(root)
    base = git.run(root, "merge-base", main, tip) if git.succeeds(root, "merge-base", main, tip) else None
    at_base = git.show(root, base, record.path(environment)) if base else None
    current = at_base == git.show(root, main, record.path(environment))
    return Standing(tip, record.read(root, environment, tip), current, _foreign(root, environment, base, tip))


def _foreign(root: Path, environment: str, base: str | None, tip: str) -> tuple[str, ...]:
    ours = {record.path(environment), CARD, card_of(environment, ("",)), overlay(environment)}
    return foreign(root, base, tip, ours.__contains__)


def foreign(root: Path, base: str | None, tip: str, ours: Callable[[str], bool]) -> tuple[str, ...]:
    """What others put on a proposal's branch: commits that gitops did not make, and files that it does not propose.

    Args:
        root: Of the clone.
        base: Where the branch left main; None where it never was on it.
        tip: Of the branch.
        ours: Whether gitops would propose a change of this path.
    """
    since = f"{base}..{tip}" if base else tip
    log = git.run(root, "log", "--format=%h%x1f%an%x1f%ae%x1f%ce", since)
    commits = [line.split("\x1f") for line in log.splitlines()]
    said = [f"commit {short} by {name}" for short, name, *emails in commits if set(emails) != {git.EMAIL}]
    changed = git.run(root, "diff", "--name-only", "-z", base, tip).split("\0") if base else []
    return (*said, *(f"a change of {path}" for path in changed if path and not ours(path)))


def publish(root: Path, change: Change, before: str | None) -> str:
    """Cut the branch from main anew, with this change, and push it; the new tip.

    Args:
        root: Of the clone.
        change: What to propose.
        before: The tip that the branch has on the remote; None where there is no such branch.

    Raises:
        Raced: Somebody else pushed first; nothing was overwritten.
        ForgeError: The remote refuses.
    """
    name, main = change.branch, git.resolve(root, git.main_ref(root))
    if main is None:
        raise StoreError("There is no commit on main yet.", "Push main first; a promotion is a change to main.")
    commit = _commit(root, main, change, {**git.IDENTITY, **git.AUTHOR})
    lease = f"--force-with-lease=refs/heads/{name}:{before or ''}"
    try:
        git.run(root, "push", "--quiet", lease, "origin", f"{commit}:refs/heads/{name}")
    except git.GitError as error:
        if any(sign in error.stderr for sign in RACED):
            raise Raced(f"Somebody else pushed {name} at the same moment.", "Run the same command again.") from error
        kind = name.split("/")[0]
        raise ForgeError(
            f"The branch {name} cannot be pushed: {error.stderr}",
            f"In a workflow the job needs `contents: write`; and no rule may keep workflows from pushing `{kind}/*`.",
        ) from error
    git.run(root, "update-ref", f"refs/remotes/origin/{name}", commit)
    return commit


def propose(root: Path, change: Change) -> bool:
    """Put the branch on top of main with this as its one change, in this clone.

    Neither the files nor the index that the person works with are touched; the branch moves in one step, so a kill
    leaves the old proposal or the new one.

    Args:
        root: Of the clone.
        change: What to propose.

    Returns:
        Whether anything was done; False when that very proposal stands already.

    Raises:
        StoreError: There is no commit on main yet, or the branch is checked out.
    """
    name = change.branch
    main, before = git.resolve(root, git.main_ref(root)), git.resolve(root, f"refs/heads/{name}")
    if main is None:
        raise StoreError("There is no commit on main yet.", "Commit first; a promotion is a change to main.")
    if before and git.resolve(root, f"{before}^") == main and _says(root, before, change):
        return False
    if git.run(root, "branch", "--show-current") == name:
        raise StoreError(f"The branch {name} is checked out.", "Go back to main: `git switch main`.")
    commit = _commit(root, main, change, git.identity(root))
    git.run(root, "update-ref", "-m", "gitops", f"refs/heads/{name}", commit, before or "0" * 40)
    return True


def _says(root: Path, revision: str, change: Change) -> bool:
    """Whether a revision holds what the change would write."""
    return all(
        blob_at(root, revision, path) == (None if content is None else _blob(root, content))
        for path, content in change.files.items()
    )


def blob_at(root: Path, revision: str, path: str) -> str | None:
    """What names the content of a file at a revision; None where it is not."""
    name = f"{revision}:{path}"
    return git.run(root, "rev-parse", name) if git.succeeds(root, "rev-parse", "--verify", "--quiet", name) else None


def _blob(root: Path, content: str | Path) -> str:
    """What names this content, which Git keeps from now on."""
    if isinstance(content, Path):
        return git.run(root, "hash-object", "-w", "--no-filters", str(content.resolve()))
    return git.run(root, "hash-object", "-w", "--stdin", stdin=content)


def _commit(root: Path, parent: str, change: Change, identity: Mapping[str, str]) -> str:
    """A commit with the change on top of a parent, made without a working tree."""
    with tempfile.TemporaryDirectory() as scratch:
        env = {"GIT_INDEX_FILE": os.path.join(scratch, "index"), **identity}
        git.run(root, "read-tree", parent, env=env)
        for path, content in change.files.items():
            if content is None:
                git.run(root, "update-index", "--force-remove", path, env=env)
            else:
                entry = f"100644,{_blob(root, content)},{path}"
                git.run(root, "update-index", "--add", "--cacheinfo", entry, env=env)
        tree = git.run(root, "write-tree", env=env)
        return git.run(root, "commit-tree", tree, "-p", parent, "-m", change.message, env=env)
