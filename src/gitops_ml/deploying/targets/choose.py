"""The place that model.toml describes."""

from gitops_ml import git
from gitops_ml.config import Repository
from gitops_ml.deploying.engine import find
from gitops_ml.deploying.state import home
from gitops_ml.deploying.target import Target
from gitops_ml.errors import ConfigError


def choose(repository: Repository, environment: str, image: str | None) -> Target:
    """The target of an environment.

    Args:
        repository: Whose model.toml says what it is.
        environment: Which.
        image: That the record names; without one, a version that is only tried runs as a process, but in no job: what
            came there without an image was never reviewed as one.

    Raises:
        ConfigError: The target needs an image, and the record names none.
        ContainerError: No container engine answers.
    """
    place = repository.config.target(environment)
    if place.kind == "process" or (place.kind == "none" and image is None and not git.in_actions()):
        from gitops_ml.deploying.targets.process import ProcessTarget

        return ProcessTarget(repository, environment, place.port if place.kind == "process" else None)
    if image is None:
        raise ConfigError(
            f'The record of {environment} names no image, which a target of the kind "{place.kind}" needs.',
            "Remove the record by pull request and run Train: it builds the image; or choose another kind.",
        )
    if place.kind == "none":
        from gitops_ml.deploying.targets.none import NoneTarget

        return NoneTarget(repository, environment, find(repository.config.image.engine))
    if place.kind == "compose":
        from gitops_ml.deploying.targets.compose import Compose

        return Compose(repository, environment, find(repository.config.image.engine), home(repository, environment))
    if place.kind == "kubernetes":
        from gitops_ml.deploying.targets.kubernetes import Kubernetes

        return Kubernetes(repository, environment)
    from gitops_ml.deploying.targets.argocd import ArgoCD

    return ArgoCD(repository, environment)
