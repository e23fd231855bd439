"""The SQLite database of the store: the schema revision that it has, and a sentence for each way in which it fails."""

import sqlite3
from contextlib import closing
from pathlib import Path

from gitops_ml.errors import StoreError

# Seconds to wait for a lock of another process, as MLflow does.
BUSY_TIMEOUT = 20.0
DELETED = (
    "The branch was deleted, renamed or not pushed. A clone that fetched it can restore it: `git push origin "
    "origin/mlflow:refs/heads/mlflow`, with the names of `branch` and `remote` under [store] in model.toml. The page "
    "Activity of the repository on GitHub shows its last commit."
)
RESTORE = "Restore an earlier commit of that branch: `git log origin/mlflow` lists them."


def check_schema(database: Path) -> None:
    """Raise if a database is of another MLflow version; MLflow would migrate it irreversibly when it opens it.

    Args:
        database: The SQLite file; nothing is checked if it does not exist.

    Raises:
        StoreError: The database's schema is not the one of the installed MLflow, or it cannot be read.
    """
    # The import takes seconds; a file that exists before it may have been removed after it.
    import mlflow
    from mlflow.store.db.utils import _get_latest_schema_revision

    if not database.exists():
        return
    found, installed = schema_revision(database), _get_latest_schema_revision()
    if found != installed:
        raise StoreError(
            f"The store was written by another MLflow (schema {found}; MLflow {mlflow.__version__} has {installed}).",
            "Install the MLflow of requirements/train.txt, or, if that one is newer, run `gitops store upgrade`.",
        )


def schema_revision(database: Path) -> str:
    """Return the schema revision of a SQLite database of MLflow.

    Args:
        database: The SQLite file.

    Raises:
        StoreError: The file is missing, locked, damaged, cannot be read, or is no database of MLflow.
    """
    try:
        uri = f"{database.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
                raise _not_of_mlflow(database)
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise database_error(error, database) from error
    if row is None:
        raise _not_of_mlflow(database)
    return str(row[0])


def find_database_error(error: BaseException | None) -> sqlite3.Error | None:
    """Return SQLite's error among the causes of an error of MLflow or SQLAlchemy; None if there is none.

    Args:
        error: The error.
    """
    while error is not None and not isinstance(error, sqlite3.Error):
        error = error.__cause__ or error.__context__
    return error


def database_error(error: sqlite3.Error, database: Path) -> StoreError:
    """Return the error to raise for an error of SQLite: what happened to the store's database, and what to do.

    Args:
        error: SQLite's error.
        database: The SQLite file.
    """
    # The low byte of an extended result code is the primary one.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    name, folder = database.name, database.parent
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(
            f"{name} of the store is locked by another process, and was for {BUSY_TIMEOUT:.0f} seconds.",
            f"Stop the process that uses {folder}, then run the same command again.",
        )
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StoreError(f"{name} on the store branch is damaged: {error}.", RESTORE)
    if code == sqlite3.SQLITE_CANTOPEN and not database.exists():
        return StoreError(
            f"{name} of the store is missing: another process removed it from {folder}.",
            "Set TMPDIR to a folder that no other process cleans, then run the same command again.",
        )
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return StoreError(
            f"{name} of the store cannot be read or written: {error}. The disk is full, or it fails.",
            f"Free space for {folder}, or set TMPDIR to a folder on another disk, then run the same command again.",
        )
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY):
        return StoreError(
            f"{name} of the store cannot be opened: {error}.",
            f"Allow this user to read and write files in {folder}, or set TMPDIR to another folder.",
        )
    return StoreError(f"{name} of the store cannot be read: {error}.", RESTORE)


def _not_of_mlflow(database: Path) -> StoreError:
    size = database.stat().st_size
    return StoreError(f"{database.name} on the store branch ({size} bytes) holds no tables of MLflow.", RESTORE)
