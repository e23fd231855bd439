"""`gitops reconcile`"""

from pathlib import Path

import click

from gitops_ml import console
from gitops_ml.commands import find_repository, main_revision, resolve_environment


@click.command()
@click.option("--environment", help="The environment.  [default: the last one in model.toml]")
@click.pass_obj
def command(project: Path, environment: str | None) -> None:
    """Set MLflow's aliases from the records in Git.

    The alias `champion` follows the record on main and the ledger; `challenger` follows the open proposal.
    """
    from gitops_ml.registry.reconcile import reconcile

    repository = find_repository(project)
    main_revision(repository.root)
    moves = reconcile(repository, resolve_environment(repository, environment))
    for move in moves:
        console.echo(move.sentence)
    if not moves:
        console.echo("Nothing to do: the aliases match the record and the ledger.")
    console.append_summary(
        "\n".join(f"- {move.sentence}" for move in moves) or "➖ The aliases match the record and the ledger."
    )
