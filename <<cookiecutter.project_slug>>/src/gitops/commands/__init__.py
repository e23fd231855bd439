# machinery
"""What a person and a workflow call: each composes the rooms, prints, and says how it ended."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops.config import Repository


def find(project: Path) -> "Repository":
    """The repository around a folder; imported late, so that `--help` answers at once."""
    from gitops.config import find as find_repository

    return find_repository(project)
