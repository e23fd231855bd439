"""GitHub's REST API, as commands use it: GITHUB_API_URL, GITHUB_REPOSITORY and GITHUB_TOKEN, as Actions sets them.

Reads are tried again freely. A write whose answer was lost may have been done, so it is never sent again blindly:
`Unsure` is raised, and the caller reads the state anew before it decides. https://docs.github.com/rest
"""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse
from urllib3.util import Retry

from gitops_ml import git, library
from gitops_ml.errors import ConfigError, ForgeError, PullRequestsForbidden

API = "https://api.github.com"
SERVER = "https://github.com"
NAME = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
FORBIDDEN = "not permitted to create or approve pull requests"
TIMEOUT = (10, 60)
PAUSE = 1.0  # seconds between writes, as GitHub asks of programs
PATIENCE = 300  # the longest wait that GitHub may ask for before we stop and say so
TRIES = 5


class Unsure(ForgeError):
    """A write may or may not have been done; read the state again before deciding anything."""


class Patience(Retry):
    """Tries again what failed on the way, and whatever GitHub itself asks to be sent again later."""

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """A limit refuses before anything is done, so even a write may be sent again after the time it names."""
        if status_code in (403, 429) and has_retry_after:
            return True
        return super().is_retry(method, status_code, has_retry_after)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """What GitHub asks for; more than we are ready to wait ends the trying."""
        seconds = super().get_retry_after(response)
        if seconds is not None and seconds > PATIENCE:
            raise ForgeError(
                f"GitHub's limit is used up; it asks to wait {seconds:.0f} s.", "Run the same command again then.", 429
            )
        return seconds


@dataclass
class GitHub:
    """One repository on GitHub, or on a GitHub Enterprise Server.

    Attributes:
        repository: OWNER/NAME.
        token: Of the job, an App, or a person.
        api: The address of the API.
        server: The address of the pages for people.
    """

    repository: str
    token: str = field(repr=False)
    api: str = API
    server: str = SERVER
    _last: float = 0.0

    @property
    def owner(self) -> str:
        """The user or organisation."""
        return self.repository.split("/")[0]

    @property
    def page(self) -> str:
        """The repository's page."""
        return f"{self.server}/{self.repository}"

    @cached_property
    def login(self) -> str | None:
        """The user that the token is of; None where it is a job's or an App's."""
        try:
            return str(self.get(f"{self.api}/user")["login"])
        except ForgeError as error:
            if error.status == 403:
                return None
            raise

    @cached_property
    def _session(self) -> requests.Session:
        session = requests.Session()
        session.headers.update({
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "User-Agent": f"gitops/{library.version()}",
            "X-GitHub-Api-Version": "2022-11-28",
        })  # fmt: skip
        # Connecting may be tried again for any method: nothing was sent yet.
        patience = Patience(
            total=TRIES, read=TRIES, backoff_factor=0.5, backoff_max=30, allowed_methods={"GET"},
            status_forcelist={500, 502, 503, 504}, raise_on_status=False,
        )  # fmt: skip
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(max_retries=patience))
        return session

    def get(self, path: str, **parameters: str | int) -> Any:
        """Read below /repos/OWNER/NAME; raises ForgeError."""
        return self._ask("GET", path, parameters=parameters).json()

    def find(self, path: str) -> Any | None:
        """The same; None where there is no such thing."""
        try:
            return self.get(path)
        except ForgeError as error:
            if error.status == 404:
                return None
            raise

    def each(self, path: str, **parameters: str | int) -> Iterator[Any]:
        """Every item of a list, page after page."""
        answer = self._ask("GET", path, parameters={"per_page": 100, **parameters})
        yield from answer.json()
        while "next" in answer.links:
            answer = self._ask("GET", answer.links["next"]["url"])
            yield from answer.json()

    def send(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """Write below /repos/OWNER/NAME.

        Raises:
            Unsure: Nobody knows whether it was done.
            PullRequestsForbidden: The repository's settings forbid it.
            ForgeError: GitHub refuses.
        """
        time.sleep(max(0.0, self._last + PAUSE - time.monotonic()))
        try:
            answer = self._ask(method, path, body=body)
        finally:
            self._last = time.monotonic()
        return answer.json() if answer.content else None

    def _ask(
        self, method: str, path: str, parameters: dict[str, str | int] | None = None, body: dict[str, Any] | None = None
    ) -> requests.Response:
        url = path if path.startswith(self.api) else f"{self.api}/repos/{self.repository}{path}"
        try:
            answer = self._session.request(method, url, params=parameters, json=body, timeout=TIMEOUT)
        except requests.RequestException as error:
            problem = ForgeError if method == "GET" else Unsure
            raise problem(
                f"{self.api} gave no answer to {method} {path} ({type(error).__name__}).",
                "Check the network and GITHUB_API_URL, then run the same command again.",
            ) from error
        if not answer.ok:
            raise _refusal(method, path, answer)
        return answer


def connect(root: Path) -> GitHub:
    """The repository that the environment names, or else the one that this clone came from.

    Raises:
        ConfigError: There is no token, or no repository on GitHub.
    """
    token = os.environ.get("GITHUB_TOKEN")
    if not token:
        raise ConfigError(
            "There is no token for GitHub: GITHUB_TOKEN is not set.",
            "In a workflow: `GITHUB_TOKEN: ${{ github.token }}` under `env:`. On your machine: "
            "`GITHUB_TOKEN=$(gh auth token) gitops ...`. Without GitHub: `gitops promote --local`.",
        )
    server = os.environ.get("GITHUB_SERVER_URL", SERVER).rstrip("/")
    repository = os.environ.get("GITHUB_REPOSITORY") or _of_remote(root, server)
    if not NAME.fullmatch(repository):
        raise ConfigError(f"GITHUB_REPOSITORY is {repository!r}.", "It must be OWNER/NAME.")
    return GitHub(repository, token, os.environ.get("GITHUB_API_URL", API).rstrip("/"), server)


def _of_remote(root: Path, server: str) -> str:
    """OWNER/NAME out of the address of origin."""
    url = git.run(root, "remote", "get-url", "origin") if git.succeeds(root, "remote", "get-url", "origin") else ""
    host = re.escape(urlsplit(server).netloc)
    found = re.search(rf"{host}[:/]({NAME.pattern}?)(?:\.git)?/?$", url)
    if not found:
        raise ConfigError(
            "The remote `origin` is not a repository on GitHub." if url else "There is no remote `origin`.",
            f"Push to GitHub first, or set GITHUB_REPOSITORY to OWNER/NAME (and GITHUB_SERVER_URL, now {server}).",
        )
    return found.group(1)


def _refusal(method: str, path: str, answer: requests.Response) -> ForgeError:
    """GitHub's answer in words, with what to do about it."""
    status, said = answer.status_code, _said(answer)
    asked = f"{method} {path.split('?')[0]}"
    if status == 401:
        return ForgeError(
            f"GitHub does not accept the token ({said}).", "Set GITHUB_TOKEN to one that is valid now.", status
        )
    if status in (403, 429) and (answer.headers.get("x-ratelimit-remaining") == "0" or "rate limit" in said.lower()):
        reset = answer.headers.get("x-ratelimit-reset", "")
        until = f" until {datetime.fromtimestamp(int(reset), UTC):%H:%M} UTC" if reset.isdecimal() else " a few minutes"
        return ForgeError(
            f"GitHub's limit is used up ({said}).", f"Wait{until}, then run the same command again.", status
        )
    if status == 403 and FORBIDDEN in said:
        return PullRequestsForbidden(
            said,
            "Settings > Actions > General > Workflow permissions: tick `Allow GitHub Actions to create and approve "
            "pull requests`, then run Train again; what was pushed is kept.",
            status,
        )
    if status == 403:
        return ForgeError(f"The token may not {asked} ({said}).", _grant(answer), status)
    if status == 404:
        return ForgeError(
            f"GitHub does not know {asked}, or does not show it to this token.", "Check GITHUB_REPOSITORY and the "
            "token's permissions; `gitops doctor` does both.", status,
        )  # fmt: skip
    said = said.rstrip(".")
    if status >= 500:
        problem = ForgeError if method == "GET" else Unsure
        return problem(f"GitHub failed at {asked}: {status} {said}.", "Run the same command again later.", status)
    return ForgeError(f"GitHub refuses {asked}: {status} {said}.", "Mend what it names, then run again.", status)


def _grant(answer: requests.Response) -> str:
    """Which permission is missing, as GitHub names it, and where to give it."""
    needed = answer.headers.get("x-accepted-github-permissions", "").replace("_", "-").replace("=", ": ")
    if not git.in_actions():
        return f"Use a token that has `{needed}`." if needed else "Use a token of the repository's owner."
    return f"Grant `{needed or 'more'}` under `permissions:` of the job in .github/workflows."


def _said(answer: requests.Response) -> str:
    """The message of an answer, with the errors that it lists."""
    try:
        document = answer.json()
    except requests.JSONDecodeError:
        return str(answer.reason)
    if not isinstance(document, dict):
        return str(answer.reason)
    errors = [error.get("message") or f"{error.get('field')}: {error.get('code')}" if isinstance(error, dict) else error
              for error in document.get("errors", []) if error]  # fmt: skip
    return "; ".join(map(str, [document.get("message", answer.reason), *errors]))
