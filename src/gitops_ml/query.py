"""Read the rows of a SQL query in chunks; no message quotes the database URL, which may contain a password."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from gitops_ml.errors import ConfigError, DataUnreadable
from gitops_ml.pull_request_event import describe_missing_secrets
from gitops_ml.rows.column_names import find_name_problem


class DatabaseWithheld(ConfigError):
    """The run of a workflow has no secrets, so a query cannot be run; that is no fault of the change."""


@dataclass(frozen=True)
class Query:
    """A SQL query and its limits.

    Attributes:
        table: Table of model.toml that has the query, such as "data".
        sql: Text of the query.
        variable: Environment variable with the SQLAlchemy URL.
        limit: Maximum number of rows.
        chunk_rows: Number of rows of a chunk.
    """

    table: str
    sql: str
    variable: str
    limit: int
    chunk_rows: int


def read_rows(query: Query) -> Iterator[pd.DataFrame]:
    """Run a query and read its rows.

    Args:
        query: Query and limits.

    Yields:
        Chunks of rows; the values are those of the database.

    Raises:
        ConfigError: The environment variable is not set.
        DatabaseWithheld: It is not set because GitHub gives this run of a workflow no secrets.
        DataUnreadable: The query failed, or returned too many rows.
    """
    import sqlalchemy as sa

    url = os.environ.get(query.variable)
    reason = "" if url else describe_missing_secrets()
    if reason:
        raise DatabaseWithheld(
            f"{reason} The query of [{query.table}] was not run, because {query.variable} is not set.",
            "A member of the repository can push the branch to this repository, where CI validates the rows.",
        )
    if not url:
        raise ConfigError(
            f"model.toml: [{query.table}] has a query, but the environment variable {query.variable} is not set.",
            "Set it to the SQLAlchemy URL of the database; in GitHub Actions, add a secret of this name.",
        )
    rows = 0
    try:
        with sa.create_engine(url).connect().execution_options(stream_results=True) as connection:
            result = connection.execute(sa.text(query.sql))
            names = list(result.keys())
            problem = find_name_problem(names)
            if problem:
                raise DataUnreadable(f"The result of the query: {problem}.", "Rename one of them in the query (`AS`).")
            for part in result.partitions(query.chunk_rows):
                # Objects, as the database returns them: pandas would make floats of integers with gaps.
                frame = pd.DataFrame([tuple(row) for row in part], columns=names, dtype=object)
                rows += len(frame)
                if rows > query.limit:
                    raise DataUnreadable(
                        f"The query returns more than the {query.limit} rows that model.toml allows.",
                        f"Increase `max_rows` under [{query.table}] if this machine has enough memory for the rows.",
                    )
                yield frame
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        raise _failed(_reason(error), query) from None
    except ValueError:
        raise _failed(f"the value of {query.variable} is not a valid URL", query) from None


def _reason(error: BaseException) -> str:
    """Return the database's error in one line, without errors that quote the URL."""
    import sqlalchemy as sa

    if isinstance(error, sa.exc.ArgumentError) and not isinstance(error, sa.exc.NoSuchModuleError):
        return "the URL is not one that SQLAlchemy can read"
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def _failed(reason: str, query: Query) -> DataUnreadable:
    return DataUnreadable(
        f"The query failed: {reason}.", f"Fix `query` under [{query.table}] in model.toml, or {query.variable}."
    )
