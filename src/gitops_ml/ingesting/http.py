"""Rows from an HTTP address: in time, under a limit, and with a token that goes to that host alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urljoin, urlsplit

import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from gitops_ml import library
from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError, DataUnreadable
from gitops_ml.ingesting import formats
from gitops_ml.ingesting.file import RAW
from gitops_ml.ingesting.pulled import Pulled

TIMEOUT = (10, 60)
PIECE = 2**20
REDIRECTS = 5
ATTEMPTS = 4
WAIT = 1.0  # seconds, doubled each time
AGAIN = {408, 425, 429, 500, 502, 503, 504}


class Interrupted(DataUnreadable):
    """It may be there in a moment."""


def fetch(repository: Repository, folder: Path) -> Pulled:
    """Copy what the address `path` answers.

    Raises:
        ConfigError: It is no HTTP address.
        DataUnreadable: It refuses, leads to another scheme, or is too large.
    """
    address = repository.config.ingest.path
    assert address is not None  # noqa: S101 (the configuration has checked it)
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(
            f"model.toml: [ingest] path is {address!r}.",
            'source = "http" needs an address such as https://example.com/rows.csv.',
        )
    source = _shown(address)
    kind = formats.of(repository, PurePosixPath(parts.path).name)
    again = Retrying(
        retry=retry_if_exception_type(Interrupted), stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=WAIT), reraise=True,
    )  # fmt: skip
    again(_copy, repository, address, folder / RAW, source)
    return formats.settle(folder / RAW, kind, repository, source)


def _copy(repository: Repository, address: str, file: Path, source: str) -> None:
    token = os.environ.get(repository.config.ingest.token_env)
    try:
        with _answer(address, token) as answer:
            formats.land(answer.iter_content(PIECE), file, repository, source)
    except requests.RequestException as error:
        raise Interrupted(
            f"{source} gave no whole answer ({type(error).__name__}).", "Check the network, and run it again."
        ) from error


@contextmanager
def _answer(address: str, token: str | None) -> Iterator[requests.Response]:
    """What an address answers, after redirects; each of them within the scheme, and the token never to another host."""
    first, here = urlsplit(address), address
    for _ in range(REDIRECTS):
        bearer = {"Authorization": f"Bearer {token}"} if token and urlsplit(here).netloc == first.netloc else {}
        headers = {"User-Agent": f"gitops/{library.version()}", **bearer}
        with requests.get(
            here, headers=headers, timeout=TIMEOUT, stream=True, allow_redirects=False, auth=_nobody
        ) as answer:
            if not answer.is_redirect:
                _insist(answer, address)
                yield answer
                return
            here = urljoin(here, answer.headers["location"])
        if urlsplit(here).scheme != first.scheme:
            raise DataUnreadable(
                f"{_shown(address)} leads to {_shown(here)}, which is another scheme.",
                "Name the last address itself as `path` under [ingest], if it is the right one.",
            )
    raise DataUnreadable(
        f"{_shown(address)} leads on and on.", "Name the last address itself as `path` under [ingest]."
    )


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """No name and password from a file of this machine's."""
    return request


def _insist(answer: requests.Response, address: str) -> None:
    if answer.ok:
        return
    problem = Interrupted if answer.status_code in AGAIN else DataUnreadable
    hint = "Check the token." if answer.status_code in {401, 403} else "Check `path` under [ingest]."
    raise problem(f"{_shown(address)} answers {answer.status_code} {answer.reason}.", hint)


def _shown(address: str) -> str:
    """An address without what may be secret in it."""
    parts = urlsplit(address)
    host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    return f"{parts.scheme}://{host}{parts.path}"
