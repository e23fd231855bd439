"""`gitops deploy`"""

from pathlib import Path

import click

from gitops_ml.commands import find_repository, resolve_environment


@click.command()
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT", help="The environment.  [default: the last one in model.toml]"
)
@click.option("--monitoring", is_flag=True, help="Also start Prometheus, Alertmanager and Grafana (compose only).")
@click.pass_obj
def command(project: Path, environment: str | None, monitoring: bool) -> None:
    """Deploy the version that the record in registry/ names.

    A version serves callers only after a smoke test: for recorded rows it must return the predictions recorded in
    training. A version that fails is held, and the last verified version serves.
    """
    from gitops_ml.commands.monitoring_stack import require_compose, start_monitoring_stack
    from gitops_ml.commands.rollout import deploy_environment

    repository = find_repository(project)
    environment = resolve_environment(repository, environment)
    if monitoring:
        require_compose(repository, environment)
    deploy_environment(repository, environment)
    if monitoring:
        start_monitoring_stack(repository, environment)
