"""`gitops reconcile`"""

from pathlib import Path

import click

from gitops_ml import console
from gitops_ml.commands import find, main_revision, where


@click.command()
@click.option("--environment", help="Which record.  [default: the last one in model.toml]")
@click.pass_obj
def command(project: Path, environment: str | None) -> None:
    """Move MLflow's aliases to what Git says.

    Champion follows the record on main and the ledger, challenger the open proposal.
    """
    from gitops_ml.registry.reconcile import reconcile

    repository = find(project)
    main_revision(repository.root)
    moves = reconcile(repository, where(repository, environment))
    for move in moves:
        console.say(move.sentence)
    if not moves:
        console.say("Nothing to do: the aliases are where record and ledger want them.")
    console.summarise("\n".join(f"- {move.sentence}" for move in moves) or "➖ The aliases are where they should be.")
