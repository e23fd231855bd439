"""What the runner needs of the server."""

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Protocol

from github.model import Grant, Run, Token


class Settings(Protocol):
    """The repository's settings."""

    @property
    def default_workflow_permissions(self) -> str:
        """What a job may do that declares nothing: read or write."""

    @property
    def secrets(self) -> Mapping[str, str]:
        """What jobs may read, by name."""

    @property
    def disabled(self) -> Set[str]:
        """Workflows that nothing starts, by their files."""


class Deployments(Protocol):
    """What the server knows of deployments; it takes no lock for any of this."""

    def start(self, run: Run, environment: str, /) -> int:
        """Begin one, for a job that is about to start; its number."""

    def waits(self, number: int, /) -> bool:
        """Whether a person must allow it first."""

    def tell(self, number: int, state: str, url: str = "", log: str = "", /) -> None:
        """Say how it goes."""


class Hub(Protocol):
    """The server, as far as the runner uses it."""

    @property
    def url(self) -> str:
        """What stands for https://github.com."""

    @property
    def api(self) -> str:
        """What stands for https://api.github.com."""

    @property
    def bare(self) -> Path:
        """The repository itself."""

    @property
    def repository(self) -> str:
        """Owner and name."""

    @property
    def runs(self) -> dict[int, Run]:
        """Every run so far, by number; the runner adds to it."""

    @property
    def settings(self) -> Settings:
        """The repository's settings."""

    @property
    def deployments(self) -> Deployments:
        """Every deployment so far; the runner adds to them."""

    def issue_token(self, permissions: Mapping[str, Grant], /) -> Token:
        """A token of Actions with these grants."""

    def revoke(self, token: Token, /) -> object:
        """Take a token back."""
