"""A server that ended because of how it is configured: no fault of the version, so nothing is held."""

from gitops_ml.errors import ConfigError, ContainerError


def insist(code: int | None, logs: str) -> None:
    """Fail where a server ended by itself over its configuration.

    Args:
        code: That it ended with; None where nobody knows.
        logs: What it printed.

    Raises:
        ContainerError: It did, with its own words.
    """
    if code == ConfigError.exit_code:
        raise ContainerError(
            f"The server does not start as it is configured. {_words(logs)}",
            "Mend it here, and run Deploy again: the version may be good, and nothing was held.",
        )


def _words(logs: str) -> str:
    """The last sentence about configuration that it printed, and what follows it."""
    lines = [line.strip() for line in logs.splitlines() if line.strip()]
    starts = [place for place, line in enumerate(lines) if line.startswith(f"{ConfigError.title}: ")]
    return " ".join(lines[starts[-1] if starts else -1 :])[:1000]
