"""`gitops config`"""

from pathlib import Path

import click

from gitops_ml import console
from gitops_ml.commands import find_repository


@click.command()
@click.option("--schema", is_flag=True, help="Print the JSON schema of model.toml instead, for editors.")
@click.option("--prometheus", is_flag=True, help="Print the Prometheus rules that follow from [monitoring] instead.")
@click.pass_obj
def command(project: Path, schema: bool, prometheus: bool) -> None:
    """Check model.toml and print it with its defaults."""
    import json

    from gitops_ml import config

    if schema:
        console.echo(json.dumps(config.json_schema(), indent=2))
        return
    repository = find_repository(project)
    if prometheus:
        from gitops_ml.monitoring.alert_rules import render_alert_rules

        console.echo(render_alert_rules(repository.config.monitoring, repository.root).rstrip())
        return
    console.echo(json.dumps(repository.config.model_dump(mode="json"), indent=2, ensure_ascii=False))
    console.set_output("environments", json.dumps(repository.config.deploy.environments))
