"""Rows of a SQL query, piece by piece; no sentence about it quotes the address, which may hold a password."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from gitops_ml.errors import ConfigError, DataUnreadable


@dataclass(frozen=True)
class Query:
    """What to ask, and where.

    Attributes:
        table: The table of model.toml that says so, such as "data".
        sql: The query.
        variable: The environment variable with the SQLAlchemy address.
        limit: Rows at most.
        chunk_rows: Rows at a time.
    """

    table: str
    sql: str
    variable: str
    limit: int
    chunk_rows: int


def ask(query: Query) -> Iterator[pd.DataFrame]:
    """The rows.

    Raises:
        ConfigError: The variable is not set.
        DataUnreadable: The database cannot be asked, or returns too much.
    """
    import sqlalchemy as sa

    url = os.environ.get(query.variable)
    if not url:
        raise ConfigError(
            f"model.toml: [{query.table}] has a query, but the environment variable {query.variable} is not set.",
            "Set it to the SQLAlchemy URL of the database; in GitHub Actions, from a secret.",
        )
    rows = 0
    try:
        with sa.create_engine(url).connect().execution_options(stream_results=True) as connection:
            for frame in pd.read_sql_query(sa.text(query.sql), connection, chunksize=query.chunk_rows):
                rows += len(frame)
                if rows > query.limit:
                    raise DataUnreadable(
                        f"The query returns more than the {query.limit} rows that model.toml allows.",
                        f"Raise `max_rows` under [{query.table}] if this machine has the memory for them.",
                    )
                yield frame
    except (sa.exc.SQLAlchemyError, pd.errors.DatabaseError, ImportError) as error:
        raise _failed(_reason(error), query) from None
    except ValueError:
        raise _failed(f"the address in {query.variable} cannot be read", query) from None


def _reason(error: BaseException) -> str:
    """What the database said, in one line; whatever quotes the address is left out."""
    import sqlalchemy as sa

    if isinstance(error, pd.errors.DatabaseError) and error.__cause__:
        error = error.__cause__
    if isinstance(error, sa.exc.ArgumentError) and not isinstance(error, sa.exc.NoSuchModuleError):
        return "the address is not one that SQLAlchemy knows"
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def _failed(reason: str, query: Query) -> DataUnreadable:
    return DataUnreadable(
        f"The query failed: {reason}.", f"Mend `query` under [{query.table}] in model.toml, or {query.variable}."
    )
