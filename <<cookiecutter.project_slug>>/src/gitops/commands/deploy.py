# machinery
"""`gitops deploy`"""

from pathlib import Path

import click

from gitops.commands import find, where


@click.command()
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT", help="Where to deploy.  [default: the last one in model.toml]"
)
@click.pass_obj
def command(project: Path, environment: str | None) -> None:
    """Make what serves match the record.

    A version takes callers only after it said of recorded rows what it said in training; one that does not is held, and
    the last verified one serves.
    """
    from gitops.commands.rollout import deploy

    repository = find(project)
    deploy(repository, where(repository, environment))
