"""Prometheus, Alertmanager and Grafana beside the deployed server."""

from typing import TYPE_CHECKING

from gitops_ml import console
from gitops_ml.errors import ConfigError

if TYPE_CHECKING:
    from gitops_ml.config import Repository

TARGET_KIND = "compose"


def require_compose(repository: "Repository", environment: str) -> None:
    """Check that the environment is deployed with Compose, because the monitoring stack runs as containers beside it.

    Args:
        repository: The local clone.
        environment: Name of the environment.

    Raises:
        ConfigError: The environment has a deployment target of another kind.
    """
    kind = repository.config.target(environment).kind
    if kind != TARGET_KIND:
        raise ConfigError(
            f'Environment {environment} has a deployment target of kind "{kind}"; --monitoring works only with '
            f'"{TARGET_KIND}".',
            "Run `gitops deploy` without --monitoring, and let your own Prometheus scrape the servers. The section "
            '"Prometheus and Grafana" of `gitops docs monitoring` describes how.',
        )


def start_monitoring_stack(repository: "Repository", environment: str) -> None:
    """Start the monitoring stack or update it, and print its addresses.

    Args:
        repository: The local clone.
        environment: Name of the environment, whose deployment target must be of kind "compose".

    Raises:
        ContainerError: The containers could not be started; the deployed server was not changed.
    """
    from gitops_ml.deploying.engine import find_engine
    from gitops_ml.deploying.state_folder import environment_folder
    from gitops_ml.deploying.targets.compose import Compose
    from gitops_ml.monitoring.alert_rules import render_alert_rules

    config = repository.config
    target = Compose(
        repository, environment, find_engine(config.image.engine), environment_folder(repository, environment)
    )
    for name, address in target.start_monitoring(render_alert_rules(config.monitoring, repository.root)).items():
        console.echo(f"{name.capitalize()} is at {address}.")
