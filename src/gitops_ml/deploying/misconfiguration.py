"""Servers that end because of their configuration; this is no fault of the version, so no version is held."""

from gitops_ml.errors import ConfigError, ContainerError


def raise_if_misconfigured(code: int | None, logs: str) -> None:
    """Raise if a server ended because of its configuration.

    Args:
        code: Exit code of the server; None if it is unknown.
        logs: Output of the server.

    Raises:
        ContainerError: The exit code is that of a configuration error.
    """
    if code == ConfigError.exit_code:
        raise ContainerError(
            f"The server does not start with this configuration. {_last_message(logs)}",
            "Fix the configuration and run Deploy again. The version may be good; no version was held.",
        )


def _last_message(logs: str) -> str:
    """Return the last message about the configuration, and the lines after it."""
    lines = [line.strip() for line in logs.splitlines() if line.strip()]
    starts = [index for index, line in enumerate(lines) if line.startswith(f"{ConfigError.title}: ")]
    return " ".join(lines[starts[-1] if starts else -1 :])[:1000]
