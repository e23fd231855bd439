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
@click.option("--to", "number", envvar="GITOPS_VERSION", help="The version to go back to.  [default: the one before]")
@click.option("--why", "reason", required=True, envvar="GITOPS_WHY", help="The reason; it is kept in the ledger.")
@click.option(
    "--now", is_flag=True, envvar="GITOPS_NOW", help="Hold the served version and deploy at once, before the merge."
)
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT",
    help="The environment to roll back.  [default: the last one in model.toml]",
)  # fmt: skip
@click.pass_obj
def command(project: Path, number: str | None, reason: str, now: bool, environment: str | None) -> None:
    """Roll back to an earlier verified version.

    The rollback is a pull request that restores the record of that version. With --now the version serves at once,
    before the pull request is merged.
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
    goal = _choose_goal(state, context.environment, number or None, further=now and _is_finished(context, state))
    if now:
        _require_deployable(context, goal)
        _roll_back_now(context, state, goal, reason)
    else:
        _propose(context, state, goal, reason)


def _is_finished(context: "DeployContext", state: "EnvironmentState") -> bool:
    """Return whether the rollback in force is finished, so that another one goes further back.

    It is finished when its version serves and its pull request is open, or was closed by a user. When a workflow run is
    repeated, it completes its own rollback.
    """
    from gitops_ml.forge import pull_request
    from gitops_ml.registry import ledger
    from gitops_ml.registry.propose import load_branch_state, rollback_branch

    override, wanted = ledger.find_override(state.entries, state.facts), state.wanted
    named = state.entries[0].record if state.entries else None
    if (
        not override
        or not wanted
        or override.digest != wanted.digest
        or (git.in_actions() and override.by == context.actor)
    ):
        return False
    running = context.choose_target(wanted).running() if context.keeps_serving else None
    if context.keeps_serving and (running is None or running.digest != wanted.digest):
        return False
    if context.github is None or named is None:
        return True
    branch, short = rollback_branch(context.environment), named.digest.removeprefix("sha256:")[:12]
    branch_state = load_branch_state(context.repository.root, context.environment, branch)
    if pull_request.find_open(context.github, branch):
        return branch_state is not None and branch_state.record == wanted
    return pull_request.find_closed_by_person(context.github, branch, short) is not None


def _choose_goal(state: "EnvironmentState", environment: str, number: str | None, *, further: bool) -> "Record":
    """Return the record to restore: of a version that was verified in this environment and is not held.

    Args:
        state: State of the environment.
        environment: Name of the environment.
        number: Version that the user named; None selects the one before the served version.
        further: True if the rollback in force is finished, so that this one goes further back.
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
    override = ledger.find_override(state.entries, facts)
    if number is None and not further and override and state.wanted and state.wanted.digest == override.digest:
        return state.wanted  # continue the rollback in force
    serving = {each.digest for each in (records[0], state.wanted) if each}
    others = [record for record in records if record.digest not in serving or record.version == number]
    others = [record for record in others if record.digest != records[0].digest]
    eligible = [r for r in others if ledger.is_verified(facts, r) and not ledger.is_held(facts, environment, r.digest)]
    matching = [record for record in eligible if number in (None, record.version)]
    if matching:
        return matching[0]
    known = ", ".join(dict.fromkeys(record.version for record in eligible)) or "none"
    goal = f"version {number}" if number else "an earlier version"
    raise ConfigError(
        f"{environment} cannot be rolled back to {goal}: a rollback restores only a version that was promoted to this "
        "environment, was verified, and is not held.",
        f"Choose one of these versions: {known}. `gitops history` shows all versions.",
    )


def _require_deployable(context: "DeployContext", goal: "Record") -> None:
    """Check before any version is held that the version can be deployed with today's configuration.

    Raises:
        IntegrityError: The image has no valid signature, or the files do not match the record.
        ConfigError: The record names no image, and the target needs one.
    """
    context.choose_target(goal)
    context.prepare_rollout(goal)


def _roll_back_now(context: "DeployContext", state: "EnvironmentState", goal: "Record", reason: str) -> None:
    """Write the ledger, deploy, and open the pull request."""
    from gitops_ml.commands.rollout import converge_or_fail
    from gitops_ml.registry import ledger
    from gitops_ml.registry.reconcile import open_ledger

    named, now = state.entries[0].record, datetime.now(UTC)
    assert named is not None  # noqa: S101 (only a record on main can be rolled back)
    # The version that main names and the version that serves instead: neither may be deployed again.
    bad = {each.digest: each for each in (named, state.wanted) if each and each.digest != goal.digest}
    bad = {digest: each for digest, each in bad.items() if not ledger.is_held(state.facts, context.environment, digest)}
    facts: list[ledger.AnyFact] = [
        ledger.Held(environment=context.environment, digest=digest, at=now, by=context.actor, why=reason)
        for digest in bad
    ]
    override = ledger.find_override(state.entries, state.facts)
    if override is None or override.digest != goal.digest:
        until = now + timedelta(days=context.repository.config.deploy.override_days)
        facts.append(
            ledger.Override(
                environment=context.environment, digest=goal.digest, at=now, by=context.actor, until=until, why=reason
            )
        )
    if facts:
        ledger.append_facts(open_ledger(context.repository, context.store), *facts)
    served = ", ".join(each.version for each in bad.values()) or named.version
    context.announce(f"Version {served} is held, and version {goal.version} replaces it: {reason}")
    converge_or_fail(context)


def _propose(context: "DeployContext", state: "EnvironmentState", goal: "Record", reason: str) -> None:
    """Propose the rollback as a pull request or, without GitHub, as a branch of this clone."""
    from gitops_ml.commands.promote import rollback_files
    from gitops_ml.commands.rollback_pull_request import describe_rollback, open_rollback
    from gitops_ml.registry.propose import commit_proposal, rollback_change

    served = state.entries[0].record
    assert served is not None  # noqa: S101 (only a record on main can be rolled back)
    if context.github:
        rollback = describe_rollback(context.environment, served, goal, reason)
        context.announce(context.retry(open_rollback, context, rollback, goal, insist=True))
        return
    files = rollback_files(context.repository, context.environment, goal)
    change = rollback_change(context.environment, served, goal, reason, files)
    done = "Proposed" if commit_proposal(context.repository.root, change) else "Nothing to do: proposed already"
    console.echo(f"{done}: branch {change.branch} restores version {goal.version}, release {goal.release}.")
    console.echo(f"Look at it:  git show {change.branch}\nMerge it:    git merge --no-ff {change.branch}")
