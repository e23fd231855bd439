"""Checks of a deployment: the record may serve, and something serves."""

from pathlib import Path
from typing import TYPE_CHECKING

from gitops_ml import git, library
from gitops_ml.errors import NothingServes
from gitops_ml.registry import ledger
from gitops_ml.registry.earned import explain_unearned, refuse
from gitops_ml.registry.pinned import require_pinned

if TYPE_CHECKING:
    from gitops_ml.commands.deploy_context import DeployContext
    from gitops_ml.commands.rollout import EnvironmentState


def require_true_record(context: "DeployContext", state: "EnvironmentState") -> None:
    """Refuse to deploy a record that contradicts its files, or a new one that no comparison earned.

    Args:
        context: The environment.
        state: State of the environment by main and the ledger.

    Raises:
        IntegrityError: The record contradicts the files that its digest pins.
        RecordRefused: No comparison of this repository earned the record on main, and its version never served here.
    """
    desired, repository, store = state.desired, context.repository, context.store
    if desired is None:
        return
    require_pinned(repository, store, desired)
    if desired != state.entries[0].record or ledger.is_verified(state.facts, desired):
        return
    if desired.comparison is None and _is_merged_by_0_1(repository.root, state.entries[0].commit):
        return
    reason = explain_unearned(repository, store, desired, state.entries[1:], state.facts, f"{state.entries[0].commit}^")
    if reason:
        raise refuse(desired, reason)
    if desired.overruled:
        context.announce(f"{desired.overruled.by} overruled the gates: {desired.overruled.why}")


def _is_merged_by_0_1(root: Path, commit: str) -> bool:
    """Return whether a commit of main has a copy of the library, as 0.1 did; it wrote no comparison into records."""
    return git.read_file(root, commit, f"{library.COPIED}/__init__.py") is not None


def require_served(context: "DeployContext", state: "EnvironmentState") -> None:
    """Raise an alarm if main names a version but no version may serve.

    Args:
        context: The environment.
        state: State of the environment by main and the ledger.

    Raises:
        NothingServes: A hold or expired evidence forbids the version, and there is no other one.
    """
    named = state.entries[0].record if state.entries else None
    if named is None or state.desired is not None:
        return
    hold = ledger.find_hold(state.facts, context.environment, named.digest)
    fact = hold or ledger.find_expiry(state.facts, state.entries[0])
    reason = (
        f"a {fact.kind!r} entry of the ledger by {fact.by}, of {fact.at:%Y-%m-%d %H:%M} UTC: {fact.why}" if fact else ""
    )
    raise NothingServes(
        f"Main names version {named.version} for {context.environment}, but no version may serve there. The reason is "
        f"{reason}",
        "If it is right, merge the rollback pull request, then promote another version. If it is not, lift the hold "
        "with `gitops lift`, and find out who wrote the entry: `git log` of the store's branch.",
    )
