"""Fetch new rows from where model.toml says they are; no code of yours is imported."""

from collections.abc import Mapping
from pathlib import Path

from gitops_ml.config import Repository
from gitops_ml.ingesting import file, http, outcomes, sql
from gitops_ml.ingesting.pulled import Fetch, Pulled, keep

SOURCES: Mapping[str, Fetch] = {
    "file": file.fetch, "http": http.fetch, "sql": sql.fetch, "outcomes": outcomes.fetch,
}  # fmt: skip


def pull(repository: Repository, folder: Path) -> tuple[Pulled, str]:
    """Fetch the rows of the source into a sealed folder; what they are, and the folder's digest.

    Raises:
        ConfigError: The source is not as it must be.
        DataUnreadable: It cannot be read.
    """
    return keep(repository, SOURCES[repository.config.ingest.source], folder)
