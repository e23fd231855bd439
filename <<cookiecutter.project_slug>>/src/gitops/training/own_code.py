# machinery
"""Score rows with a version's own commit and lock, where today's code or libraries would change what it says."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from gitops import git, predictions
from gitops.config import Repository
from gitops.errors import ConfigError, GitopsError
from gitops.manifest import digest_file
from gitops.predictions import Predictions
from gitops.run import Run
from gitops.training.lineage import LOCK


def score(repository: Repository, run: Run, folder: Path, digest: str, rows: pd.DataFrame) -> Predictions:
    """Check out the version's commit beside this one, in the environment of its lock, and score the rows there.

    Args:
        repository: Whose history holds the commit.
        run: What the version says of itself.
        folder: Its files, verified.
        digest: Of its manifest.
        rows: What the model sees.

    Raises:
        ConfigError: It cannot be had: the commit is unknown, or was not all there was. A version that cannot be
            scored neither wins nor loses.
    """
    commit = run.lineage.commit
    if commit is None or run.lineage.dirty:
        raise _cannot(run, "it was trained from files that were never committed")
    tree = _tree(repository, run, commit)
    python = _python(repository, tree)
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "rows.parquet"), Path(scratch, "predictions.parquet")
        rows.to_parquet(source, index=False)
        command = ["--project", tree, "score", "--run", folder.resolve(), "--digest", digest,
                   "--rows", source, "--out", target]  # fmt: skip
        _run([str(python), "-m", "gitops", *map(str, command)], {"PYTHONPATH": str(tree / "src")}, run)
        return predictions.read(target, run.classes)


def _tree(repository: Repository, run: Run, commit: str) -> Path:
    """The commit's files in the scratch folder; fetched first where the clone is shallow."""
    root, tree = repository.root, repository.scratch / "trees" / commit
    if (tree / LOCK).is_file():
        return tree
    try:
        if git.resolve(root, commit) is None:
            git.run(root, "fetch", "--quiet", "--depth=1", repository.config.store.remote, commit)
        git.run(root, "worktree", "prune")
        git.run(root, "worktree", "add", "--quiet", "--force", "--detach", str(tree), commit)
    except GitopsError as error:
        raise _cannot(run, f"its commit {commit[:12]} cannot be had ({error.what})") from error
    return tree


def _python(repository: Repository, tree: Path) -> Path:
    """An interpreter with the libraries of the version's lock: this one where the lock is the same."""
    if digest_file(tree / LOCK) == digest_file(repository.root / LOCK):
        return Path(sys.executable)
    venv = repository.scratch / "environments" / digest_file(tree / LOCK)[7:19]
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (venv / ".complete").exists():
        uv = [sys.executable, "-m", "uv"]
        _run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(venv)], {})
        _run(
            [*uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(tree / LOCK)], {}
        )
        (venv / ".complete").touch()
    return python


def _run(command: list[str], env: dict[str, str], run: Run | None = None) -> None:
    try:
        done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, timeout=3600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _cannot(run, str(error)) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise _cannot(run, "; ".join(said[-3:]) or f"exit {done.returncode}")


def _cannot(run: Run | None, why: str) -> ConfigError:
    what = f"of {run.model} with training digest {run.lineage.training[:19]}" if run else "environment"
    return ConfigError(
        f"The version {what} says something else under today's code, and could not be scored by its own: {why}.",
        "Undo the change in src/ that alters what it says, or remove the record in registry/ by pull request to start "
        "over without a champion.",
    )
