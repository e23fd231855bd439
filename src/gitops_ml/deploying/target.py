"""What a place of deployment must be able to do, whatever it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Rollout:
    """One version, on its way into one environment.

    Attributes:
        environment: Such as "production".
        model: The registered model's name.
        version: The registry's number.
        release: Its semantic version.
        digest: Of the version's files.
        image: Reference of its image, `repository@sha256:...`; None where there is none.
        commit: That the version was trained from; what a process runs is checked out there.
        files: The version's files, verified.
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
        """What the server is told in its environment about the version that it serves."""
        return {
            "GITOPS_DIGEST": self.digest, "GITOPS_VERSION": self.version, "GITOPS_RELEASE": self.release,
            "GITOPS_ENVIRONMENT": self.environment,
        }  # fmt: skip


@dataclass(frozen=True)
class Running:
    """What serves now.

    Attributes:
        digest: Of the version's files.
        image: Reference of its image; None where it runs without.
        url: Where it answers callers; None where nothing stays up.
        drift: What about it is not as it should be, in words, so that it has to be brought up again.
    """

    digest: str
    image: str | None
    url: str | None
    drift: str = ""


class Target(Protocol):
    """A place of deployment. Each step may be repeated after a kill, and ends in the same state."""

    def running(self) -> Running | None:
        """What serves callers now; None where nothing does.

        Raises:
            ContainerError: It cannot be found out.
        """

    def start(self, wanted: Rollout) -> str:
        """Bring a version up beside the one that serves, without callers; the address where it can be asked.

        A version that was started earlier and is still up is taken over as it is.

        Raises:
            ContainerError: It could not be tried: engine, registry or cluster. Nothing has changed for callers.
        """

    def alive(self) -> bool:
        """Whether what was started last is still up; one that has died will never be ready."""

    def well(self) -> bool:
        """Whether what was started last is ready by a check from beside it: a dead address is then not its fault.

        False where nothing could come between it and us.
        """

    def switch(self, wanted: Rollout) -> None:
        """Let it answer the callers from now on; requests that the old one began are finished.

        Raises:
            ContainerError: It could not be done; the old one still serves.
        """

    def logs(self) -> str:
        """What the one that serves callers printed lately; empty where nobody has it."""

    def end(self) -> None:
        """Let nothing of this environment serve any more."""

    def abandon(self) -> str:
        """Remove whatever was started beside the one that serves; its logs. The one that serves is not touched."""
