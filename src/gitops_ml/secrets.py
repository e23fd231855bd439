"""Secrets that workflows put into the environment: hidden from your code, and masked in output."""

import os

# Secrets of a server, which it removes from its environment before it imports your code: the token of callers, the
# token of clients that send outcomes, and the secret that hashes the columns in `hashed` of [log].
SERVER_SECRETS = ("GITOPS_TOKEN", "GITOPS_OUTCOMES_TOKEN", "GITOPS_LOG_KEY")
SECRET_NAMES = (
    "GITHUB_TOKEN", "GH_TOKEN", *SERVER_SECRETS, "GITOPS_REGISTRY_PASSWORD", "GITOPS_SIGNING_KEY",
    "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "INGEST_URL", "INGEST_TOKEN", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "GITOPS_WEBHOOK",
)  # fmt: skip
# Shorter values are not masked, for they occur in ordinary text.
MIN_LENGTH = 4
MASK = "***"


def environment_without_secrets() -> dict[str, str]:
    """Return the environment without secrets, for a process that runs code that is not the library's."""
    return {name: value for name, value in os.environ.items() if name not in SECRET_NAMES}


def remove_from_environment() -> None:
    """Remove secrets from the environment of this process, before it runs code that is not the library's."""
    for name in SECRET_NAMES:
        os.environ.pop(name, None)


def redact(text: str) -> str:
    """Return a text with the values of secrets masked, line by line of a value.

    Args:
        text: Text that may contain secrets, such as the output of a program.
    """
    lines = {line.strip() for name in SECRET_NAMES for line in os.environ.get(name, "").splitlines()}
    for line in sorted((line for line in lines if len(line) >= MIN_LENGTH), key=len, reverse=True):
        text = text.replace(line, MASK)
    return text
