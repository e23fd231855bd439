# machinery
"""Another commit of this repository, beside the files that a person works with, and what its lock installs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitops import git, private
from gitops.config import Repository
from gitops.errors import ConfigError, GitopsError
from gitops.manifest import digest_file

LOCK = "requirements/train.txt"
TIMEOUT = 3600
# Where commands leave what the step of a workflow gives out; what runs here is no step.
OUTPUTS = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")


class CheckoutFailed(ConfigError):
    """A commit, or the environment of its lock, cannot be had, or a command failed in it."""


@dataclass(frozen=True)
class Checkout:
    """A commit's files, and an interpreter with the libraries of its lock.

    Attributes:
        tree: The files.
        python: The interpreter.
    """

    tree: Path
    python: Path

    def gitops(self, *arguments: object) -> None:
        """Run a command of the commit's own gitops.

        Raises:
            CheckoutFailed: It did not end well; the last lines that it wrote are named.
        """
        command = [self.python, "-m", "gitops", "--project", self.tree, *arguments]
        _run([str(each) for each in command], {"PYTHONPATH": str(self.tree / "src")})


def check_out(repository: Repository, commit: str) -> Checkout:
    """The commit in a scratch folder, fetched first where the clone is shallow; made once, and used again.

    Args:
        repository: Whose history holds the commit.
        commit: In full.

    Raises:
        CheckoutFailed: The commit is unknown, or its lock cannot be installed.
    """
    tree = _tree(repository, commit)
    return Checkout(tree, _python(repository, tree))


def fresh_tree(repository: Repository, commit: str) -> Path:
    """The commit's files alone, as Git has them: whatever lay there from an earlier time is gone.

    Raises:
        CheckoutFailed: The commit is unknown.
    """
    tree = repository.scratch / "reproduce" / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    return _add(repository, commit, tree)


def own_environment(repository: Repository, tree: Path) -> Checkout:
    """A tree with an interpreter that has the libraries of its lock and no others, installed now.

    Raises:
        CheckoutFailed: The lock cannot be installed.
    """
    return Checkout(tree, _install(tree / LOCK, repository.scratch / "reproduce" / "environment"))


def environment(repository: Repository, lock: Path) -> Path:
    """The interpreter of an environment with the libraries of a lock and no others; made once, and used again.

    Raises:
        CheckoutFailed: The lock cannot be installed.
    """
    venv = repository.scratch / "environments" / digest_file(lock)[7:19]
    if not (venv / ".complete").exists():
        _install(lock, venv)
        (venv / ".complete").touch()
    return _interpreter(venv)


def run(python: Path, *arguments: object) -> None:
    """Run a program with an interpreter of such an environment, which gets to see no secret.

    Raises:
        CheckoutFailed: It did not end well; the last lines that it wrote are named.
    """
    _run([str(python), *map(str, arguments)], {})


def _tree(repository: Repository, commit: str) -> Path:
    tree = repository.scratch / "trees" / commit
    return tree if (tree / LOCK).is_file() else _add(repository, commit, tree)


def _add(repository: Repository, commit: str, tree: Path) -> Path:
    root = repository.root
    try:
        if git.resolve(root, commit) is None:
            git.run(root, "fetch", "--quiet", "--depth=1", repository.config.store.remote, commit)
        git.run(root, "worktree", "prune")
        git.run(root, "worktree", "add", "--quiet", "--force", "--detach", str(tree), commit)
    except GitopsError as error:
        raise _failed(f"its commit {commit[:12]} cannot be had ({error.what})") from error
    return tree


def _python(repository: Repository, tree: Path) -> Path:
    """An interpreter with the libraries of the commit's lock: this one where the lock is the same."""
    if digest_file(tree / LOCK) == digest_file(repository.root / LOCK):
        return Path(sys.executable)
    return environment(repository, tree / LOCK)


def _install(lock: Path, venv: Path) -> Path:
    """An environment with what a lock pins and nothing else; its interpreter."""
    uv, python = [sys.executable, "-m", "uv"], _interpreter(venv)
    _run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(venv)], {})
    _run([*uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(lock)], {})
    return python


def _interpreter(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _run(command: list[str], env: Mapping[str, str]) -> None:
    inherited = {name: value for name, value in private.without().items() if name not in OUTPUTS}
    try:
        done = subprocess.run(command, env={**inherited, **env}, capture_output=True, text=True, timeout=TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(str(error)) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise _failed("; ".join(said[-3:]) or f"exit {done.returncode}")


def _failed(why: str) -> CheckoutFailed:
    return CheckoutFailed(
        f"{why[:1].upper()}{why[1:]}.", "Fetch the whole history (`git fetch --unshallow`), and try again."
    )
