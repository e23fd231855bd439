"""`gitops expire`"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import git
from gitops_ml.commands import find_repository

if TYPE_CHECKING:
    from gitops_ml.commands.deploy_context import DeployContext
    from gitops_ml.config import Repository
    from gitops_ml.evidence_inputs import EvidenceInputs
    from gitops_ml.forge.github import GitHub
    from gitops_ml.registry.ledger import AnyFact
    from gitops_ml.registry.record import HistoryEntry


@click.command()
@click.pass_obj
def command(project: Path) -> None:
    """Fail a promotion pull request whose comparison is outdated.

    The evidence of a comparison expires when main changes the data, the split, the code, the lock file, the gates or
    the champion. The version is compared again, once for each state of main.
    """
    from gitops_ml.commands.deploy_context import open_deploy_context
    from gitops_ml.forge.github import connect

    repository = find_repository(project)
    github = connect(repository.root)
    for environment in repository.config.deploy.environments:
        context = open_deploy_context(repository, environment)
        done = context.retry(expire_proposal, repository, github, environment)
        context.announce(done or f"Nothing to do: no open proposal for {environment} has expired evidence.")


def expire_proposal(repository: "Repository", github: "GitHub", environment: str) -> str:
    """Set the commit status of the open promotion pull request by whether its evidence holds.

    Args:
        repository: The clone.
        github: The repository on GitHub.
        environment: The environment that the pull request promotes to.

    Returns:
        A sentence about what was done; empty if nothing was.
    """
    from gitops_ml.forge import expiry_status, pull_request
    from gitops_ml.registry.propose import load_branch_state, promotion_branch

    git.fetch_branches(repository.root)
    branch = promotion_branch(environment)
    open_now, state = pull_request.find_open(github, branch), load_branch_state(repository.root, environment)
    if open_now is None or state is None or state.record is None or state.record.evidence is None:
        return ""
    inputs = _current_inputs(repository, environment, state.record.evidence.scheme)
    changed, version = state.record.evidence.describe_changes(inputs), state.record.version
    if not changed:
        back = expiry_status.mark_valid(github, branch, state.tip)
        return f"The evidence of {open_now.page} holds again; CI was asked to check it." if back else ""
    asked = expiry_status.mark_expired(
        github, state.tip, inputs.key, changed, (version, state.record.digest, environment)
    )
    if not asked:
        return ""
    return f"The evidence of {open_now.page} has expired: {changed} changed. Version {version} is compared again."


def describe_expired_commit(repository: "Repository", head: str) -> str:
    """Return the text of the commit status if the evidence of a proposal has expired; empty if it holds.

    Args:
        repository: The clone.
        head: The commit of the proposal.
    """
    from gitops_ml.forge.expiry_status import describe_expiry
    from gitops_ml.registry.propose import load_branch_state

    git.fetch_branches(repository.root)
    for environment in repository.config.deploy.environments:
        state = load_branch_state(repository.root, environment)
        if state and state.tip == head and state.record and state.record.evidence:
            inputs = _current_inputs(repository, environment, state.record.evidence.scheme)
            changed = state.record.evidence.describe_changes(inputs)
            return describe_expiry(inputs.key, changed) if changed else ""
    return ""


def skip_expired_merge(context: "DeployContext", entries: "Sequence[HistoryEntry]", facts: "Sequence[AnyFact]") -> bool:
    """Add a fact to the ledger if the newest merge rests on evidence that had expired before the merge.

    A version that was verified here before is not checked. A new comparison is requested before the fact is written: a
    run that is cancelled between the two repeats both.

    Args:
        context: The environment.
        entries: Records of the environment on main, newest first.
        facts: Facts of the ledger.

    Returns:
        Whether the newest merge rests on expired evidence, so that its version must not be rolled out.
    """
    from gitops_ml.registry import evidence_expiry, ledger
    from gitops_ml.registry.reconcile import open_ledger

    newest = entries[0].record if entries else None
    if newest is None or ledger.is_verified(facts, newest) or ledger.is_held(facts, context.environment, newest.digest):
        return False
    if ledger.find_expiry(facts, entries[0]):
        return False
    branch = open_ledger(context.repository, context.store)
    branch.refresh()
    changed = evidence_expiry.changes_at_merge(context.repository.root, entries, ledger.load_facts(branch.root))
    if not changed:
        return False
    context.announce(_compare_again(context, newest.version, newest.digest))
    reason = f"Between the comparison of version {newest.version} and its merge, {changed} changed."
    fact = ledger.Expired(
        environment=context.environment, digest=newest.digest, at=datetime.now(UTC), by=context.actor,
        commit=entries[0].commit, why=reason,
    )  # fmt: skip
    ledger.append_facts(branch, fact)
    context.announce(f"Version {newest.version} is not deployed. {reason}")
    return True


def _current_inputs(repository: "Repository", environment: str, scheme: int) -> "EvidenceInputs":
    """Return the inputs of evidence as they are now. Only the ledger is read; the store is not opened."""
    from gitops_ml.registry.evidence_expiry import current_evidence_inputs
    from gitops_ml.registry.reconcile import load_current_facts

    return current_evidence_inputs(repository.root, environment, load_current_facts(repository), scheme)


def _compare_again(context: "DeployContext", version: str, digest: str) -> str:
    """Request a comparison on GitHub, or return the commands to run without it."""
    from gitops_ml.forge import workflow_dispatch

    if context.github is None:
        pinned = f"--environment {context.environment} --version {version} --digest {digest}"
        return f"Next: `gitops compare {pinned}`, then `gitops promote --local --environment {context.environment}`."
    context.retry(workflow_dispatch.dispatch_comparison, context.github, version, digest, context.environment)
    return f"A separate workflow run compares version {version} again."
