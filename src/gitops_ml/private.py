"""What no code of yours gets to see, and no page shows: the secrets that workflows put into the environment."""

import os

# What a server is given, and takes out of its environment before it opens your code: what callers must bear, what those
# must who tell outcomes, and the key of hashes in the prediction log.
OF_SERVERS = ("GITOPS_TOKEN", "GITOPS_OUTCOMES_TOKEN", "GITOPS_LOG_KEY")
NAMES = (
    "GITHUB_TOKEN", "GH_TOKEN", *OF_SERVERS, "GITOPS_REGISTRY_PASSWORD", "GITOPS_SIGNING_KEY",
    "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "INGEST_URL", "INGEST_TOKEN", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "GITOPS_WEBHOOK",
)  # fmt: skip
# What is shorter than this is no secret, and would stand in half the words there are.
SHORTEST = 4
HIDDEN = "***"


def without() -> dict[str, str]:
    """The environment without them, for a process that runs what is not ours."""
    return {name: value for name, value in os.environ.items() if name not in NAMES}


def forget() -> None:
    """Take them out of this process's own environment, before it runs what is not ours."""
    for name in NAMES:
        os.environ.pop(name, None)


def redacted(text: str) -> str:
    """A text without any line of their values, whoever printed it."""
    lines = {line.strip() for name in NAMES for line in os.environ.get(name, "").splitlines()}
    for line in sorted((line for line in lines if len(line) >= SHORTEST), key=len, reverse=True):
        text = text.replace(line, HIDDEN)
    return text
