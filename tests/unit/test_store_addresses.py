"""Addresses in the store's database: only those of the store itself are followed, before anything is fetched."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gitops_ml import config
from gitops_ml.errors import GitopsError, IntegrityError, StoreError
from gitops_ml.query import Query, read_rows
from gitops_ml.registry import store_checks, versions
from gitops_ml.registry.artifact_addresses import require_address, require_remote_address
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.store import connect
from unit.sample import Project

ASKED: list[str] = []


class Handler(BaseHTTPRequestHandler):
    """A server that writes down what it is asked."""

    def do_GET(self) -> None:
        """Write down the request."""
        ASKED.append(self.path)
        self.send_error(404)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """Return the address of a server of the attacker."""
    ASKED.clear()
    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http_server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{http_server.server_port}"
    http_server.shutdown()
    http_server.server_close()


@pytest.fixture
def compared(at_stage: Callable[[str], Project]) -> Project:
    """Return the project with version 1 in the store and a comparison, without the version's files."""
    project = at_stage("compared")
    shutil.rmtree(project.root / ".gitops" / "versions", ignore_errors=True)
    return project


def change_database(project: Project, *statements: str) -> None:
    """Change the database on the store branch, as an attacker who may push to it."""

    def change(root: Path) -> None:
        with sqlite3.connect(root / "mlflow.db") as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    Branch(config.find_repository(project.root)).transact("change", change)


HOSTILE = ["file:///etc", "/etc", "s3://bucket/x", "store:/../..", "store:/../../etc", "store://host/1", "STORE:/1",
           "store:/1/%2e%2e/%2e%2e/x", "mlflow-artifacts:/1", "models:/other/1", "gs://b/x", "ftp://h/x", "", "dbfs:/x",
           "store:/1/\x00"]  # fmt: skip


@pytest.mark.parametrize("address", HOSTILE, ids=ascii)
def test_an_address_outside_of_the_store_is_refused(address: str) -> None:
    """Only `store:/` and a path without `..` is an address of the store on a branch."""
    with pytest.raises(IntegrityError, match="outside of the store"):
        require_address(address, "version 1")


def test_an_address_of_the_store_is_not_refused() -> None:
    """As MLflow writes it."""
    require_address("store:/1/models/m-0a1b/artifacts", "version 1")


PLACES = {
    "the version": "UPDATE model_versions SET storage_location = '{}'",
    "the source of the version": "UPDATE model_versions SET storage_location = NULL, source = '{}'",
    "the logged model": "UPDATE logged_models SET artifact_location = '{}'",
}


@pytest.mark.parametrize("address", ["file:///etc", "{server}/x", "s3://bucket/x", "store:/../.."])
@pytest.mark.parametrize("place", PLACES)
def test_no_address_outside_of_the_store_is_fetched(
    compared: Project, server: str, place: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promotion downloads the version; no file is copied, and no server is asked."""
    copied: list[object] = []
    monkeypatch.setattr(shutil, "copytree", lambda *args, **_: copied.append(args))
    change_database(
        compared,
        "UPDATE model_versions SET storage_location = NULL",
        PLACES[place].format(address.format(server=server)),
    )
    result = compared.gitops("promote", "--local")
    assert result.code == IntegrityError.exit_code
    assert "outside of the store" in result.err
    assert copied == []
    assert ASKED == []


EXPERIMENT = "UPDATE experiments SET artifact_location = '{}'"
DRIVERS = {
    "nosuch://host/base": 7, "postgresql+nosuch://host/base": 7, "mysql+nosuch://ada:s3cr3t@host/base": 7,
    "mssql+pymssql://ada:s3cr3t@host/base": 7, "mysql://ada:s3cr3t@host/base": 7, "sqlite+nosuch:///x": 7,
    "postgresql://ada:s3cr3t@127.0.0.1:9/base": 7, "://": 7, "http://": 7, "http://[": 7, "ftp://host": 7,
}  # fmt: skip


@pytest.mark.parametrize("uri", DRIVERS)
def test_an_unknown_database_is_no_bug(project: Project, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLFLOW_TRACKING_URI may be the URL of a database, whose driver is not installed or does not exist."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_MAX_RETRIES", "0")
    result = project.gitops("store", "status")
    assert result.code == DRIVERS[uri], result.err
    assert "s3cr3t" not in result.err


def test_a_server_may_not_name_files_of_this_machine() -> None:
    """A server elsewhere that names a folder would make this machine read it; one on this machine may."""
    with pytest.raises(IntegrityError, match="files of this machine"):
        require_remote_address("file:///etc", "version 1", "https://mlflow.example.com")
    with pytest.raises(IntegrityError, match="files of this machine"):
        require_remote_address("/etc", "version 1", "https://mlflow.example.com")
    require_remote_address("mlflow-artifacts:/1/x", "version 1", "https://mlflow.example.com")
    require_remote_address("s3://bucket/x", "version 1", "https://mlflow.example.com")
    require_remote_address("file:///srv/x", "version 1", "http://127.0.0.1:5000")


def test_a_deleted_branch_is_named(compared: Project) -> None:
    """Neither training nor another fetch helps; the sentence says how to restore the branch."""
    compared.git("branch", "-D", "mlflow")
    repository = config.find_repository(compared.root)
    with pytest.raises(StoreError, match="its branch does not exist") as caught:
        versions.download_version(connect(repository), "sample", "1", "sha256:" + "0" * 64, compared.root / "x")
    assert "refs/heads/mlflow" in caught.value.next_step


def test_a_deleted_branch_is_no_new_store(at_stage: Callable[[str], Project]) -> None:
    """Main has the record of a version, so the store has existed; both commands say how to restore it."""
    project = at_stage("promoted")
    project.git("branch", "-D", "mlflow")
    status = project.gitops("store", "status")
    assert status.code == 7
    assert "refs/heads/mlflow" in status.err
    verdict = store_checks.store_reachable.run(store_checks.open_store_context(config.find_repository(project.root)))
    assert verdict.verdict == "problem"
    assert "refs/heads/mlflow" in verdict.text


@pytest.mark.parametrize("url", DRIVERS)
def test_an_unknown_driver_of_a_query_is_no_bug(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL of the data's database is not quoted."""
    monkeypatch.setenv("WAREHOUSE", url)
    with pytest.raises(GitopsError) as caught:
        list(read_rows(Query("data", "SELECT 1", "WAREHOUSE", 10, 10)))
    assert "s3cr3t" not in str(caught.value)


def test_an_unknown_version_is_named(compared: Project) -> None:
    """The store can be reached; it does not have the version."""
    repository = config.find_repository(compared.root)
    with pytest.raises(StoreError, match="does not have version 99 of sample") as caught:
        versions.download_version(connect(repository), "sample", "99", "sha256:" + "0" * 64, compared.root / "x")
    assert "gitops store status" in caught.value.next_step


@pytest.mark.parametrize(
    "statement",
    ["UPDATE model_version_tags SET value = 'x' WHERE key = 'gitops.bytes'",
     "DELETE FROM model_version_tags WHERE key = 'gitops.training'"],
)  # fmt: skip
def test_tags_in_another_form_are_no_bug(compared: Project, statement: str) -> None:
    """A person may edit the tags of a version with MLflow's page."""
    change_database(compared, statement)
    result = compared.gitops("store", "status")
    assert result.code == 7
    assert "tags that gitops did not write" in result.err


def test_no_run_is_written_outside_of_the_store(at_stage: Callable[[str], Project], tmp_path: Path) -> None:
    """`gitops register` writes plots and model to the place that the experiment names."""
    project, outside = at_stage("registered"), tmp_path / "outside"
    change_database(
        project, EXPERIMENT.format(f"file://{outside}"), "DELETE FROM model_versions", "DELETE FROM model_version_tags"
    )
    result = project.gitops("register")
    assert result.code == IntegrityError.exit_code
    assert "outside of the store" in result.err
    assert not outside.exists()


def test_a_link_in_the_store_is_not_followed(compared: Project, tmp_path: Path) -> None:
    """A branch can contain links; they are checked out as text."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.txt").write_text("s3cr3t")
    path = next(
        Path(name).parent
        for name in compared.git("ls-tree", "-r", "--name-only", "mlflow").splitlines()
        if name.endswith("data/run/manifest.json")
    )

    def link(root: Path) -> None:
        compared.git("-C", str(root), "checkout", "--ignore-skip-worktree-bits", "HEAD", "--", str(path))
        compared.git("-C", str(root), "config", "core.symlinks", "true")
        os.symlink(secret, root / path / "linked")

    Branch(config.find_repository(compared.root)).transact("link", link)
    fresh = Branch(config.find_repository(compared.root))
    fresh.refresh()
    fresh.git("checkout", "--quiet", "--ignore-skip-worktree-bits", "HEAD", "--", str(path))
    assert not (fresh.root / path / "linked").is_symlink()
    assert compared.gitops("promote", "--local").code == IntegrityError.exit_code
