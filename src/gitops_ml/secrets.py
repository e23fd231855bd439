"""Secrets that workflows put into the environment: prepared for commands, hidden from your code, masked in output."""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from gitops_ml.errors import ConfigError
from gitops_ml.job_secrets import TABLE

# Secrets of a server, which it removes from its environment before it imports your code: the token of callers, the
# token of clients that send outcomes, and the secret that hashes the columns in `hashed` of [log].
SERVER_SECRETS = ("GITOPS_TOKEN", "GITOPS_OUTCOMES_TOKEN", "GITOPS_LOG_KEY")
GOOGLE_KEY = "GOOGLE_APPLICATION_CREDENTIALS_JSON"
GOOGLE_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
# Secrets of GitHub Actions, and of the table.
MASKED = (
    "GITHUB_TOKEN", "GH_TOKEN", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    *(secret.name for secret in TABLE if secret.kind == "secret"),
)  # fmt: skip
# Addresses and names of users are hidden from your code too, but not masked: they occur in ordinary text.
SECRET_NAMES = (*MASKED, *(secret.name for secret in TABLE if secret.kind == "either"))
# Shorter values are not masked, for they occur in ordinary text.
MIN_LENGTH = 4
# Passwords and values of a query in an address are masked from this length on.
TOKEN_LENGTH = 8
MASK = "***"


@contextmanager
def prepare_environment() -> Iterator[None]:
    """Return a context in which the secrets of a job are ready for the programs that read them.

    A workflow sets a variable for every secret that may exist. An empty one is removed, because MLflow and the packages
    of cloud storage would take it as a value. Google's packages read a file: it is private to this user, in the
    runner's temporary folder if there is one, and removed when the context ends.

    Raises:
        ConfigError: GOOGLE_APPLICATION_CREDENTIALS_JSON is not JSON.
    """
    for secret in TABLE:
        if secret.is_standard and os.environ.get(secret.name) == "":
            del os.environ[secret.name]
    key = os.environ.get(GOOGLE_KEY)
    if key is None:
        yield
        return
    _require_json(key)
    before = os.environ.get(GOOGLE_FILE)
    with tempfile.TemporaryDirectory(prefix="gitops-", dir=os.environ.get("RUNNER_TEMP") or None) as folder:
        file = Path(folder, "google.json")
        file.touch(mode=0o600)
        file.write_text(key, encoding="utf-8")
        os.environ[GOOGLE_FILE] = str(file)
        try:
            yield
        finally:
            os.environ.pop(GOOGLE_FILE, None)
            if before is not None:
                os.environ[GOOGLE_FILE] = before


def _require_json(key: str) -> None:
    """Raise ConfigError, which does not quote the key, if it is not a JSON object."""
    try:
        is_object = isinstance(json.loads(key), dict)
    except ValueError:
        is_object = False
    if not is_object:
        raise ConfigError(
            f"{GOOGLE_KEY} is not a JSON object.",
            "Set the secret to the whole content of the service account's key file.",
        )


def environment_without_secrets() -> dict[str, str]:
    """Return the environment without secrets, for a process that runs code that is not the library's."""
    return {name: value for name, value in os.environ.items() if name not in _hidden_names()}


def remove_from_environment() -> None:
    """Remove secrets from the environment of this process, before it runs code that is not the library's."""
    for name in _hidden_names():
        os.environ.pop(name, None)


def _hidden_names() -> tuple[str, ...]:
    """Return the names of secrets, with the file of Google's key only if this process has written it."""
    return (*SECRET_NAMES, GOOGLE_FILE) if os.environ.get(GOOGLE_KEY) else SECRET_NAMES


def redact(text: str) -> str:
    """Return a text with the values of secrets masked, line by line of a value, and with the secrets of addresses.

    Args:
        text: Text that may contain secrets, such as the output of a program.
    """
    lines = {line.strip() for name in MASKED for line in os.environ.get(name, "").splitlines()}
    masked = {line for line in lines if len(line) >= MIN_LENGTH} | _secrets_of_addresses()
    for line in sorted(masked, key=len, reverse=True):
        text = text.replace(line, MASK)
    return text


def _secrets_of_addresses() -> set[str]:
    """Return passwords and queries of the addresses in the environment, such as MLFLOW_TRACKING_URI.

    Programs quote parts of an address, where it is no longer recognized as one. A value of a query is masked if it is
    as long as a token and has a digit; others, such as `require` or `repository`, occur in ordinary text.
    """
    found = set[str]()
    for value in os.environ.values():
        _, separator, rest = value.strip().partition("://")
        if not separator or any(character.isspace() for character in value.strip()):
            continue
        place, _, query = rest.partition("?")
        password = place.rpartition("@")[0].partition(":")[2]
        values = [value for pair in query.split("&") if re.search(r"\d", value := pair.partition("=")[2])]
        found |= {each for each in (password, unquote(password), *values) if len(each) >= TOKEN_LENGTH}
    return found
