"""Commands on an MLflow tracking server, which MLFLOW_TRACKING_URI names."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from unit.sample import Project

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Run a real tracking server on SQLite and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1",
               "--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--artifacts-destination",
               str(tmp_path / "artifacts")]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path, start_new_session=True
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{address}/health", process)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended by itself"
        try:
            if requests.get(url, timeout=60).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.3)
    raise AssertionError("the server did not answer in two minutes")


def test_loop_runs_on_tracking_server(project: Project, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run train, register, compare, promote, reconcile and status on the server; the branch holds only the ledger."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    project.promote()
    assert project.git("branch", "--list", "mlflow") == ""
    project.record_verification()
    assert "Alias champion set to version 1 in MLflow." in project.must("reconcile").out
    assert "Nothing to train" in project.must("train").out
    assert "champion" in project.must("store", "status").out
    assert project.git("ls-tree", "--name-only", "mlflow").split() == ["README.md", "ledger.jsonl"]


def test_unreachable_tracking_server_is_error(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the variable in the message."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    result = project.gitops("store", "status")
    assert result.code == 7
    assert "MLFLOW_TRACKING_URI" in result.err
