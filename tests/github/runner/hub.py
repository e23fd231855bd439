"""Interface of the server that the runner uses."""

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Protocol

from github.model import Grant, Run, Token


class Settings(Protocol):
    """The repository's settings."""

    @property
    def default_workflow_permissions(self) -> str:
        """Default permissions of jobs: read or write."""

    @property
    def secrets(self) -> Mapping[str, str]:
        """Secrets of jobs, by name."""

    @property
    def variables(self) -> Mapping[str, str]:
        """Variables of jobs, by name."""

    @property
    def runners(self) -> Set[str]:
        """Labels of self-hosted runners."""

    @property
    def disabled(self) -> Set[str]:
        """Files of disabled workflows."""


class Deployments(Protocol):
    """Deployments on the server; these methods take no lock."""

    def start(self, run: Run, environment: str, /) -> int:
        """Create the deployment of a job that is about to start, and return its id."""

    def waits(self, number: int, /) -> bool:
        """Return whether a reviewer must approve it first."""

    def report(self, number: int, state: str, url: str = "", log: str = "", /) -> None:
        """Add a status to a deployment."""


class Hub(Protocol):
    """The part of the server that the runner uses."""

    @property
    def url(self) -> str:
        """URL that replaces https://github.com."""

    @property
    def api(self) -> str:
        """URL that replaces https://api.github.com."""

    @property
    def bare(self) -> Path:
        """Path of the bare repository."""

    @property
    def repository(self) -> str:
        """Owner and name of the repository."""

    @property
    def runs(self) -> dict[int, Run]:
        """All runs by id; the runner adds to them."""

    @property
    def settings(self) -> Settings:
        """The repository's settings."""

    @property
    def deployments(self) -> Deployments:
        """All deployments; the runner adds to them."""

    def issue_token(self, permissions: Mapping[str, Grant], /) -> Token:
        """Issue a token of Actions with these grants."""

    def revoke(self, token: Token, /) -> object:
        """Revoke a token."""
