"""The interface of a target: a place to which versions are deployed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Rollout:
    """A version to deploy to an environment.

    Attributes:
        environment: Name of the environment, such as "production".
        model: Name of the registered model.
        version: Registry version number.
        release: Semantic version.
        digest: Digest of the version's files.
        image: Reference of its image, `repository@sha256:...`; None if it has none.
        commit: Commit that the version was trained from; a process runs the code of this commit.
        files: Folder of the version's files, verified.
    """

    environment: str
    model: str
    version: str
    release: str
    digest: str
    image: str | None
    commit: str | None
    files: Path

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables of the server that name the version."""
        return {
            "GITOPS_DIGEST": self.digest, "GITOPS_VERSION": self.version, "GITOPS_RELEASE": self.release,
            "GITOPS_ENVIRONMENT": self.environment,
        }  # fmt: skip


@dataclass(frozen=True)
class RunningVersion:
    """The version that serves callers.

    Attributes:
        digest: Digest of the version's files.
        image: Reference of its image; None if it runs without an image.
        url: URL of the callers; None if no server stays up.
        drift: Phrase that lists what differs from the desired deployment, so that it must be started again; empty if
            nothing differs.
    """

    digest: str
    image: str | None
    url: str | None
    drift: str = ""


class Target(Protocol):
    """A deployment target. Each step may be repeated after a kill, and ends in the same state."""

    def running(self) -> RunningVersion | None:
        """Return the version that serves callers; None if there is none.

        Raises:
            ContainerError: The target cannot be asked.
        """

    def start(self, rollout: Rollout) -> str:
        """Start a version beside the one that serves callers.

        If the version was started earlier and is still running, it is used as it is.

        Args:
            rollout: The version.

        Returns:
            URL for the smoke test.

        Raises:
            ContainerError: The engine, the registry or the cluster failed. Nothing has changed for callers.
        """

    def is_alive(self) -> bool:
        """Return whether the version that was started last is still running."""

    def is_ready(self) -> bool:
        """Return whether the started version is ready according to a check that runs beside it.

        If it is, a URL without response is a fault of the network and not of the version. Targets without a network in
        between return False.
        """

    def switch(self, rollout: Rollout) -> None:
        """Send callers to the started version from now on; the old version finishes its requests.

        Args:
            rollout: The version.

        Raises:
            ContainerError: The switch failed; the old version still serves.
        """

    def logs(self) -> str:
        """Return the latest output of the version that serves callers; empty if it is not available."""

    def stop(self) -> None:
        """Stop serving in this environment."""

    def discard(self) -> str:
        """Remove the started version; the one that serves callers is not changed.

        Returns:
            Logs of the removed version.
        """
