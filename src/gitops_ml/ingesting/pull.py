"""Fetch new rows from the source in model.toml; your code is not imported."""

from collections.abc import Mapping
from pathlib import Path

from gitops_ml.config import Repository
from gitops_ml.ingesting import file_source, http_source, outcome_source, sql_source
from gitops_ml.ingesting.pulled_rows import Fetch, PulledRows, fetch_into

SOURCES: Mapping[str, Fetch] = {
    "file": file_source.fetch_file, "http": http_source.fetch_url, "sql": sql_source.fetch_query,
    "outcomes": outcome_source.fetch_labeled_rows,
}  # fmt: skip


def pull(repository: Repository, folder: Path) -> tuple[PulledRows, str]:
    """Fetch the rows of the source into a folder with a manifest.

    Args:
        repository: Repository whose model.toml names the source.
        folder: Folder to write; its old content is removed.

    Returns:
        The fetched rows, and the digest of the folder's manifest.

    Raises:
        ConfigError: The configuration of the source is wrong.
        DataUnreadable: The source cannot be read.
    """
    return fetch_into(repository, SOURCES[repository.config.ingest.source], folder)
