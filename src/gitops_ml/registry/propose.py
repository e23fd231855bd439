"""Proposals: a branch cut from main with one commit that writes records and the files that describe them.

A promotion proposes a new record, a rollback an earlier one. The merge of the pull request makes it effective.
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

# Messages of git when another push came first.
CONFLICT_MESSAGES = ("stale info", "cannot lock ref", "incorrect old value", "fetch first", "non-fast-forward")


CARD = "docs/model-card.md"


class PushConflict(ForgeError):
    """Another process pushed to the branch at the same time; read its state again first."""


@dataclass(frozen=True)
class Change:
    """Change that a branch proposes to main.

    Attributes:
        branch: Name of the branch.
        message: Message of its only commit.
        files: New content by path, as text or as a file to copy; None removes the path.
    """

    branch: str
    message: str
    files: Mapping[str, str | Path | None] = field(repr=False)


@dataclass(frozen=True)
class BranchState:
    """State of a proposal's branch on the remote.

    Attributes:
        tip: Commit at the tip of the branch.
        record: Record that the branch proposes; None if it removes the record.
        is_current: True if main's record has not changed since the branch was cut.
        foreign_changes: Phrases that name the changes of others on the branch; gitops never overwrites them.
    """

    tip: str
    record: Record | None
    is_current: bool
    foreign_changes: tuple[str, ...]


def card_path(environment: str, environments: Sequence[str]) -> str:
    """Return the path of an environment's model card; each has its own, so that two proposals do not conflict.

    Args:
        environment: Name of the environment.
        environments: All environments in the order of promotion.
    """
    return CARD if environment == environments[-1] else CARD.replace(".md", f"-{environment}.md")


def promotion_branch(environment: str) -> str:
    """Return the name of the branch that proposes a promotion.

    Args:
        environment: Environment to promote to.
    """
    return f"promote/{environment}"


def rollback_branch(environment: str) -> str:
    """Return the name of the branch that proposes an earlier record.

    Args:
        environment: Environment to roll back.
    """
    return f"rollback/{environment}"


def rollback_change(
    environment: str, current: Record, to: Record | None, reason: str, files: Mapping[str, str | None]
) -> Change:
    """Return the change that restores an earlier record, or removes the record.

    Args:
        environment: Environment to roll back.
        current: Record on main.
        to: Record to restore; None to remove the record.
        reason: Reason, as text.
        files: Content of further files by path; None removes the path.
    """
    destination = f"to version {to.version}" if to else "to nothing"
    message = f"Roll back {current.model} from version {current.version} {destination} in {environment}\n\n{reason}\n"
    content = {record.record_path(environment): to.to_json() if to else None, **files}
    return Change(rollback_branch(environment), message, content)


def argocd_kustomization_path(environment: str) -> str:
    """Return the path of the file that pins the environment's image for Argo CD.

    Args:
        environment: Name of the environment.
    """
    return f"{record.FOLDER}/argocd/{environment}/kustomization.yaml"


def promotion_change(proposed: Record, files: Mapping[str, str | None]) -> Change:
    """Return the change that promotes a version.

    Args:
        proposed: Record to propose.
        files: Content of further files by path, which describe the record; None removes the path.
    """
    figure = proposed.figure
    message = (
        f"Promote {proposed.model} version {proposed.version} to {proposed.environment}\n\n"
        f"Release {proposed.release}, {figure.metric} {figure.value:.4f}, digest {proposed.digest}\n"
    )
    content = {record.record_path(proposed.environment): proposed.to_json(), **files}
    return Change(promotion_branch(proposed.environment), message, content)


def load_proposed_record(root: Path, environment: str) -> Record | None:
    """Return the record of the open promotion, which main does not have yet; None if there is none.

    Args:
        root: Root folder of the clone.
        environment: Name of the environment.
    """
    branch = promotion_branch(environment)
    for revision in (f"refs/remotes/origin/{branch}", f"refs/heads/{branch}"):
        tip, main = git.resolve(root, revision), git.resolve(root, git.main_ref(root))
        if tip and main and not git.succeeds(root, "merge-base", "--is-ancestor", tip, main):
            return record.load_record(root, environment, tip)
    return None


def load_branch_state(root: Path, environment: str, branch: str | None = None) -> BranchState | None:
    """Return the state of a proposal's branch on the remote when it was last fetched; None if there is no branch.

    Args:
        root: Root folder of the clone.
        environment: Environment whose record the branch proposes.
        branch: Name of the branch; the promotion's branch by default.
    """
    tip = git.resolve(root, f"refs/remotes/origin/{branch or promotion_branch(environment)}")
    if tip is None:
        return None
    main = git.main_ref(root)
    base = git.run(root, "merge-base", main, tip) if git.succeeds(root, "merge-base", main, tip) else None
    path = record.record_path(environment)
    at_base = git.read_file(root, base, path) if base else None
    is_current = at_base == git.read_file(root, main, path)
    proposed = {path, CARD, card_path(environment, ("",)), argocd_kustomization_path(environment)}
    foreign_changes = list_foreign_changes(root, base, tip, proposed.__contains__)
    return BranchState(tip, record.load_record(root, environment, tip), is_current, foreign_changes)


def list_foreign_changes(root: Path, base: str | None, tip: str, is_proposed: Callable[[str], bool]) -> tuple[str, ...]:
    """Return phrases for the commits that gitops did not make and the files that it does not propose.

    Args:
        root: Root folder of the clone.
        base: Commit of main from which the branch was cut; None if the branch has no commit in common with main.
        tip: Commit at the tip of the branch.
        is_proposed: Function that returns whether gitops would propose a change of a path.
    """
    since = f"{base}..{tip}" if base else tip
    log = git.run(root, "log", "--format=%h%x1f%an%x1f%ae%x1f%ce", since)
    commits = [line.split("\x1f") for line in log.splitlines()]
    foreign = [f"commit {short} by {name}" for short, name, *emails in commits if set(emails) != {git.EMAIL}]
    changed = git.run(root, "diff", "--name-only", "-z", base, tip).split("\0") if base else []
    return (*foreign, *(f"a change of {path}" for path in changed if path and not is_proposed(path)))


def push_proposal(root: Path, change: Change, before: str | None) -> str:
    """Cut the branch from main, commit the change to it, and push it.

    Args:
        root: Root folder of the clone.
        change: Change to propose.
        before: Commit at the branch's tip on the remote; None if there is no such branch.

    Returns:
        The new commit at the tip.

    Raises:
        PushConflict: Another process pushed first; nothing was overwritten.
        ForgeError: The remote refuses the push.
        StoreError: main has no commit yet.
    """
    name, main = change.branch, git.resolve(root, git.main_ref(root))
    if main is None:
        raise StoreError("main has no commit yet.", "Push main first: a promotion is a change to main.")
    commit = _commit(root, main, change, {**git.COMMITTER, **git.AUTHOR})
    push_commit(root, name, commit, before)
    return commit


def push_commit(root: Path, name: str, commit: str, before: str | None) -> None:
    """Set a branch on the remote to a commit, unless another process has pushed to it.

    Args:
        root: Root folder of the clone.
        name: Name of the branch.
        commit: Commit of this clone.
        before: Commit at the branch's tip on the remote; None if there is no such branch.

    Raises:
        PushConflict: Another process pushed first; nothing was overwritten.
        ForgeError: The remote refuses the push.
    """
    lease = f"--force-with-lease=refs/heads/{name}:{before or ''}"
    try:
        git.run(root, "push", "--quiet", lease, "origin", f"{commit}:refs/heads/{name}")
    except git.GitError as error:
        if any(message in error.stderr for message in CONFLICT_MESSAGES):
            raise PushConflict(
                f"Another process pushed {name} at the same time.", "Run the same command again."
            ) from error
        prefix = name.split("/")[0]
        raise ForgeError(
            f"The branch {name} cannot be pushed: {error.stderr}",
            f"In a workflow, give the job `contents: write`, and let no rule keep workflows from pushing `{prefix}/*`.",
        ) from error
    git.run(root, "update-ref", f"refs/remotes/origin/{name}", commit)


def commit_proposal(root: Path, change: Change) -> bool:
    """Cut the branch from main in this clone, and commit the change to it.

    The user's files and index are not changed. The branch moves in one step, so a kill leaves the old proposal or the
    new one.

    Args:
        root: Root folder of the clone.
        change: Change to propose.

    Returns:
        True if the branch moved; False if it held this proposal already.

    Raises:
        StoreError: main has no commit yet, or the branch is checked out.
    """
    name = change.branch
    main, before = git.resolve(root, git.main_ref(root)), git.resolve(root, f"refs/heads/{name}")
    if main is None:
        raise StoreError("main has no commit yet.", "Commit first: a promotion is a change to main.")
    if before and git.resolve(root, f"{before}^") == main and _has_change(root, before, change):
        return False
    if git.run(root, "branch", "--show-current") == name:
        raise StoreError(f"The branch {name} is checked out.", "Go back to main: `git switch main`.")
    commit = _commit(root, main, change, git.commit_environment(root))
    git.run(root, "update-ref", "-m", "gitops", f"refs/heads/{name}", commit, before or "0" * 40)
    return True


def _has_change(root: Path, revision: str, change: Change) -> bool:
    """Return whether a revision has the content that the change would write."""
    return all(
        blob_id(root, revision, path) == (None if content is None else _write_blob(root, content))
        for path, content in change.files.items()
    )


def blob_id(root: Path, revision: str, path: str) -> str | None:
    """Return Git's id of a file's content at a revision; None if the revision has no such file.

    Args:
        root: Root folder of the clone.
        revision: Git revision to read.
        path: Path of the file in the repository.
    """
    name = f"{revision}:{path}"
    return git.run(root, "rev-parse", name) if git.succeeds(root, "rev-parse", "--verify", "--quiet", name) else None


def _write_blob(root: Path, content: str | Path) -> str:
    """Write content to Git's object database and return its id."""
    if isinstance(content, Path):
        return git.run(root, "hash-object", "-w", "--no-filters", str(content.resolve()))
    return git.run(root, "hash-object", "-w", "--stdin", stdin=content)


def _commit(root: Path, parent: str, change: Change, identity: Mapping[str, str]) -> str:
    """Create a commit with the change on top of a parent, without a working tree, and return it."""
    with tempfile.TemporaryDirectory() as scratch:
        env = {"GIT_INDEX_FILE": os.path.join(scratch, "index"), **identity}
        git.run(root, "read-tree", parent, env=env)
        for path, content in change.files.items():
            if content is None:
                git.run(root, "update-index", "--force-remove", path, env=env)
            else:
                entry = f"100644,{_write_blob(root, content)},{path}"
                git.run(root, "update-index", "--add", "--cacheinfo", entry, env=env)
        tree = git.run(root, "write-tree", env=env)
        return git.run(root, "commit-tree", tree, "-p", parent, "-m", change.message, env=env)
