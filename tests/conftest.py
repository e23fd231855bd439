"""Repositories to test with."""

import os
from pathlib import Path

import pytest
from house import bake, run, set_up


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with every default answer, set up, on main, with a first champion and a bare remote."""
    folder = tmp_path_factory.mktemp("repository")
    root = bake(folder)
    set_up(root)
    run(root, "git", "init", "--quiet", "--bare", "--initial-branch", "main", str(folder / "remote.git"))
    run(root, "git", "remote", "add", "origin", str(folder / "remote.git"))
    run(root, "git", "push", "--quiet", "origin", "main")
    run(root, "make", "loop")
    run(root, "git", "merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    run(root, "git", "push", "--quiet", "origin", "main")
    run(root, ".venv/bin/gitops", "reconcile")
    return root


@pytest.fixture(autouse=True)
def _no_strange_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller's CI sets must not reach the commands under test."""
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
