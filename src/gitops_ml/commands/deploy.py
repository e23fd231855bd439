"""`gitops deploy`"""

from pathlib import Path

import click

from gitops_ml.commands import find, where


@click.command()
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT", help="Where to deploy.  [default: the last one in model.toml]"
)
@click.option(
    "--monitoring", is_flag=True, help="Bring up Prometheus, Alertmanager and Grafana beside it (compose only)."
)
@click.pass_obj
def command(project: Path, environment: str | None, monitoring: bool) -> None:
    """Make what serves match the record.

    A version takes callers only after it said of recorded rows what it said in training; one that does not is held, and
    the last verified one serves.
    """
    from gitops_ml.commands.rollout import deploy
    from gitops_ml.commands.watchers import check, watch

    repository = find(project)
    place = where(repository, environment)
    if monitoring:
        check(repository, place)
    deploy(repository, place)
    if monitoring:
        watch(repository, place)
