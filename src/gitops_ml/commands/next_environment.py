"""Comparison of a verified version with the champion of the next environment, after its soak time."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gitops_ml import git
from gitops_ml.commands.withdraw import withdraw_held
from gitops_ml.forge import pull_request, train_runs, workflow_dispatch
from gitops_ml.forge.github import GitHub
from gitops_ml.registry import ledger, lines, record
from gitops_ml.registry.admission import find_held_environment, soak_end
from gitops_ml.registry.propose import load_proposed_record, promotion_branch
from gitops_ml.registry.reconcile import open_ledger

if TYPE_CHECKING:
    from gitops_ml.commands.deploy_context import DeployContext
    from gitops_ml.registry.record import HistoryEntry, Record

# Paths that do not affect a comparison. Under registry/, only the record of the own environment does.
IRRELEVANT_PATHS = (":(exclude)registry", ":(exclude)docs", ":(exclude,glob)**/*.md")


def compare_in_next_environment(
    context: "DeployContext", entries: "Sequence[HistoryEntry]", facts: Sequence[ledger.AnyFact]
) -> None:
    """Request the comparison of the serving version with the next environment's champion, once its soak time is over.

    Before that, open proposals of versions that are now held are withdrawn.

    Args:
        context: The environment that serves the version.
        entries: Records of the environment on main, newest first.
        facts: Facts of the ledger.
    """
    if context.github:
        for sentence in context.retry(withdraw_held, context.github, context.repository, context.store):
            context.announce(sentence)
    environments = context.repository.config.deploy.environments
    position = environments.index(context.environment) + 1
    serving = ledger.desired_record(entries, facts)
    if position == len(environments) or serving is None or _is_of_ended_line(context, serving):
        return
    following = environments[position]
    ready = soak_end(context.repository, context.store, context.environment, serving.digest)
    if ready is None:
        return
    if ready > datetime.now(UTC):
        context.announce(f"Version {serving.version} may be promoted to {following} after {ready:%Y-%m-%d %H:%M} UTC.")
    elif not _is_excluded(context, facts, following, serving.digest):
        _request_unless_refused(context, facts, following, serving)


def _is_of_ended_line(context: "DeployContext", serving: "Record") -> bool:
    """Return whether the version belongs to a line that was ended: it serves, but it is promoted no further."""
    root = context.repository.root
    return serving.digest in lines.load_ended_digests(root, git.main_ref(root))


def _is_excluded(context: "DeployContext", facts: Sequence[ledger.AnyFact], environment: str, digest: str) -> bool:
    """Return whether the version is or was promoted to the environment, is proposed for it, or is held anywhere."""
    root = context.repository.root
    entries = record.load_history(root, environment, git.main_ref(root))
    proposed = load_proposed_record(root, environment)
    digests = [entry.record.digest for entry in entries if entry.record] + ([proposed.digest] if proposed else [])
    return digest in digests or find_held_environment(context.repository, facts, digest) is not None


def _request_unless_refused(
    context: "DeployContext", facts: Sequence[ledger.AnyFact], environment: str, serving: "Record"
) -> None:
    """Request the comparison, unless a person or the gates have refused the version already."""
    version, github = serving.version, context.github
    if github is None:
        pinned = f"--environment {environment} --version {version} --digest {serving.digest}"
        context.announce(f"Next: `gitops compare {pinned}`, then `gitops promote --local --environment {environment}`.")
        return
    short = serving.digest.removeprefix("sha256:")[:12]
    closed = pull_request.find_closed_by_person(github, promotion_branch(environment), short)
    if closed:
        context.announce(f"Version {version} is not proposed for {environment}: a person closed {closed}.")
    elif _was_requested(context, github, facts, environment, serving.digest):
        context.announce(
            f"Version {version} was compared with the champion of {environment} already; nothing has changed since."
        )
    else:
        _request_comparison(context, github, environment, serving)


def _was_requested(
    context: "DeployContext", github: GitHub, facts: Sequence[ledger.AnyFact], environment: str, digest: str
) -> bool:
    """Return whether this comparison was requested for the present main, and its run has not failed."""
    last = ledger.find_comparison_request(facts, environment, digest)
    if last is None or train_runs.has_failed_since(github, last.at):
        return False
    root, main = context.repository.root, git.main_ref(context.repository.root)
    scopes = (("--", ".", *IRRELEVANT_PATHS), ("--", record.record_path(environment)))
    return all(git.succeeds(root, "diff", "--quiet", last.commit, main, *paths) for paths in scopes)


def _request_comparison(context: "DeployContext", github: GitHub, environment: str, serving: "Record") -> None:
    """Start Train, then note the request in the ledger. A run cancelled between the two requests it twice: harmless."""
    root, now = context.repository.root, datetime.now(UTC)
    workflow_dispatch.dispatch_comparison(github, serving.version, serving.digest, environment)
    asked = ledger.Asked(
        environment=environment, digest=serving.digest, at=now, by=context.actor,
        commit=git.resolve(root, git.main_ref(root)) or "",
    )  # fmt: skip
    ledger.append_facts(open_ledger(context.repository, context.store), asked)
    context.announce(f"A separate workflow run compares version {serving.version} with the champion of {environment}.")
