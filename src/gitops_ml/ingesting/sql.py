"""Rows from a query."""

from pathlib import Path

import pandas as pd

from gitops_ml.config import Repository
from gitops_ml.ingesting.formats import NOTHING, table
from gitops_ml.ingesting.pulled import Pulled
from gitops_ml.query import Query, ask


def fetch(repository: Repository, folder: Path) -> Pulled:
    """Ask the database at the address in `url_env`.

    Raises:
        ConfigError: The variable is not set.
        DataUnreadable: The database cannot be asked, or returns more than `max_rows`.
    """
    ingest = repository.config.ingest
    assert ingest.query is not None  # noqa: S101 (the configuration has checked it)
    query = Query("ingest", ingest.query, ingest.url_env, ingest.max_rows, repository.config.data.chunk_rows)
    rows = pd.concat([pd.DataFrame(), *ask(query)], ignore_index=True)
    return table(rows, folder, "the query under [ingest]", NOTHING.format(source="of the query under [ingest]"))
