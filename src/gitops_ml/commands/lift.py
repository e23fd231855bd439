"""`gitops lift`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find_repository, resolve_environment
from gitops_ml.errors import ConfigError

if TYPE_CHECKING:
    from gitops_ml.commands.deploy_context import DeployContext
    from gitops_ml.registry.ledger import Held
    from gitops_ml.registry.propose import Change


@click.command()
@click.argument("version")
@click.option("--why", required=True, help="Reason why the version may serve again.")
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT", help="The environment.  [default: the last one in model.toml]"
)
@click.pass_obj
def command(project: Path, version: str, why: str, environment: str | None) -> None:
    """Propose to lift the hold on a version.

    The hold ends when the pull request is merged. Nothing else ends a hold.
    """
    from gitops_ml.commands.deploy_context import open_deploy_context
    from gitops_ml.forge.markdown import escape
    from gitops_ml.registry.propose import commit_proposal

    reason = " ".join(why.split())
    repository = find_repository(project)
    context = open_deploy_context(repository, resolve_environment(repository, environment))
    context.refresh()
    change = _change(context, version, _find_hold(context, version), reason)
    title = f"Let version {version} run in {context.environment} again"
    if context.github:
        context.announce(context.retry(_open_pull_request, context, change, title, f"**Why**: {escape(reason)}"))
        return
    commit_proposal(context.repository.root, change)
    console.echo(f"Proposed: branch {change.branch}. Merge it:  git merge --no-ff {change.branch}")


def _find_hold(context: "DeployContext", version: str) -> "Held":
    """Return the hold on a version."""
    from gitops_ml.registry import ledger, versions
    from gitops_ml.registry.reconcile import load_current_facts

    model, facts = context.repository.config.project.name, load_current_facts(context.repository, context.store)
    digest = next((each.digest for each in versions.list_versions(context.store, model) if each.number == version), "")
    hold = ledger.find_hold(facts, context.environment, digest)
    if hold is None:
        raise ConfigError(
            f"Version {version} is not held in {context.environment}.",
            "List the holds in the ledger: `git show origin/mlflow:ledger.jsonl`.",
        )
    return hold


def _change(context: "DeployContext", version: str, hold: "Held", reason: str) -> "Change":
    """Return the change of main that lifts the hold."""
    from gitops_ml.registry import ledger
    from gitops_ml.registry.propose import Change

    lifted = ledger.LiftedHold(environment=hold.environment, digest=hold.digest, at=hold.at, why=reason)
    message = f"Let version {version} run in {hold.environment} again\n\n{reason}\n"
    return Change(f"lift/{hold.environment}-{version}", message, {ledger.lifted_hold_path(lifted): lifted.to_json()})


def _open_pull_request(context: "DeployContext", change: "Change", title: str, body: str) -> str:
    """Open the pull request unless it is open already, and return a sentence about it."""
    from gitops_ml import git
    from gitops_ml.forge import pull_request, workflow_dispatch
    from gitops_ml.registry.propose import push_proposal

    github, root = context.github, context.repository.root
    assert github is not None  # noqa: S101 (the caller checks)
    context.refresh()
    open_now = pull_request.find_open(github, change.branch)
    if open_now:
        return f"{open_now.page} is open already."
    tip = git.resolve(root, f"refs/remotes/origin/{change.branch}")
    head = push_proposal(root, change, tip)
    created = pull_request.create(github, change.branch, title, body)
    workflow_dispatch.request_ci(github, change.branch, head)
    return f"Opened {created.page}: {title}."
