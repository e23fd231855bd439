"""The state of the local GitHub, and who hears of its changes."""

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .deployments import Deployments
from .faults import Faults
from .git import Bare
from .model import BOT, Event, Grant, Listener, Run, Token
from .state import Settings, State

# What GitHub starts even for a job's own token.
ALWAYS = {"workflow_dispatch", "repository_dispatch"}
AFTER_APPROVAL = {"opened", "synchronize", "reopened"}
PREFIXES = {"person": "ghp_", "actions": "ghs_", "app": "ghs_"}


class Asked(NamedTuple):
    """One request, as the log keeps it; status 0 if the connection was dropped before anything happened."""

    method: str
    path: str
    status: int
    login: str | None
    body: Any


class Hub:
    """One repository, its tokens, its issues and pull requests, and its listeners.

    Attributes:
        listeners: Hear of events.
        approvers: Hear that a person lets a bot's run start.
        reviewers: Hear that a person has decided whether jobs of a run may deploy; which, the deployments say.
    """

    def __init__(self, folder: Path, repository: str = "ada/tumour-screening") -> None:
        """Make the bare repository in the folder, unless it is there."""
        self.folder = folder.resolve()
        self.repository = repository
        self.owner_login, _, self.name = repository.partition("/")
        self.git = Bare(self.folder / f"{self.name}.git")
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
        self.requests: list[Asked] = []
        self.violations: list[str] = []
        self.url = ""
        self._lock = threading.RLock()
        self._pending: list[Event] = []

    @property
    def bare(self) -> Path:
        """Where the bare repository lies."""
        return self.git.path

    @property
    def owner(self) -> Token:
        """The person who owns the repository."""
        return self.person

    @property
    def api(self) -> str:
        """Where the REST interface is, as on GitHub Enterprise Server."""
        return f"{self.url}/api/v3"

    @property
    def home(self) -> str:
        """Where the repository is in the REST interface."""
        return f"{self.api}/repos/{self.repository}"

    @property
    def page(self) -> str:
        """Where people find the repository."""
        return f"{self.url}/{self.repository}"

    @property
    def remote(self) -> str:
        """The Git remote, with the person's token in it."""
        return self.remote_for(self.person)

    def remote_for(self, token: Token) -> str:
        """The Git remote, with a token in it."""
        user = token.login if token.kind == "person" else "x-access-token"
        return f"{self.url.replace('://', f'://{user}:{token.value}@')}/{self.repository}.git"

    def issue_token(
        self,
        permissions: Mapping[str, Grant],
        kind: Literal["person", "actions", "app"] = "actions",
        login: str = BOT,
    ) -> Token:
        """A new token with these grants, by GitHub's names; contents as well as pull-requests may be spelt so."""
        grants = {name.replace("-", "_"): level for name, level in permissions.items()}
        token = Token(f"{PREFIXES[kind]}{secrets.token_hex(18)}", kind, login, grants)
        self.tokens[token.value] = token
        return token

    def revoke(self, token: Token) -> None:
        """Let a token be worth nothing from now on."""
        self.tokens.pop(token.value, None)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Be alone with the state; what happened meanwhile is told afterwards, outside the lock."""
        events: list[Event] = []
        try:
            with self._lock:
                try:
                    yield
                finally:
                    events, self._pending = self._pending, []
        finally:
            for event in events:
                self._tell(event)

    def _tell(self, event: Event) -> None:
        for listener in list(self.listeners):
            try:
                listener(event)
            # A listener that fails must not turn a success into an error for whoever called.
            except Exception as error:
                self.violations.append(f"listener failed on {event.name}: {error!r}")

    def happened(self, actor: Token, event: Event) -> None:
        """Note an event, unless it is one that a job's token cannot start anything with."""
        if actor.kind == "actions" and event.name not in ALWAYS:
            if event.name != "pull_request" or event.action not in AFTER_APPROVAL:
                return
            event = replace(event, waits=True)
        self._pending.append(event)
