"""The store's database: each way in which it fails has its own sentence, and what is transient is retried."""

import shutil
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_ml import config
from gitops_ml.errors import StoreError
from gitops_ml.registry import database
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.store import DATABASE, BranchStore, store_uri
from unit.sample import Project


def create_database(folder: Path, statement: str = "CREATE TABLE alembic_version (version_num TEXT)") -> Path:
    """Create a database with the table of MLflow's schema revision, and return its path."""
    path = folder / DATABASE
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.execute("INSERT INTO alembic_version VALUES ('abc')") if "alembic" in statement else None
    connection.commit()
    connection.close()
    return path


def sqlite_error(code: int) -> sqlite3.OperationalError:
    """Return an error of SQLite with a result code."""
    error = sqlite3.OperationalError("as SQLite words it")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize("folder", ["plain", "with space", "with#hash", "with%41percent", "with?question"])
def test_the_revision_is_read_from_any_path(tmp_path: Path, folder: str) -> None:
    """A temporary folder may have a name that means something in a URI."""
    (tmp_path / folder).mkdir()
    assert database.schema_revision(create_database(tmp_path / folder)) == "abc"


@pytest.mark.parametrize("content", [b"", b"CREATE"])
def test_a_partially_written_file_is_not_another_mlflow(tmp_path: Path, content: bytes) -> None:
    """An empty or cut file is named as what it is."""
    (tmp_path / DATABASE).write_bytes(content)
    with pytest.raises(StoreError, match=r"holds no tables of MLflow|is damaged"):
        database.schema_revision(tmp_path / DATABASE)


def test_a_database_without_a_revision_is_not_another_mlflow(tmp_path: Path) -> None:
    """A SQLite database of something else."""
    with pytest.raises(StoreError, match="holds no tables of MLflow"):
        database.schema_revision(create_database(tmp_path, "CREATE TABLE other (x TEXT)"))


def test_a_missing_file_is_not_another_mlflow(tmp_path: Path) -> None:
    """The file was removed after it was seen."""
    with pytest.raises(StoreError, match="is missing: another process removed it"):
        database.schema_revision(tmp_path / DATABASE)


def test_a_lock_that_stays_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time limit the sentence says that the database is locked."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.05)
    holder = sqlite3.connect(create_database(tmp_path))
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="is locked by another process"):
        database.schema_revision(tmp_path / DATABASE)
    holder.close()


def test_a_lock_that_ends_is_waited_for(tmp_path: Path) -> None:
    """A lock is transient."""
    holder = sqlite3.connect(create_database(tmp_path), check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(0.2, holder.rollback)
    timer.start()
    assert database.schema_revision(tmp_path / DATABASE) == "abc"
    timer.join()
    holder.close()


@pytest.mark.parametrize(
    ("code", "sentence", "step"),
    [
        (sqlite3.SQLITE_BUSY, "is locked", "Stop the process"),
        (sqlite3.SQLITE_LOCKED, "is locked", "Stop the process"),
        (sqlite3.SQLITE_CORRUPT, "is damaged", "Restore an earlier commit"),
        (sqlite3.SQLITE_NOTADB, "is damaged", "Restore an earlier commit"),
        (sqlite3.SQLITE_FULL, "The disk is full", "Free space"),
        (sqlite3.SQLITE_IOERR_READ, "The disk is full, or it fails", "Free space"),
        (sqlite3.SQLITE_READONLY, "cannot be opened", "Allow this user"),
        (sqlite3.SQLITE_CANTOPEN, "is missing", "Set TMPDIR"),
        (sqlite3.SQLITE_ERROR, "as SQLite words it", "Restore an earlier commit"),
    ],
)
def test_each_error_of_sqlite_has_a_sentence(tmp_path: Path, code: int, sentence: str, step: str) -> None:
    """No error of SQLite is called another MLflow, and each has a next step."""
    error = database.database_error(sqlite_error(code), tmp_path / DATABASE)
    assert sentence in error.problem
    assert step in error.next_step
    assert "another MLflow" not in error.problem


def test_the_cause_of_an_error_of_mlflow_is_found() -> None:
    """MLflow wraps SQLAlchemy's error, which wraps SQLite's."""
    outer, middle = RuntimeError("MLflow"), ValueError("SQLAlchemy")
    outer.__cause__, middle.__cause__ = middle, sqlite_error(sqlite3.SQLITE_FULL)
    assert database.find_database_error(outer) is middle.__cause__
    assert database.find_database_error(RuntimeError()) is None


@pytest.fixture
def opened(at_stage: Callable[[str], Project]) -> BranchStore:
    """Return the store of the project with version 1."""
    return BranchStore(config.find_repository(at_stage("registered").root))


def names(store: BranchStore) -> list[str]:
    """Return the names of the registered models."""
    return store.read(lambda client: [model.name for model in client.search_registered_models()], [])


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "removed", [pytest.param("", marks=SLOW), pytest.param(".git", marks=SLOW), "mlflow.db", "../"]
)
def test_a_removed_clone_is_made_again(opened: BranchStore, removed: str) -> None:
    """Another process cleans the temporary folder between two uses of the store."""
    assert names(opened) == ["sample"]
    _remove(opened.branch.root / removed)
    assert names(opened) == ["sample"]


@pytest.mark.parametrize("removed", ["", "mlflow.db"])
def test_a_clone_removed_while_the_database_is_opened(
    opened: BranchStore, monkeypatch: pytest.MonkeyPatch, removed: str
) -> None:
    """The store is opened once more, instead of naming another MLflow or showing an empty store."""
    once = iter([True])

    def remove_then_check(path: Path) -> None:
        if next(once, False):
            _remove(path.parent / removed)
        database.check_schema(path)

    monkeypatch.setattr("gitops_ml.registry.store.check_schema", remove_then_check)
    assert names(opened) == ["sample"]


@pytest.mark.slow
def test_an_empty_database_is_never_pushed(opened: BranchStore) -> None:
    """MLflow creates a database that is missing; the change is applied again to the whole one."""
    once = iter([True])

    def change(client: object) -> None:
        if next(once, False):
            _remove(opened.branch.root / DATABASE)
        client.set_registered_model_tag("sample", "changed", "yes")  # type: ignore[attr-defined]

    opened.write("change", change)
    assert names(opened) == ["sample"]


def test_a_folder_that_is_always_cleaned_is_named(opened: BranchStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """After three clones the sentence says what happens, and that nothing was lost."""

    def remove(path: Path) -> None:
        shutil.rmtree(path.parent)

    monkeypatch.setattr("gitops_ml.registry.store.check_schema", remove)
    with pytest.raises(StoreError, match=r"Another process removed files from") as caught:
        names(opened)
    assert "TMPDIR" in caught.value.next_step


def test_git_never_works_on_a_repository_around_the_temporary_folder(
    at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If .git is removed, git would take the next repository above for the clone."""
    project = at_stage("registered")
    inside = project.root / "tmp"
    inside.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(inside))
    store = Branch(config.find_repository(project.root))
    store.refresh()
    shutil.rmtree(store.root / ".git")
    with pytest.raises(StoreError, match="not a git repository"):
        store.git("status")


def test_no_temporary_folder_is_an_error(at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch) -> None:
    """A full or missing temporary folder is named, not shown as a bug."""
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent-folder")
    with pytest.raises(StoreError, match="temporary folder"):
        Branch(config.find_repository(at_stage("registered").root))


def test_an_error_of_the_database_while_mlflow_works(opened: BranchStore) -> None:
    """A full disk is no server that cannot be reached."""

    def fail(_: object) -> None:
        raise RuntimeError("MLflow") from sqlite_error(sqlite3.SQLITE_FULL)

    with pytest.raises(StoreError, match="The disk is full"):
        opened.read(fail, None)
    assert store_uri(Path("x")) == "gitstore:x"
    assert subprocess.run(["git", "fsck"], cwd=opened.branch.root, capture_output=True).returncode == 0


def _remove(path: Path) -> None:
    path = path.resolve()
    path.unlink() if path.is_file() else shutil.rmtree(path)
