# machinery
"""The windows that the store's branch remembers: one line of JSON each, oldest first."""

from pathlib import Path

from pydantic import ValidationError

from gitops.errors import IntegrityError
from gitops.monitoring.window import Window


def path(environment: str) -> str:
    """Where they lie on the branch."""
    return f"monitoring/{environment}.jsonl"


def read(folder: Path, environment: str) -> list[Window]:
    """Those of an environment; none where nothing was watched yet.

    Args:
        folder: The store's branch, checked out.
        environment: Where.

    Raises:
        IntegrityError: A line is not a window.
    """
    file = folder / path(environment)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    windows = []
    for number, line in enumerate(lines, 1):
        try:
            windows.append(Window.model_validate_json(line))
        except ValidationError as error:
            raise IntegrityError(
                f"{path(environment)} on the store branch: line {number} is not a window.",
                "Restore it from Git: `git log` of that branch.",
            ) from error
    return windows
