"""State of the local GitHub, with its tokens and listeners."""

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .deployments import Deployments
from .faults import Faults
from .git import BareRepository
from .model import BOT, Event, Grant, Listener, Run, Token
from .state import Settings, State

# Events that start workflows even if a job's token caused them.
STARTED_BY_JOBS = {"workflow_dispatch", "repository_dispatch"}
AFTER_APPROVAL = {"opened", "synchronize", "reopened"}
PREFIXES = {"person": "ghp_", "actions": "ghs_", "app": "ghs_"}


class LoggedRequest(NamedTuple):
    """Logged request; status 0 if the connection was dropped before anything happened."""

    method: str
    path: str
    status: int
    login: str | None
    body: Any


class Hub:
    """One repository, its tokens, its issues and pull requests, and its listeners.

    Attributes:
        listeners: Functions that are called with each event.
        approvers: Functions that are called when a person approves a bot's run.
        reviewers: Functions that are called when a person reviews deployments of a run, which contain the result.
    """

    def __init__(self, folder: Path, repository: str = "ada/tumour-screening") -> None:
        """Create the bare repository in the folder, unless it exists."""
        self.folder = folder.resolve()
        self.repository = repository
        self.owner_login, _, self.name = repository.partition("/")
        self.git = BareRepository(self.folder / f"{self.name}.git")
        self.settings = Settings()
        self.state = State()
        self.deployments = Deployments(self.state)
        self.faults = Faults()
        self.tokens: dict[str, Token] = {}
        self.person = self.issue_token({}, "person", self.owner_login)
        self.runs: dict[int, Run] = {}
        self.listeners: list[Listener] = []
        self.approvers: list[Callable[[Run, Token], None]] = []
        self.reviewers: list[Callable[[Run, bool], None]] = []
        self.requests: list[LoggedRequest] = []
        self.violations: list[str] = []
        self.url = ""
        self._lock = threading.RLock()
        self._pending: list[Event] = []

    @property
    def bare(self) -> Path:
        """Path of the bare repository."""
        return self.git.path

    @property
    def owner(self) -> Token:
        """The person who owns the repository."""
        return self.person

    @property
    def api(self) -> str:
        """URL of the REST API, as on GitHub Enterprise Server."""
        return f"{self.url}/api/v3"

    @property
    def repository_url(self) -> str:
        """URL of the repository in the REST API."""
        return f"{self.api}/repos/{self.repository}"

    @property
    def html_url(self) -> str:
        """URL of the repository's page."""
        return f"{self.url}/{self.repository}"

    @property
    def remote(self) -> str:
        """URL of the Git remote, with the owner's token in it."""
        return self.remote_for(self.person)

    def remote_for(self, token: Token) -> str:
        """Return the URL of the Git remote, with a token in it."""
        user = token.login if token.kind == "person" else "x-access-token"
        return f"{self.url.replace('://', f'://{user}:{token.value}@')}/{self.repository}.git"

    def issue_token(
        self,
        permissions: Mapping[str, Grant],
        kind: Literal["person", "actions", "app"] = "actions",
        login: str = BOT,
    ) -> Token:
        """Create a token with these grants, by GitHub's names; both pull-requests and pull_requests are accepted."""
        grants = {name.replace("-", "_"): level for name, level in permissions.items()}
        token = Token(f"{PREFIXES[kind]}{secrets.token_hex(18)}", kind, login, grants)
        self.tokens[token.value] = token
        return token

    def revoke(self, token: Token) -> None:
        """Invalidate a token."""
        self.tokens.pop(token.value, None)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the state; events of the block are sent to the listeners afterwards, outside the lock."""
        events: list[Event] = []
        try:
            with self._lock:
                try:
                    yield
                finally:
                    events, self._pending = self._pending, []
        finally:
            for event in events:
                self._notify(event)

    def _notify(self, event: Event) -> None:
        for listener in list(self.listeners):
            try:
                listener(event)
            # A failing listener must not turn the caller's success into an error.
            except Exception as error:
                self.violations.append(f"listener failed on {event.name}: {error!r}")

    def record_event(self, actor: Token, event: Event) -> None:
        """Queue an event for the listeners, unless a job's token caused it and it can start no workflow."""
        if actor.kind == "actions" and event.name not in STARTED_BY_JOBS:
            if event.name != "pull_request" or event.action not in AFTER_APPROVAL:
                return
            event = replace(event, waits=True)
        self._pending.append(event)
