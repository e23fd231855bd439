"""Target of kind "none": no server stays up. The image is tested, and pushed under the environment's name."""

from gitops_ml.config import Repository
from gitops_ml.deploying.container import Container, ContainerSpec
from gitops_ml.deploying.engine import Engine
from gitops_ml.deploying.login import logged_in
from gitops_ml.deploying.state_folder import repository_id
from gitops_ml.deploying.target import Rollout, RunningVersion
from gitops_ml.errors import ContainerError
from gitops_ml.prediction_log import SMOKE_TEST
from gitops_ml.secrets import SERVER_SECRETS

LABEL = "gitops.trial"


class NoneTarget:
    """Target on a hosted runner or a laptop, which only tests a version; servers elsewhere pull the pushed image."""

    def __init__(self, repository: Repository, environment: str, engine: Engine) -> None:
        """Prepare the target; nothing is started yet.

        Args:
            repository: The clone.
            environment: Name of the environment.
            engine: Container engine: docker or podman.
        """
        self._engine, self._environment = engine, environment
        self._image_repository = repository.config.image.repository
        # With the id of the repository, because another repository's model on this host may have the same name.
        self._name = f"{repository.config.project.name}-{environment}-{repository_id(repository)}".lower()
        self._container: Container | None = None

    def running(self) -> RunningVersion | None:
        """Return None, because no server stays up."""
        return None

    def start(self, rollout: Rollout) -> str:
        """Pull the image by its digest and start it."""
        assert rollout.image  # noqa: S101 (the target is chosen only for records with an image)
        with logged_in(self._engine, rollout.image, self._image_repository) as engine:
            engine.pull(rollout.image)
        self._remove_containers()
        env = {**rollout.variables, SMOKE_TEST: "1"}
        spec = ContainerSpec(rollout.image, f"gitops-trial-{self._name}", env, SERVER_SECRETS, {LABEL: self._name})
        self._container = self._engine.run(spec)
        assert self._container.url  # noqa: S101 (it publishes its port)
        return self._container.url

    def is_alive(self) -> bool:
        """Return whether the container is running."""
        return self._container is not None and self._engine.is_running(self._container.id)

    def is_ready(self) -> bool:
        """Return whether the container's health check passes."""
        container = self._container
        return container is not None and self._engine.inspect(container.id).healthy

    def switch(self, rollout: Rollout) -> None:
        """Push the image under the environment's name, and remove the container.

        Raises:
            ContainerError: The push failed, or the pushed image has another digest than the reviewed one.
        """
        assert rollout.image  # noqa: S101
        name = f"{rollout.image.partition('@')[0]}:{self._environment}"
        self._engine.tag(rollout.image, name)
        with logged_in(self._engine, name, self._image_repository) as engine:
            digest = engine.push(name)
        if digest != rollout.image.partition("@")[2]:
            raise ContainerError(
                f"{name} was pushed with the digest {digest}, but the reviewed image is {rollout.image}.",
                "The engine changed the image. Deploy with the engine that built it, or pull it by its digest.",
            )
        self._remove_containers()

    def logs(self) -> str:
        """Return an empty text, because no server stays up."""
        return ""

    def stop(self) -> None:
        """Do nothing, because no server stays up."""

    def discard(self) -> str:
        """Remove the container and return its logs."""
        if self._container is None:
            return ""
        logs = self._engine.logs(self._container.id)
        self._engine.remove(self._container.id)
        return logs

    def _remove_containers(self) -> None:
        """Remove the containers of this run, and of earlier runs that were killed."""
        for container in self._engine.containers(f"{LABEL}={self._name}"):
            self._engine.remove(container.id)
