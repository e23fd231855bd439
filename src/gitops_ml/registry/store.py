"""The MLflow store: a branch of the repository, or the tracking server that MLFLOW_TRACKING_URI names."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

from gitops_ml.config import Repository
from gitops_ml.errors import StoreError
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.clone_folder import CloneRemoved
from gitops_ml.registry.database import RESTORE, check_schema, database_error, find_database_error, schema_revision
from gitops_ml.secrets import redact

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")
SERVER = "MLFLOW_TRACKING_URI"
DATABASE = "mlflow.db"
ARTIFACTS = "artifacts"
SCHEME = "gitstore"
# Environment variable with the folder of the open store; mlflow_plugin reads it.
ROOT = "GITOPS_STORE_ROOT"

# MLflow reads these when it is imported. A pool would keep the database file open after Git has replaced it.
os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")


class Store(Protocol):
    """MLflow's runs and model versions."""

    def read(self, query: "Callable[[MlflowClient], T]", empty: T) -> T:
        """Read from the newest state of the store.

        Args:
            query: Function of an MLflow client that reads.
            empty: Value to return if there is no store yet.

        Returns:
            What `query` returned, or `empty`.

        Raises:
            StoreError: The store cannot be reached or read.
        """

    def write(self, message: str, change: "Callable[[MlflowClient], T]") -> T:
        """Change the store.

        Args:
            message: Commit message of a store on a branch.
            change: Function of an MLflow client that writes. It must be repeatable, because it may be called more than
                once.

        Returns:
            What `change` returned.

        Raises:
            StoreError: The store cannot be reached or written.
        """


def connect(repository: Repository) -> Store:
    """Return the store: the server that MLFLOW_TRACKING_URI names, or the branch of this repository.

    Args:
        repository: The clone.

    Raises:
        StoreError: The value of MLFLOW_TRACKING_URI is no address.
    """
    uri = os.environ.get(SERVER)
    try:
        urlsplit(uri or "")
    except ValueError as error:
        raise StoreError(f"The value of {SERVER} is no address: {error}.", f"Fix {SERVER}, or remove it.") from error
    return ServerStore(uri) if uri else BranchStore(repository)


class ServerStore:
    """Store on an MLflow tracking server.

    Attributes:
        uri: Tracking URI of the server.
    """

    def __init__(self, uri: str) -> None:
        """Set the URI; the server is not asked yet.

        Args:
            uri: Tracking URI of the server.
        """
        self.uri = uri

    def read(self, query: "Callable[[MlflowClient], T]", empty: T) -> T:
        """Read from the server, which always has a store."""
        with _mlflow(self.uri) as client:
            return query(client)

    def write(self, message: str, change: "Callable[[MlflowClient], T]") -> T:
        """Change the store on the server."""
        with _mlflow(self.uri) as client:
            return change(client)


class BranchStore:
    """Store on the branch that model.toml names under [store], with MLflow on SQLite.

    Attributes:
        branch: The branch.
    """

    def __init__(self, repository: Repository) -> None:
        """Create the branch object; nothing is fetched yet.

        Args:
            repository: The clone that the user works in.
        """
        self.branch = Branch(repository)

    def read(self, query: "Callable[[MlflowClient], T]", empty: T) -> T:
        """Read from the newest state of the branch."""

        def look() -> T:
            if self.branch.refresh() is None:
                return empty
            with self._open(self.branch.root) as client:
                return query(client)

        return self.branch.repeat_in_new_clone(look)

    def write(self, message: str, change: "Callable[[MlflowClient], T]") -> T:
        """Change the database and the artefacts in one transaction on the branch."""

        def apply(root: Path) -> T:
            with self._open(root) as client:
                return change(client)

        return self.branch.transact(message, apply)

    @contextmanager
    def _open(self, root: Path) -> "Iterator[MlflowClient]":
        database = root / DATABASE
        check_schema(database)
        before = _inode(database)
        if before is None and self.branch.tracks(DATABASE):
            raise CloneRemoved(root)
        os.environ[ROOT] = str(root)
        try:
            with _mlflow(store_uri(root)) as client:
                yield client
        except Exception as error:
            cause = find_database_error(error)
            if cause is None:
                raise
            raise database_error(cause, database) from error
        finally:
            # MLflow creates a database that is missing: an empty one must neither be read nor pushed.
            if before is not None and _inode(database) != before:
                raise CloneRemoved(root)


def _inode(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None


def store_uri(root: Path) -> str:
    """Return MLflow's tracking and registry URI of the store in a folder.

    Args:
        root: Checkout of the store branch.
    """
    return f"{SCHEME}:{root}"


@contextmanager
def _mlflow(uri: str) -> "Iterator[MlflowClient]":
    """Yield a client; errors of MLflow become a StoreError."""
    import mlflow
    import requests
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    configured = os.environ.get(SERVER)
    # log_model takes no client; it uses this URI.
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    # MLflow also sets the environment variable, which `connect` would take for a server that the user configured.
    os.environ.pop(SERVER, None)
    if configured is not None:
        os.environ[SERVER] = configured
    try:
        yield mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    except ImportError as error:
        if uri.startswith(f"{SCHEME}:"):
            raise
        raise StoreError(
            f"MLflow needs a package for {uri} that is not installed: {redact(str(error))}.",
            f"Add it to requirements/train.in and run `make lock`, or fix {SERVER}.",
        ) from error
    except (MlflowException, requests.RequestException, SQLAlchemyError) as error:
        raise _mlflow_error(uri, error) from error


def _mlflow_error(uri: str, error: Exception) -> StoreError:
    """Return the error to raise for an error of MLflow, which quotes its URI, whole and in parts."""
    message = redact((str(error).splitlines() or [type(error).__name__])[0])
    if uri.startswith(f"{SCHEME}:"):
        return StoreError(f"MLflow cannot do this in the store's database: {message}", f"Run it again. {RESTORE}")
    return StoreError(
        f"MLflow at {uri} answered: {message}", f"Check that it can be reached and allows this ({SERVER})."
    )


def upgrade_schema(repository: Repository) -> tuple[str | None, str | None]:
    """Migrate the database on the branch to the schema of the installed MLflow, in one transaction.

    Args:
        repository: The clone.

    Returns:
        The schema revisions before and after; equal if there was nothing to do, None if there is no database.

    Raises:
        StoreError: The branch cannot be reached, or its database is damaged.
    """

    def migrate(root: Path) -> tuple[str | None, str | None]:
        import sqlalchemy as sa
        from mlflow.store.db.utils import _upgrade_db

        database = root / DATABASE
        if not database.exists():
            return None, None
        before = schema_revision(database)
        _upgrade_db(sa.create_engine(f"sqlite:///{database}", poolclass=sa.pool.NullPool))
        return before, schema_revision(database)

    return Branch(repository).transact("Upgrade the store to the installed MLflow", migrate)
