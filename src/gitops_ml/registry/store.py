"""MLflow's runs and versions: on a branch of the repository, or on a server where MLFLOW_TRACKING_URI names one."""

import logging
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from gitops_ml.config import Repository
from gitops_ml.errors import StoreError
from gitops_ml.registry.branch import Branch

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")
SERVER = "MLFLOW_TRACKING_URI"
DATABASE = "mlflow.db"
ARTIFACTS = "artifacts"
SCHEME = "gitstore"
PASSWORD = re.compile(r"://[^/\s]+@")
# Where the artefacts of the open store lie; mlflow_plugin reads it.
ROOT = "GITOPS_STORE_ROOT"

# Read when MLflow is imported. A pool would hold on to the database file after Git has replaced it.
os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")


class Store(Protocol):
    """Where MLflow keeps runs and versions."""

    def read(self, ask: "Callable[[MlflowClient], T]", empty: T) -> T:
        """Ask MLflow something, on the newest state; `empty` is the answer where there is no store yet."""

    def write(self, message: str, change: "Callable[[MlflowClient], T]") -> T:
        """Change something; `change` must be repeatable, for it may be applied more than once."""


def connect(repository: Repository) -> Store:
    """The server that MLFLOW_TRACKING_URI names, or else the branch of this repository."""
    uri = os.environ.get(SERVER)
    return ServerStore(uri) if uri else BranchStore(repository)


class ServerStore:
    """An MLflow tracking server."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def read(self, ask: "Callable[[MlflowClient], T]", empty: T) -> T:
        """Ask the server, which always has a store."""
        with _mlflow(self.uri) as client:
            return ask(client)

    def write(self, message: str, change: "Callable[[MlflowClient], T]") -> T:
        """Change something on the server."""
        with _mlflow(self.uri) as client:
            return change(client)


class BranchStore:
    """MLflow on SQLite, on the branch that model.toml names under [store]."""

    def __init__(self, repository: Repository) -> None:
        self.branch = Branch(repository)

    def read(self, ask: "Callable[[MlflowClient], T]", empty: T) -> T:
        """Ask the newest state of the branch."""
        if self.branch.refresh() is None:
            return empty
        with self._open(self.branch.root) as client:
            return ask(client)

    def write(self, message: str, change: "Callable[[MlflowClient], T]") -> T:
        """Change the database and the artefacts in one transaction on the branch."""

        def apply(root: Path) -> T:
            with self._open(root) as client:
                return change(client)

        return self.branch.transact(message, apply)

    @contextmanager
    def _open(self, root: Path) -> "Iterator[MlflowClient]":
        check_schema(root / DATABASE)
        os.environ[ROOT] = str(root)
        with _mlflow(address(root)) as client:
            yield client


def address(root: Path) -> str:
    """What to hand MLflow as tracking and registry URI for the store in this folder."""
    return f"{SCHEME}:{root}"


@contextmanager
def _mlflow(uri: str) -> "Iterator[MlflowClient]":
    """A client, with MLflow's own complaints turned into ours."""
    import mlflow
    import requests
    from mlflow.exceptions import MlflowException

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    named = os.environ.get(SERVER)
    # log_model knows no client and takes the address from here.
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    # MLflow puts it into the environment too, where `connect` would take it for a server that a person named.
    os.environ.pop(SERVER, None)
    if named is not None:
        os.environ[SERVER] = named
    try:
        yield mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    except (MlflowException, requests.RequestException) as error:
        # MLflow quotes the address that it asked, and a password may stand in it.
        said = PASSWORD.sub("://", str(error).splitlines()[0])
        raise StoreError(
            f"MLflow at {uri.split('@')[-1]} answered: {said}",
            f"Check that it can be reached and allows this ({SERVER}).",
        ) from error


def check_schema(database: Path) -> None:
    """Refuse a database of another MLflow before MLflow opens it, for opening would migrate it for ever.

    Raises:
        StoreError: The database's schema is not the one of the installed MLflow.
    """
    if not database.exists():
        return
    import mlflow
    from mlflow.store.db.utils import _get_latest_schema_revision

    found, known = revision(database), _get_latest_schema_revision()
    if found != known:
        raise StoreError(
            f"The store was written by another MLflow (schema {found}; MLflow {mlflow.__version__} has {known}).",
            "Install the MLflow of requirements/train.txt, or, if that one is newer, run `gitops store upgrade`.",
        )


def revision(database: Path) -> str | None:
    """The schema revision that a SQLite database of MLflow carries; None where it carries none.

    Raises:
        StoreError: It is not a SQLite database.
    """
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"{database.name} on the store branch is damaged: {error}.",
            "Go back to an earlier commit of that branch: `git log origin/mlflow`.",
        ) from error
    return row[0] if row else None


def upgrade(repository: Repository) -> tuple[str | None, str | None]:
    """Migrate the database on the branch to the installed MLflow's schema, in one transaction.

    Returns:
        The schema revisions before and after; equal when there was nothing to do.
    """

    def migrate(root: Path) -> tuple[str | None, str | None]:
        import sqlalchemy as sa
        from mlflow.store.db.utils import _upgrade_db

        database = root / DATABASE
        if not database.exists():
            return None, None
        before = revision(database)
        _upgrade_db(sa.create_engine(f"sqlite:///{database}", poolclass=sa.pool.NullPool))
        return before, revision(database)

    return Branch(repository).transact("Upgrade the store to the installed MLflow", migrate)
