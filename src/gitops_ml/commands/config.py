"""`gitops config`"""

from pathlib import Path

import click

from gitops_ml import console
from gitops_ml.commands import find


@click.command()
@click.option("--schema", is_flag=True, help="Print the JSON schema for editors instead.")
@click.option("--prometheus", is_flag=True, help="Print the rules of Prometheus instead, with what [monitoring] says.")
@click.pass_obj
def command(project: Path, schema: bool, prometheus: bool) -> None:
    """Check model.toml and print what is in force."""
    import json

    from gitops_ml import config

    if schema:
        console.say(json.dumps(config.schema(), indent=2))
        return
    repository = find(project)
    if prometheus:
        from gitops_ml.monitoring.rules import rules

        console.say(rules(repository.config.monitoring, repository.root).rstrip())
        return
    console.say(json.dumps(repository.config.model_dump(mode="json"), indent=2, ensure_ascii=False))
    console.output("environments", json.dumps(repository.config.deploy.environments))
