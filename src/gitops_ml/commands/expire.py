"""`gitops expire`"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import git
from gitops_ml.commands import find

if TYPE_CHECKING:
    from gitops_ml.bound import Bound
    from gitops_ml.commands.site import Site
    from gitops_ml.config import Repository
    from gitops_ml.forge.github import GitHub
    from gitops_ml.registry.ledger import AnyFact
    from gitops_ml.registry.record import Entry


@click.command()
@click.pass_obj
def command(project: Path) -> None:
    """Turn a proposal red whose evidence no longer holds.

    Its version is compared again, once for each state of main.
    """
    from gitops_ml.commands.site import open_site
    from gitops_ml.forge.github import connect

    repository = find(project)
    github = connect(repository.root)
    for environment in repository.config.deploy.environments:
        site = open_site(repository, environment)
        told = site.again(expire, repository, github, environment)
        site.say(told or f"Nothing to do: no proposal for {environment} rests on what main no longer is.")


def expire(repository: "Repository", github: "GitHub", environment: str) -> str:
    """Let the open promotion pull request say whether its evidence holds; what was done, in words."""
    from gitops_ml.forge import expiry, pull_request
    from gitops_ml.registry.propose import branch_name, standing

    git.refresh(repository.root)
    branch = branch_name(environment)
    open_now, there = pull_request.find(github, branch), standing(repository.root, environment)
    if open_now is None or there is None or there.record is None or there.record.evidence is None:
        return ""
    now = _today(repository, environment, there.record.evidence.scheme)
    changed, version = there.record.evidence.changed(now), there.record.version
    if not changed:
        back = expiry.turn_back(github, branch, there.tip)
        return f"The evidence of {open_now.page} holds again; CI was asked to check it." if back else ""
    asked = expiry.turn_red(github, there.tip, now.key, changed, (version, there.record.digest, environment))
    if not asked:
        return ""
    return f"The evidence of {open_now.page} has expired: {changed} changed. Version {version} is compared again."


def expired_at(repository: "Repository", head: str) -> str:
    """What changed since the comparison behind a proposal's commit, as its status says it; empty where it holds."""
    from gitops_ml.forge.expiry import sentence
    from gitops_ml.registry.propose import standing

    git.refresh(repository.root)
    for environment in repository.config.deploy.environments:
        there = standing(repository.root, environment)
        if there and there.tip == head and there.record and there.record.evidence:
            now = _today(repository, environment, there.record.evidence.scheme)
            changed = there.record.evidence.changed(now)
            return sentence(now.key, changed) if changed else ""
    return ""


def pass_over(site: "Site", entries: "Sequence[Entry]", facts: "Sequence[AnyFact]") -> bool:
    """Write into the ledger that the newest merge rests on evidence that had expired; whether it is so.

    Whoever was verified here before is beyond doubt. The version is compared again first: once the ledger has it,
    nobody would ask.
    """
    from gitops_ml.registry import expiry, ledger
    from gitops_ml.registry.reconcile import ledger_of

    now = entries[0].record if entries else None
    if now is None or ledger.is_verified(facts, now) or ledger.is_held(facts, site.environment, now.digest):
        return False
    if ledger.expired_of(facts, entries[0]):
        return False
    branch = ledger_of(site.repository, site.store)
    branch.refresh()
    changed = expiry.at_merge(site.repository.root, entries, ledger.read(branch.root))
    if not changed:
        return False
    site.say(_compare_again(site, now.version, now.digest))
    why = f"Between the comparison of version {now.version} and its merge, {changed} changed."
    fact = ledger.Expired(
        environment=site.environment, digest=now.digest, at=datetime.now(UTC), by=site.who, commit=entries[0].commit,
        why=why,
    )  # fmt: skip
    ledger.append(branch, fact)
    site.say(f"Version {now.version} is not rolled out. {why}")
    return True


def _today(repository: "Repository", environment: str, scheme: int) -> "Bound":
    """What evidence would be bound to that is gathered now; no store is opened for it, only the ledger is read."""
    from gitops_ml.registry.expiry import today
    from gitops_ml.registry.reconcile import facts_of

    return today(repository.root, environment, facts_of(repository), scheme)


def _compare_again(site: "Site", version: str, digest: str) -> str:
    """Have it compared where there are workflows; elsewhere, say how."""
    from gitops_ml.forge import checks

    if site.github is None:
        pinned = f"--environment {site.environment} --version {version} --digest {digest}"
        return f"Next: `gitops compare {pinned}`, then `gitops promote --local --environment {site.environment}`."
    site.again(checks.compare, site.github, version, digest, site.environment)
    return f"Version {version} will be compared again, in a run of its own."
