"""A runner of one's own, a database and an MLflow server, chosen by variables and a secret: no workflow is edited."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests

from container_engine import free_port
from fast_setup import skip_setup_and_checks
from github.contributor import Contributor, start_github
from github.model import Run
from hub_fixture import assert_green
from repositories import bake, replace_in_file, run

DATA, MODEL = "data/breast_cancer.csv", "tumour-screening"
PASSWORD = "not-a-real-password"  # noqa: S105 (of a test)
STARTED_SECONDS = 180


@contextmanager
def tracking_server(python: Path, folder: Path) -> Iterator[str]:
    """Start a real MLflow server that keeps its artefacts itself; yield its address."""
    folder.mkdir()
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", "1",
               "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
               "--artifacts-destination", folder / "files"]  # fmt: skip
    env = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            list(map(str, command)), cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_until_healthy(address, server, folder / "log")
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def _wait_until_healthy(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + STARTED_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if requests.get(f"{address}/health", timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.2)
    raise AssertionError(f"MLflow's server does not start:\n{log.read_text()[-3000:]}")


def ask(server: str, path: str, **parameters: str) -> dict[str, Any]:
    """Return a response of the server's REST API."""
    response = requests.get(f"{server}/api/2.0/mlflow/{path}", params=parameters, timeout=60)
    assert response.ok, response.text
    found: dict[str, Any] = response.json()
    return found


@pytest.fixture
def clone(fast_machine: dict[str, str], tmp_path: Path) -> Path:
    """A generated repository whose data is a query; its jobs link packages that are installed already.

    It serves as a process, because an image needs a base image from a registry.
    """
    root = bake(tmp_path)
    skip_setup_and_checks(root / "Makefile")
    with sqlite3.connect(tmp_path / "warehouse.db") as database:
        pd.read_csv(root / DATA).to_sql("rows", database, index=False)
    database.close()
    (root / DATA).unlink()
    replace_in_file(root / "model.toml", {
        f'path = "{DATA}"': 'query = "SELECT * FROM rows"',
        'kind = "none"': 'kind = "process"', "port = 8080": f"port = {free_port()}",
    })  # fmt: skip
    run(root, "git", "init", "--quiet", "--initial-branch", "main")
    run(root, "git", "add", "--all")
    run(root, "git", "commit", "--quiet", "--message", "Start from the template")
    run(root, "make", "setup", f"PYTHON={sys.executable}", env=fast_machine)
    return root


def green(ended: dict[str, Run], *workflows: str) -> None:
    """Assert that these workflows ran and succeeded, and that no log has the password of the database."""
    assert_green(ended, *workflows)
    jobs = [job for workflow in workflows for job in ended[workflow].jobs.values()]
    assert not any(PASSWORD in job.log + job.summary for job in jobs)


def test_the_loop_runs_on_choices_alone(clone: Path, fast_machine: dict[str, str], tmp_path: Path, state: Path) -> None:
    """Trained from a database, registered on a server, compared, merged, deployed; the branch keeps the ledger."""
    with (
        tracking_server(clone / ".venv/bin/python", tmp_path / "server") as server,
        start_github(tmp_path, clone, env=fast_machine | {"GITOPS_STATE": str(state)}) as github,
    ):
        settings = github.hub.settings
        settings.runners |= {"self-hosted", "gpu"}
        settings.variables |= {
            "TRAIN_RUNNER": '["self-hosted", "gpu"]', "DEPLOY_RUNNER": "gpu", "TRAIN_TIMEOUT": "30",
            "MLFLOW_TRACKING_URI": server,
        }  # fmt: skip
        settings.secrets["DATABASE_URL"] = f"sqlite:///file:{tmp_path}/warehouse.db?{PASSWORD}&uri=true"

        github.push("Hello")
        green(github.wait_for_runs(), "ci.yml", "train.yml")
        (version,) = ask(server, "model-versions/search", filter=f"name='{MODEL}'")["model_versions"]
        assert version["version"] == "1"
        assert f"{server}/#/runs/{version['run_id']}" in github.pull["body"]

        github.merge(github.pull["number"])
        green(github.wait_for_runs(), "deploy.yml")
        alias = ask(server, "registered-models/alias", name=MODEL, alias="champion")
        assert alias["model_version"]["version"] == "1"
        assert _files(github, "mlflow") == {"README.md", "ledger.jsonl"}

        # What trained is known by its digest: the same rows are not trained again.
        github.run("git", "pull", "--quiet", "--rebase", "origin", "main")
        github.push("Nothing new")
        ended = github.wait_for_runs()
        green(ended, "ci.yml", "train.yml")
        assert "Nothing to train: version 1" in ended["train.yml"].jobs["train"].log
        assert run(clone, "git", "log", "--format=%h", "HEAD", "--", ".github").count("\n") == 1
        _the_doctor_lists_the_choices(github)
        assert github.hub.violations == []


def _files(github: Contributor, branch: str) -> set[str]:
    """Return the files at the top of a branch of the local GitHub."""
    listed = subprocess.run(
        ["git", "-C", str(github.hub.bare), "ls-tree", "--name-only", branch],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(listed.stdout.split())


def _the_doctor_lists_the_choices(github: Contributor) -> None:
    """Names and jobs of secrets, values of variables; no value of a secret."""
    env = {"GITHUB_API_URL": github.hub.api, "GITHUB_SERVER_URL": github.hub.url, "COLUMNS": "2000",
           "GITHUB_TOKEN": github.hub.person.value, "GITHUB_REPOSITORY": github.hub.repository}  # fmt: skip
    done = subprocess.run(
        [github.clone / ".venv/bin/python", "-m", "gitops_ml", "doctor"], cwd=github.clone, check=False,
        capture_output=True, text=True, env={**os.environ, **env},
    )  # fmt: skip
    output = done.stdout
    assert re.search(r'RUNNERS .* ok .*DEPLOY_RUNNER = gpu, TRAIN_RUNNER = \["self-hosted", "gpu"\]', output), output
    assert re.search(r"SECRETS .* ok .*DATABASE_URL: ci: code, data; train: train, compare\.", output), output
    assert PASSWORD not in output + done.stderr
