"""Rows from an HTTP address, with time and size limits, and a token that is sent to that host only."""

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
from gitops_ml.ingesting.file_source import RAW
from gitops_ml.ingesting.pulled_rows import PulledRows
from gitops_ml.printable import show_addresses

TIMEOUT = (10, 60)
CHUNK = 2**20
REDIRECTS = 5
ATTEMPTS = 4
WAIT = 1.0  # seconds, doubled after each attempt
RETRY_STATUSES = {408, 425, 429, 500, 502, 503, 504}


class Interrupted(DataUnreadable):
    """A failure that may be temporary, so that another attempt is made."""


def fetch_url(repository: Repository, folder: Path) -> PulledRows:
    """Download the rows at the address `path` under [ingest].

    Args:
        repository: Repository whose model.toml names the address.
        folder: Folder to write the rows to.

    Returns:
        Document about the rows.

    Raises:
        ConfigError: It is not an HTTP address.
        DataUnreadable: The server refuses, redirects to another scheme, or sends too much.
    """
    address = repository.config.ingest.path
    assert address is not None  # noqa: S101 (the configuration has checked it)
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(
            f"model.toml: [ingest] path is {address!r}.",
            'source = "http" needs an address such as https://example.com/rows.csv.',
        )
    source = show_addresses(address)
    file_format = formats.detect_format(repository, PurePosixPath(parts.path).name)
    retrying = Retrying(
        retry=retry_if_exception_type(Interrupted), stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=WAIT), reraise=True,
    )  # fmt: skip
    retrying(_download, repository, address, folder / RAW, source)
    return formats.convert(folder / RAW, file_format, repository, source)


def _download(repository: Repository, address: str, file: Path, source: str) -> None:
    token = os.environ.get(repository.config.ingest.token_env)
    try:
        with _get(address, token) as response:
            formats.save_chunks(response.iter_content(CHUNK), file, repository, source)
    except requests.RequestException as error:
        raise Interrupted(
            f"{source} did not send a complete response ({type(error).__name__}).",
            "Check the network, and run the command again.",
        ) from error


@contextmanager
def _get(address: str, token: str | None) -> Iterator[requests.Response]:
    """Yield the response of an address; redirects keep the scheme, and another host does not get the token."""
    first, url = urlsplit(address), address
    for _ in range(REDIRECTS):
        authorization = {"Authorization": f"Bearer {token}"} if token and urlsplit(url).netloc == first.netloc else {}
        headers = {"User-Agent": f"gitops/{library.version()}", **authorization}
        with requests.get(
            url, headers=headers, timeout=TIMEOUT, stream=True, allow_redirects=False, auth=_no_netrc
        ) as response:
            if not response.is_redirect:
                _raise_for_status(response, address)
                yield response
                return
            url = urljoin(url, response.headers["location"])
        if urlsplit(url).scheme != first.scheme:
            raise DataUnreadable(
                f"{show_addresses(address)} redirects to {show_addresses(url)}, which is another scheme.",
                "Set `path` under [ingest] to the last address, if it is the right one.",
            )
    raise DataUnreadable(
        f"{show_addresses(address)} redirects more than {REDIRECTS} times.",
        "Set `path` under [ingest] to the last address.",
    )


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Return the request unchanged; with an `auth` of its own, requests does not read this machine's .netrc."""
    return request


def _raise_for_status(response: requests.Response, address: str) -> None:
    if response.ok:
        return
    error = Interrupted if response.status_code in RETRY_STATUSES else DataUnreadable
    hint = "Check the token." if response.status_code in {401, 403} else "Check `path` under [ingest]."
    raise error(f"{show_addresses(address)} answers {response.status_code} {response.reason}.", hint)
