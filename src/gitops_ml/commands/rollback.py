"""`gitops rollback`"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console, git
from gitops_ml.commands import find_repository, resolve_environment
from gitops_ml.errors import ConfigError

if TYPE_CHECKING:
    from gitops_ml.commands.deploy_context import DeployContext
    from gitops_ml.commands.rollout import EnvironmentState
    from gitops_ml.registry.record import Record


@click.command()
@click.option(
    "--to", "number", envvar="GITOPS_VERSION",
    help="The version to restore.  [default: the previous verified version]",
)  # fmt: skip
@click.option(
    "--why", "reason", required=True, envvar="GITOPS_WHY",
    help="The reason; it is recorded in the pull request and, with --now, in the ledger.",
)  # fmt: skip
@click.option(
    "--now", is_flag=True, envvar="GITOPS_NOW",
    help="Block the current version (hold) and deploy the earlier one immediately, before the pull request is merged.",
)  # fmt: skip
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT",
    help="The environment to roll back.  [default: the last one in model.toml]",
)  # fmt: skip
@click.pass_obj
def command(project: Path, number: str | None, reason: str, now: bool, environment: str | None) -> None:
    """Roll back to an earlier verified version.

    The rollback is a pull request that restores that version in registry/<environment>.json. With --now the version
    serves immediately, before the pull request is merged.
    """
    from gitops_ml.commands.deploy_context import open_deploy_context
    from gitops_ml.commands.rollout import load_state

    reason = " ".join(reason.split())
    if not reason:
        raise click.UsageError("--why is empty. Give the reason in a sentence.")
    repository = find_repository(project)
    context = open_deploy_context(repository, resolve_environment(repository, environment))
    if not number and context.newer_main():
        raise ConfigError(
            "Main has changed since this workflow was started: it names another version now.",
            "Run `gitops history`, then run the rollback again with the version to restore: --to.",
        )
    if now:
        context.require_persistent_machine()
    state = load_state(context)
    go_further_back = now and _is_finished(context, state)
    record_to_restore = _choose_record(state, context.environment, number or None, go_further_back=go_further_back)
    if now:
        _require_deployable(context, record_to_restore)
        _roll_back_now(context, state, record_to_restore, reason)
    else:
        _propose(context, state, record_to_restore, reason)


def _is_finished(context: "DeployContext", state: "EnvironmentState") -> bool:
    """Return whether the rollback in force is finished, so that another one goes further back.

    It is finished when its version serves and its pull request is open, or was closed by a user. When a workflow run is
    repeated, it completes its own rollback.
    """
    from gitops_ml.forge import pull_request
    from gitops_ml.registry import ledger
    from gitops_ml.registry.propose import load_branch_state, rollback_branch

    override, desired = ledger.find_override(state.entries, state.facts), state.desired
    main_record = state.entries[0].record if state.entries else None
    if (
        not override
        or not desired
        or override.digest != desired.digest
        or (git.in_actions() and override.by == context.actor)
    ):
        return False
    running = context.choose_target(desired).running() if context.keeps_serving else None
    if context.keeps_serving and (running is None or running.digest != desired.digest):
        return False
    if context.github is None or main_record is None:
        return True
    branch, short = rollback_branch(context.environment), main_record.digest.removeprefix("sha256:")[:12]
    branch_state = load_branch_state(context.repository.root, context.environment, branch)
    if pull_request.find_open(context.github, branch):
        return branch_state is not None and branch_state.record == desired
    return pull_request.find_closed_by_person(context.github, branch, short) is not None


def _choose_record(
    state: "EnvironmentState", environment: str, number: str | None, *, go_further_back: bool
) -> "Record":
    """Return the record to restore: of a version that was verified in this environment and is not held.

    Args:
        state: State of the environment.
        environment: Name of the environment.
        number: Version that the user named; None selects the newest eligible version.
        go_further_back: True if the rollback in force is finished, so that this one selects an earlier version.
    """
    from gitops_ml.registry import ledger
    from gitops_ml.registry.record import records_since_removal

    records = records_since_removal(state.entries)
    if not records:
        raise ConfigError(
            f"There is nothing to roll back: no version was promoted to {environment} yet.",
            "Promote a version first with `gitops promote`.",
        )
    facts = state.facts
    override, desired = ledger.find_override(state.entries, facts), state.desired
    has_override = override is not None and desired is not None and desired.digest == override.digest
    if desired is not None and has_override and number is None and not go_further_back:
        return desired  # continue the rollback in force
    # The version on main is what the rollback replaces, so it is never restored. The version that an override or a hold
    # lets serve instead of it is restored only if the user names it; by default another version is.
    main_record = records[0]
    current = {each.digest for each in (main_record, desired) if each}
    others = [record for record in records if record.digest not in current or record.version == number]
    others = [record for record in others if record.digest != main_record.digest]
    eligible = [r for r in others if ledger.is_verified(facts, r) and not ledger.is_held(facts, environment, r.digest)]
    matching = [record for record in eligible if number in (None, record.version)]
    if matching:
        return matching[0]
    destination = f" to version {number}" if number else ""
    if not eligible:
        raise ConfigError(
            f"{environment} cannot be rolled back{destination}: no version can be restored. A rollback needs another "
            "version that was promoted to this environment, was verified, and is not held.",
            "Promote another version with `gitops promote`, or remove a hold with `gitops lift`. `gitops history` "
            "shows all versions.",
        )
    choices = ", ".join(dict.fromkeys(record.version for record in eligible))
    raise ConfigError(
        f"{environment} cannot be rolled back{destination}: a rollback restores only a version that was promoted to "
        "this environment, was verified, and is not held.",
        f"Choose one of these versions: {choices}. `gitops history` shows all versions.",
    )


def _require_deployable(context: "DeployContext", record_to_restore: "Record") -> None:
    """Check before any version is held that the version can be deployed with today's configuration.

    Raises:
        IntegrityError: The image has no valid signature, or the files do not match the record.
        ConfigError: The record names no image, and the target needs one.
    """
    context.choose_target(record_to_restore)
    context.prepare_rollout(record_to_restore)


def _roll_back_now(
    context: "DeployContext", state: "EnvironmentState", record_to_restore: "Record", reason: str
) -> None:
    """Write the ledger, deploy, and open the pull request."""
    from gitops_ml.commands.rollout import converge_or_fail
    from gitops_ml.registry import ledger
    from gitops_ml.registry.reconcile import open_ledger

    main_record, now = state.entries[0].record, datetime.now(UTC)
    assert main_record is not None  # noqa: S101 (only a record on main can be rolled back)
    # The version on main and the version that serves instead of it: neither may be deployed again.
    bad = {r.digest: r for r in (main_record, state.desired) if r and r.digest != record_to_restore.digest}
    bad = {digest: r for digest, r in bad.items() if not ledger.is_held(state.facts, context.environment, digest)}
    facts: list[ledger.AnyFact] = [
        ledger.Held(environment=context.environment, digest=digest, at=now, by=context.actor, why=reason)
        for digest in bad
    ]
    override = ledger.find_override(state.entries, state.facts)
    if override is None or override.digest != record_to_restore.digest:
        until = now + timedelta(days=context.repository.config.deploy.override_days)
        facts.append(
            ledger.Override(
                environment=context.environment,
                digest=record_to_restore.digest,
                at=now,
                by=context.actor,
                until=until,
                why=reason,
            )
        )
    if facts:
        ledger.append_facts(open_ledger(context.repository, context.store), *facts)
    held = [r.version for r in bad.values()] or [main_record.version]
    subject, pronoun = (
        (f"Version {held[0]} is", "it") if len(held) == 1 else (f"Versions {' and '.join(held)} are", "them")
    )
    context.announce(f"{subject} held, and version {record_to_restore.version} replaces {pronoun}: {reason}")
    converge_or_fail(context)


def _propose(context: "DeployContext", state: "EnvironmentState", record_to_restore: "Record", reason: str) -> None:
    """Propose the rollback as a pull request or, without GitHub, as a branch of this clone."""
    from gitops_ml.commands.promote import rollback_files
    from gitops_ml.commands.rollback_pull_request import describe_rollback, open_rollback
    from gitops_ml.registry import ledger
    from gitops_ml.registry.propose import commit_proposal, rollback_change

    main_record = state.entries[0].record
    assert main_record is not None  # noqa: S101 (only a record on main can be rolled back)
    if context.github:
        # A hold, an override or expired evidence can let another version serve than the one that main names.
        serving = None if state.desired == record_to_restore else state.desired
        overridden = ledger.find_override(state.entries, state.facts) is not None
        rollback = describe_rollback(
            context.environment, main_record, record_to_restore, reason, serving=serving, overridden=overridden
        )
        context.announce(context.retry(open_rollback, context, rollback, record_to_restore, insist=True))
        return
    files = rollback_files(context.repository, context.environment, record_to_restore)
    change = rollback_change(context.environment, main_record, record_to_restore, reason, files)
    status = "Proposed" if commit_proposal(context.repository.root, change) else "Already proposed"
    restored = f"version {record_to_restore.version}, release {record_to_restore.release}"
    console.echo(f"{status}: branch {change.branch} restores {restored}.")
    console.echo(f"Look at it:  git show {change.branch}\nMerge it:    git merge --no-ff {change.branch}")
