"""Client of GitHub's REST API, configured by GITHUB_API_URL, GITHUB_REPOSITORY and GITHUB_TOKEN as in GitHub Actions.

Reads are retried. A write whose response was lost may have been done, so it is not retried: the client raises
`UncertainWrite`, and the caller reads the state again before it decides. https://docs.github.com/rest
"""

import os
import re
import shutil
import subprocess
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
REPOSITORY = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
FORBIDDEN = "not permitted to create or approve pull requests"
TIMEOUT = (10, 60)  # seconds to connect, and to read
# GitHub asks clients that send a large number of writes to wait a second between two of them
# (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api). Most commands send fewer.
WRITES_WITHOUT_PAUSE = 10
WRITE_INTERVAL = 1.0
MAX_RETRY_AFTER = 300  # seconds; a longer wait ends the command
TRIES = 5


class UncertainWrite(ForgeError):
    """A write may or may not have been done. The caller has to read the state again."""


class GitHubRetry(Retry):
    """Retries failed connections and reads, and every request that GitHub asks to send again later."""

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Return whether to retry. A rate limit refuses before anything is done, so a write may be sent again."""
        if status_code in (403, 429) and has_retry_after:
            return True
        return super().is_retry(method, status_code, has_retry_after)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Return the seconds that GitHub asks to wait.

        Raises:
            ForgeError: GitHub asks to wait longer than MAX_RETRY_AFTER.
        """
        seconds = super().get_retry_after(response)
        if seconds is not None and seconds > MAX_RETRY_AFTER:
            raise ForgeError(
                f"GitHub's rate limit is exceeded. GitHub asks to wait {seconds:.0f} s.",
                "Run the same command again after this time.", 429,
            )  # fmt: skip
        return seconds


@dataclass
class GitHub:
    """A client of one repository on GitHub, or on a GitHub Enterprise Server.

    Attributes:
        repository: The repository as OWNER/NAME.
        token: Token of a job, a GitHub App, or a user.
        api: URL of the API.
        server: URL of the web site.
    """

    repository: str
    token: str = field(repr=False)
    api: str = API
    server: str = SERVER
    _last_write: float = 0.0
    _writes: int = 0

    @property
    def owner(self) -> str:
        """The user or organisation that owns the repository."""
        return self.repository.split("/")[0]

    @property
    def page(self) -> str:
        """The URL of the repository's page."""
        return f"{self.server}/{self.repository}"

    @cached_property
    def login(self) -> str | None:
        """The user that the token belongs to; None if it belongs to a job or a GitHub App."""
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
        # A failed connection is retried for every method, because nothing was sent.
        retry = GitHubRetry(
            total=TRIES, read=TRIES, backoff_factor=0.5, backoff_max=30, allowed_methods={"GET"},
            status_forcelist={500, 502, 503, 504}, raise_on_status=False,
        )  # fmt: skip
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        return session

    def get(self, path: str, **parameters: str | int) -> Any:
        """Return a JSON document.

        Args:
            path: Path below /repos/OWNER/NAME, or a URL of the API.
            **parameters: Query parameters.

        Raises:
            ForgeError: GitHub cannot be reached, or refuses.
        """
        return self._request("GET", path, parameters=parameters).json()

    def find(self, path: str) -> Any | None:
        """Return a JSON document; None if there is none at the path.

        Args:
            path: Path below /repos/OWNER/NAME.

        Raises:
            ForgeError: GitHub cannot be reached, or refuses.
        """
        try:
            return self.get(path)
        except ForgeError as error:
            if error.status == 404:
                return None
            raise

    def paginate(self, path: str, *, key: str = "", **parameters: str | int) -> Iterator[Any]:
        """Yield every item of a list, page by page.

        Args:
            path: Path below /repos/OWNER/NAME.
            key: Key of the list, if it is a part of a JSON object.
            **parameters: Query parameters.

        Raises:
            ForgeError: GitHub cannot be reached, or refuses.
        """
        response = self._request("GET", path, parameters={"per_page": 100, **parameters})
        yield from response.json()[key] if key else response.json()
        while "next" in response.links:
            response = self._request("GET", response.links["next"]["url"])
            yield from response.json()[key] if key else response.json()

    def send(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """Send a write request.

        Args:
            method: HTTP method.
            path: Path below /repos/OWNER/NAME.
            body: JSON body.

        Returns:
            The JSON document of the response; None if it is empty.

        Raises:
            UncertainWrite: The response was lost, so it is unknown whether the write was done.
            PullRequestsForbidden: The repository's settings forbid workflows to open pull requests.
            ForgeError: GitHub refuses.
        """
        if self._writes >= WRITES_WITHOUT_PAUSE:
            time.sleep(max(0.0, self._last_write + WRITE_INTERVAL - time.monotonic()))
        self._writes += 1
        try:
            response = self._request(method, path, body=body)
        finally:
            self._last_write = time.monotonic()
        return response.json() if response.content else None

    def _request(
        self, method: str, path: str, parameters: dict[str, str | int] | None = None, body: dict[str, Any] | None = None
    ) -> requests.Response:
        url = path if path.startswith(self.api) else f"{self.api}/repos/{self.repository}{path}"
        try:
            response = self._session.request(method, url, params=parameters, json=body, timeout=TIMEOUT)
        except requests.RequestException as error:
            error_class = ForgeError if method == "GET" else UncertainWrite
            raise error_class(
                f"{self.api} gave no answer to {method} {path} ({type(error).__name__}).",
                "Check the network and GITHUB_API_URL, then run the same command again.",
            ) from error
        if not response.ok:
            raise _error_from(method, path, response)
        return response


def connect(root: Path, with_gh: bool = False) -> GitHub:
    """Return a client of the repository that the environment names, or else of the remote `origin`.

    Args:
        root: Root of the clone.
        with_gh: True to use the login of GitHub's program `gh` if no token is set.

    Raises:
        ConfigError: There is no token, or no repository on GitHub.
    """
    server = os.environ.get("GITHUB_SERVER_URL", SERVER).rstrip("/")
    token = os.environ.get("GITHUB_TOKEN") or (_token_of_gh(server) if with_gh else "")
    if not token:
        raise ConfigError(
            "There is no token for GitHub: GITHUB_TOKEN is not set.",
            "In a workflow, add `GITHUB_TOKEN: ${{ github.token }}` under `env:`. On your machine, run "
            "`GITHUB_TOKEN=$(gh auth token) gitops ...`. To promote a version without GitHub, run `gitops "
            "promote --local`.",
        )
    repository = os.environ.get("GITHUB_REPOSITORY") or _repository_of_remote(root, server)
    if not REPOSITORY.fullmatch(repository):
        raise ConfigError(f"GITHUB_REPOSITORY is {repository!r}.", "It must be OWNER/NAME.")
    return GitHub(repository, token, os.environ.get("GITHUB_API_URL", API).rstrip("/"), server)


def _token_of_gh(server: str) -> str:
    """Return the token with which the user is logged in to `gh`; empty if there is none."""
    program = shutil.which("gh")
    if program is None or git.in_actions():
        return ""
    command = [program, "auth", "token", "--hostname", urlsplit(server).netloc]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _repository_of_remote(root: Path, server: str) -> str:
    """Return OWNER/NAME from the URL of the remote `origin`."""
    url = git.run(root, "remote", "get-url", "origin") if git.succeeds(root, "remote", "get-url", "origin") else ""
    host = re.escape(urlsplit(server).netloc)
    match = re.search(rf"{host}[:/]({REPOSITORY.pattern}?)(?:\.git)?/?$", url)
    if not match:
        raise ConfigError(
            "The remote `origin` is not a repository on GitHub." if url else "There is no remote `origin`.",
            f"Push to GitHub first, or set GITHUB_REPOSITORY to OWNER/NAME (and GITHUB_SERVER_URL, now {server}).",
        )
    return match.group(1)


def _error_from(method: str, path: str, response: requests.Response) -> ForgeError:
    """Return the error for a response, with what to do about it."""
    status, message = response.status_code, _message_of(response)
    request = f"{method} {path.split('?')[0]}"
    if status == 401:
        return ForgeError(
            f"GitHub does not accept the token ({message}).", "Set GITHUB_TOKEN to a valid token.", status
        )
    if _is_rate_limit(response, message):
        reset = response.headers.get("x-ratelimit-reset", "")
        until = f" until {datetime.fromtimestamp(int(reset), UTC):%H:%M} UTC" if reset.isdecimal() else " a few minutes"
        return ForgeError(
            f"GitHub's rate limit is exceeded ({message}).", f"Wait{until}, then run the same command again.", status
        )
    if status == 403 and FORBIDDEN in message:
        return PullRequestsForbidden(
            message,
            "Settings > Actions > General > Workflow permissions: tick `Allow GitHub Actions to create and approve "
            "pull requests`, then run Train again. The branch that was pushed is kept.",
            status,
        )
    if status == 403:
        return ForgeError(f"The token may not {request} ({message}).", _permission_hint(response), status)
    if status == 404:
        return ForgeError(
            f"GitHub does not know {request}, or does not show it to this token.",
            "Check GITHUB_REPOSITORY and the token's permissions, or run `gitops doctor`.",
            status,
        )
    message = message.rstrip(".")
    if status >= 500:
        error_class = ForgeError if method == "GET" else UncertainWrite
        next_step = "Run the same command again later."
        return error_class(f"GitHub failed at {request}: {status} {message}.", next_step, status)
    next_step = "Fix what the message names, then run the command again."
    return ForgeError(f"GitHub refuses {request}: {status} {message}.", next_step, status)


def _is_rate_limit(response: requests.Response, message: str) -> bool:
    is_exhausted = response.headers.get("x-ratelimit-remaining") == "0" or "rate limit" in message.lower()
    return response.status_code in (403, 429) and is_exhausted


def _permission_hint(response: requests.Response) -> str:
    """Return the missing permission, as GitHub names it, and where to grant it."""
    needed = response.headers.get("x-accepted-github-permissions", "").replace("_", "-").replace("=", ": ")
    if not git.in_actions():
        return f"Use a token with the permission `{needed}`." if needed else "Use a token of the repository's owner."
    if needed:
        return f"Grant `{needed}` under `permissions:` of the job in .github/workflows."
    return "Grant the missing permission under `permissions:` of the job in .github/workflows."


def _message_of(response: requests.Response) -> str:
    """Return the message of a response, with the errors that it lists."""
    try:
        document = response.json()
    except requests.JSONDecodeError:
        return str(response.reason)
    if not isinstance(document, dict):
        return str(response.reason)
    errors = [error.get("message") or f"{error.get('field')}: {error.get('code')}" if isinstance(error, dict) else error
              for error in document.get("errors", []) if error]  # fmt: skip
    return "; ".join(map(str, [document.get("message", response.reason), *errors]))
