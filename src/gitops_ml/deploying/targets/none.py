"""Where nothing stays up: run the image, hear it out, and publish it as the environment's."""

from gitops_ml.config import Repository
from gitops_ml.deploying.container import Container, Start
from gitops_ml.deploying.engine import Engine
from gitops_ml.deploying.login import logged_in
from gitops_ml.deploying.state import identity
from gitops_ml.deploying.target import Rollout, Running
from gitops_ml.errors import ContainerError
from gitops_ml.logged import TRIAL
from gitops_ml.private import OF_SERVERS

MARK = "gitops.trial"


class NoneTarget:
    """A hosted runner, or a laptop, that only tries a version; whoever runs it takes the image of the environment."""

    def __init__(self, repository: Repository, environment: str, engine: Engine) -> None:
        self._engine, self._environment, self._images = engine, environment, repository.config.image.repository
        # A model of another repository on this host may have the same name.
        self._named = f"{repository.config.project.name}-{environment}-{identity(repository)}".lower()
        self._tried: Container | None = None

    def running(self) -> Running | None:
        """Never anything."""
        return None

    def start(self, wanted: Rollout) -> str:
        """Pull the image by its digest and run it."""
        assert wanted.image  # noqa: S101 (this target is for records that have one)
        with logged_in(self._engine, wanted.image, self._images) as engine:
            engine.pull(wanted.image)
        self._clear()
        env = {**wanted.variables, TRIAL: "1"}
        start = Start(wanted.image, f"gitops-trial-{self._named}", env, OF_SERVERS, {MARK: self._named})
        self._tried = self._engine.run(start)
        assert self._tried.url  # noqa: S101 (it publishes its port)
        return self._tried.url

    def alive(self) -> bool:
        """Whether the container is still up."""
        return self._tried is not None and self._engine.alive(self._tried.id)

    def well(self) -> bool:
        """Whether the container's own check passes."""
        tried = self._tried
        return tried is not None and self._engine.inspect(tried.id).healthy

    def switch(self, wanted: Rollout) -> None:
        """Publish the image under the environment's name, and end the trial.

        Raises:
            ContainerError: The registry took it for another image than the one that was reviewed.
        """
        assert wanted.image  # noqa: S101
        name = f"{wanted.image.partition('@')[0]}:{self._environment}"
        self._engine.tag(wanted.image, name)
        with logged_in(self._engine, name, self._images) as engine:
            pushed = engine.push(name)
        if pushed != wanted.image.partition("@")[2]:
            raise ContainerError(
                f"{name} was pushed as {pushed}, and what was reviewed is {wanted.image}.",
                "The engine wrote the image anew: deploy with the engine that built it, or pull it by its digest.",
            )
        self._clear()

    def logs(self) -> str:
        """Nothing serves."""
        return ""

    def end(self) -> None:
        """Nothing stays up."""

    def abandon(self) -> str:
        """End the trial; what it printed."""
        if self._tried is None:
            return ""
        logs = self._engine.logs(self._tried.id)
        self._engine.remove(self._tried.id)
        return logs

    def _clear(self) -> None:
        """What an earlier run that was killed left behind."""
        for left in self._engine.containers(f"{MARK}={self._named}"):
            self._engine.remove(left.id)
