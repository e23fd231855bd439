"""Rows from a SQL query."""

from pathlib import Path

import pandas as pd

from gitops_ml.config import Repository
from gitops_ml.ingesting.formats import NO_ROWS, save_table
from gitops_ml.ingesting.pulled_rows import PulledRows
from gitops_ml.query import Query, read_rows


def fetch_query(repository: Repository, folder: Path) -> PulledRows:
    """Run the query under [ingest] on the database whose address is in the environment variable `url_env`.

    Args:
        repository: Repository whose model.toml has the query.
        folder: Folder to write the rows to.

    Returns:
        Document about the rows.

    Raises:
        ConfigError: The variable is not set.
        DataUnreadable: The query fails, or returns more than `max_rows`.
    """
    ingest = repository.config.ingest
    assert ingest.query is not None  # noqa: S101 (the configuration has checked it)
    query = Query("ingest", ingest.query, ingest.url_env, ingest.max_rows, repository.config.data.chunk_rows)
    rows = pd.concat([pd.DataFrame(), *read_rows(query)], ignore_index=True)
    return save_table(rows, folder, "the query under [ingest]", NO_ROWS.format(source="of the query under [ingest]"))
