"""`gitops lift`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find, where
from gitops_ml.errors import ConfigError

if TYPE_CHECKING:
    from gitops_ml.commands.site import Site
    from gitops_ml.registry.ledger import Held
    from gitops_ml.registry.propose import Change


@click.command()
@click.argument("version")
@click.option("--why", required=True, help="Why it may run again.")
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT", help="Where it is held.  [default: the last one in model.toml]"
)
@click.pass_obj
def command(project: Path, version: str, why: str, environment: str | None) -> None:
    """Propose that a held version may run again.

    A hold ends by a merged pull request, and by nothing else.
    """
    from gitops_ml.commands.site import open_site
    from gitops_ml.forge.report import escape
    from gitops_ml.registry.propose import propose

    why = " ".join(why.split())
    repository = find(project)
    site = open_site(repository, where(repository, environment))
    site.refresh()
    change = _change(site, version, _hold(site, version), why)
    title = f"Let version {version} run in {site.environment} again"
    if site.github:
        site.say(site.again(_offer, site, change, title, f"**Why**: {escape(why)}"))
        return
    propose(site.repository.root, change)
    console.say(f"Proposed: branch {change.branch}. Merge it:  git merge --no-ff {change.branch}")


def _hold(site: "Site", version: str) -> "Held":
    from gitops_ml.registry import ledger, versions
    from gitops_ml.registry.reconcile import facts_of

    model, facts = site.repository.config.project.name, facts_of(site.repository, site.store)
    digest = next((each.digest for each in versions.known(site.store, model) if each.number == version), "")
    hold = ledger.hold_of(facts, site.environment, digest)
    if hold is None:
        raise ConfigError(
            f"Version {version} is not held in {site.environment}.",
            "The ledger says what is: `git show origin/mlflow:ledger.jsonl`.",
        )
    return hold


def _change(site: "Site", version: str, hold: "Held", why: str) -> "Change":
    from gitops_ml.registry import ledger
    from gitops_ml.registry.propose import Change

    more = ledger.Lifted(environment=hold.environment, digest=hold.digest, at=hold.at, why=why)
    message = f"Let version {version} run in {hold.environment} again\n\n{why}\n"
    return Change(f"lift/{hold.environment}-{version}", message, {ledger.lifted_path(more): more.to_json()})


def _offer(site: "Site", change: "Change", title: str, body: str) -> str:
    """Open the pull request, unless it is open."""
    from gitops_ml import git
    from gitops_ml.forge import checks, pull_request
    from gitops_ml.registry.propose import publish

    github, root = site.github, site.repository.root
    assert github is not None  # noqa: S101 (the caller asks)
    site.refresh()
    there = pull_request.find(github, change.branch)
    if there:
        return f"{there.page} is open already."
    tip = git.resolve(root, f"refs/remotes/origin/{change.branch}")
    head = publish(root, change, tip)
    made = pull_request.create(github, change.branch, title, body)
    checks.request(github, change.branch, head)
    return f"Opened {made.page}: {title}."
