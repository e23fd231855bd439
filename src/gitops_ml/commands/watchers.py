"""Bring up Prometheus, Alertmanager and Grafana beside what serves."""

from typing import TYPE_CHECKING

from gitops_ml import console
from gitops_ml.errors import ConfigError

if TYPE_CHECKING:
    from gitops_ml.config import Repository

KIND = "compose"


def check(repository: "Repository", environment: str) -> None:
    """Insist on a place where they can stand.

    Raises:
        ConfigError: Only compose has one.
    """
    kind = repository.config.target(environment).kind
    if kind != KIND:
        raise ConfigError(
            f'{environment} is a target of the kind "{kind}"; --monitoring brings containers up beside "{KIND}".',
            "A Prometheus of your own can ask its servers: `gitops docs monitoring`, Prometheus and Grafana.",
        )


def watch(repository: "Repository", environment: str) -> None:
    """Bring them up where they are not as they should be, and say where they are.

    Raises:
        ContainerError: They could not be brought up; what serves, serves.
    """
    from gitops_ml.deploying.engine import find
    from gitops_ml.deploying.state import home
    from gitops_ml.deploying.targets.compose import Compose
    from gitops_ml.monitoring.rules import rules

    config = repository.config
    target = Compose(repository, environment, find(config.image.engine), home(repository, environment))
    for name, address in target.watch(rules(config.monitoring, repository.root)).items():
        console.say(f"{name.capitalize()} is at {address}.")
