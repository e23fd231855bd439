"""`gitops rollback`"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console, git
from gitops_ml.commands import find, where
from gitops_ml.errors import ConfigError

if TYPE_CHECKING:
    from gitops_ml.commands.rollout import State
    from gitops_ml.commands.site import Site
    from gitops_ml.registry.record import Record


@click.command()
@click.option("--to", "number", envvar="GITOPS_VERSION", help="The version to go back to.  [default: the one before]")
@click.option("--why", required=True, envvar="GITOPS_WHY", help="The reason, for whoever reads it in a year.")
@click.option("--now", is_flag=True, envvar="GITOPS_NOW", help="Hold what serves and deploy at once; merge later.")
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT", help="Where to roll back.  [default: the last one in model.toml]"
)
@click.pass_obj
def command(project: Path, number: str | None, why: str, now: bool, environment: str | None) -> None:
    """Go back to an earlier version that was verified.

    The rollback is a pull request that restores its record; with --now it serves before that is merged.
    """
    from gitops_ml.commands.rollout import look
    from gitops_ml.commands.site import open_site

    why = " ".join(why.split())
    if not why:
        raise click.UsageError("--why is empty; say it in a sentence.")
    repository = find(project)
    site = open_site(repository, where(repository, environment))
    if not number and site.newer():
        raise ConfigError(
            "Main names another version by now than when this was asked for.", "Look again, and name a version: --to."
        )
    if now:
        site.insist_on_a_lasting_machine()
    state = look(site)
    goal = _goal(state, site.environment, number or None, further=now and _is_done(site, state))
    if now:
        _insist_it_can_run(site, goal)
        _at_once(site, state, goal, why)
    else:
        _propose(site, state, goal, why)


def _is_done(site: "Site", state: "State") -> bool:
    """Whether the rollback that was begun is through: its version serves, and its pull request awaits a person, or had
    one's no. A run that is run again only finishes what it began."""
    from gitops_ml.forge import pull_request
    from gitops_ml.registry import ledger
    from gitops_ml.registry.propose import reversal_name, standing

    override, wanted = ledger.override_of(state.entries, state.facts), state.wanted
    named = state.entries[0].record if state.entries else None
    if not override or not wanted or override.digest != wanted.digest or (git.in_actions() and override.by == site.who):
        return False
    running = site.target(wanted).running() if site.stays_up else None
    if site.stays_up and (running is None or running.digest != wanted.digest):
        return False
    if site.github is None or named is None:
        return True
    branch, short = reversal_name(site.environment), named.digest.removeprefix("sha256:")[:12]
    there = standing(site.repository.root, site.environment, branch)
    if pull_request.find(site.github, branch):
        return there is not None and there.record == wanted
    return pull_request.closed_by_a_person(site.github, branch, short) is not None


def _goal(state: "State", environment: str, number: str | None, *, further: bool) -> "Record":
    """The record to restore: verified here, and not held.

    Args:
        state: What main and the ledger say.
        environment: Where.
        number: The version that a person named; None takes the one before what serves.
        further: The rollback that is in force is through; another one goes further back.
    """
    from gitops_ml.registry import ledger
    from gitops_ml.registry.record import since_removal

    records = since_removal(state.entries)
    if not records:
        raise ConfigError(f"Nothing was promoted to {environment} yet.", "There is nothing to roll back.")
    facts = state.facts
    override = ledger.override_of(state.entries, facts)
    if number is None and not further and override and state.wanted and state.wanted.digest == override.digest:
        return state.wanted  # a rollback that was begun goes on
    serving = {each.digest for each in (records[0], state.wanted) if each}
    others = [record for record in records if record.digest not in serving or record.version == number]
    others = [record for record in others if record.digest != records[0].digest]
    safe = [r for r in others if ledger.is_verified(facts, r) and not ledger.is_held(facts, environment, r.digest)]
    fit = [record for record in safe if number in (None, record.version)]
    if fit:
        return fit[0]
    known = ", ".join(dict.fromkeys(record.version for record in safe)) or "none"
    asked = f"version {number}" if number else "an earlier version"
    raise ConfigError(
        f"{environment} cannot go back to {asked}: only what served here, was verified, and is not held can.",
        f"Versions that can: {known}. `gitops history` shows all.",
    )


def _insist_it_can_run(site: "Site", goal: "Record") -> None:
    """Before anything is held: signers may be asked for since, or the place may need an image since.

    Raises:
        IntegrityError: Nobody signed it, or its files are not those of the record.
        ConfigError: Its record names no image, and the place needs one.
    """
    site.target(goal)
    site.rollout(goal)


def _at_once(site: "Site", state: "State", goal: "Record", why: str) -> None:
    """The ledger first, then the deployment, then the pull request as its trace."""
    from gitops_ml.commands.rollout import settle
    from gitops_ml.registry import ledger
    from gitops_ml.registry.reconcile import ledger_of

    named, moment = state.entries[0].record, datetime.now(UTC)
    assert named is not None  # noqa: S101 (there is something to go back from)
    # What main names, and what serves in its stead: neither may come back by itself.
    bad = {each.digest: each for each in (named, state.wanted) if each and each.digest != goal.digest}
    bad = {digest: each for digest, each in bad.items() if not ledger.is_held(state.facts, site.environment, digest)}
    facts: list[ledger.AnyFact] = [
        ledger.Held(environment=site.environment, digest=digest, at=moment, by=site.who, why=why) for digest in bad
    ]
    override = ledger.override_of(state.entries, state.facts)
    if override is None or override.digest != goal.digest:
        until = moment + timedelta(days=site.repository.config.deploy.override_days)
        facts.append(
            ledger.Override(
                environment=site.environment, digest=goal.digest, at=moment, by=site.who, until=until, why=why
            )
        )
    if facts:
        ledger.append(ledger_of(site.repository, site.store), *facts)
    served = ", ".join(each.version for each in bad.values()) or named.version
    site.say(f"Version {served} is held, version {goal.version} takes its place: {why}")
    settle(site)


def _propose(site: "Site", state: "State", goal: "Record", why: str) -> None:
    """A pull request, or without GitHub a branch of this clone."""
    from gitops_ml.commands.promote import restored
    from gitops_ml.commands.reversal import offer, words
    from gitops_ml.registry.propose import propose, reversal

    served = state.entries[0].record
    assert served is not None  # noqa: S101 (there is something to go back from)
    if site.github:
        site.say(site.again(offer, site, words(site.environment, served, goal, why), goal, insist=True))
        return
    change = reversal(site.environment, served, goal, why, restored(site.repository, site.environment, goal))
    done = "Proposed" if propose(site.repository.root, change) else "Nothing to do: proposed already"
    console.say(f"{done}: branch {change.branch} restores version {goal.version}, release {goal.release}.")
    console.say(f"Look at it:  git show {change.branch}\nMerge it:    git merge --no-ff {change.branch}")
