"""Choose the target of an environment."""

from gitops_ml import git
from gitops_ml.config import Repository
from gitops_ml.deploying.engine import find_engine
from gitops_ml.deploying.state_folder import environment_folder
from gitops_ml.deploying.target import Target
from gitops_ml.errors import ConfigError


def choose_target(repository: Repository, environment: str, image: str | None) -> Target:
    """Return the target of an environment.

    Args:
        repository: The clone; its model.toml configures the target.
        environment: Name of the environment.
        image: Reference of the image in the record. For kind "none" a version without an image runs as a process. In a
            job this is an error, because a record without an image was not reviewed to run there.

    Raises:
        ConfigError: The target needs an image, and the record names none.
        ContainerError: No container engine answers.
    """
    config = repository.config.target(environment)
    if config.kind == "process" or (config.kind == "none" and image is None and not git.in_actions()):
        from gitops_ml.deploying.targets.process import ProcessTarget

        return ProcessTarget(repository, environment, config.port if config.kind == "process" else None)
    if image is None:
        raise ConfigError(
            f'The record of {environment} names no image, which a target of the kind "{config.kind}" needs.',
            "Remove the record by pull request and run Train, which builds the image; or set another kind.",
        )
    if config.kind == "none":
        from gitops_ml.deploying.targets.none import NoneTarget

        return NoneTarget(repository, environment, find_engine(repository.config.image.engine))
    if config.kind == "compose":
        from gitops_ml.deploying.targets.compose import Compose

        engine = find_engine(repository.config.image.engine)
        return Compose(repository, environment, engine, environment_folder(repository, environment))
    if config.kind == "kubernetes":
        from gitops_ml.deploying.targets.kubernetes import Kubernetes

        return Kubernetes(repository, environment)
    from gitops_ml.deploying.targets.argocd import ArgoCD

    return ArgoCD(repository, environment)
