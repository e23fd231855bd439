"""Paths, and functions that generate, set up and change repositories."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).parents[1]
GENERATED = TEMPLATE / "<<cookiecutter.project_slug>>"
LIBRARY = TEMPLATE / "src" / "gitops_ml"
DATA = LIBRARY / "data"
TASKS = ("classification", "regression")
GIT_IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


def find_pythons() -> dict[str, str]:
    """Return the supported Pythons on this machine, by version."""
    pythons = {}
    for version in ("3.11", "3.12", "3.13"):
        installed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob(
            f"{version}*/bin/python"
        )
        for python in filter(None, [shutil.which(f"python{version}"), *map(str, installed)]):
            version_output = subprocess.run([python, "--version"], check=False, capture_output=True, text=True)
            if version_output.stdout.startswith(f"Python {version}."):
                pythons[version] = python
    return pythons


def bake(folder: Path, **answers: str) -> Path:
    """Generate a repository with these answers, and defaults for the others, and return its folder."""
    return Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(folder), extra_context=answers))


def run(root: Path, *command: str, env: Mapping[str, str] | None = None, code: int = 0) -> str:
    """Run a command in a folder, assert its exit code, and return its output."""
    # Variables of a calling make must not reach the make that runs here.
    inherited = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    done = subprocess.run(
        command, cwd=root, env={**inherited, **GIT_IDENTITY, **(env or {})}, check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == code, f"{' '.join(command)}: exit {done.returncode}, not {code}\n{done.stdout[-6000:]}"
    return done.stdout


def replace_in_file(file: Path, changes: dict[str, str]) -> None:
    """Replace texts in a file; each must exist."""
    text = file.read_text()
    for old, new in changes.items():
        assert old in text, f"{file} does not hold {old!r}"
        text = text.replace(old, new)
    file.write_text(text)


def set_up(root: Path, python: str = sys.executable) -> None:
    """Make it a Git repository with one commit, and run `make setup`."""
    run(root, "git", "init", "--quiet", "--initial-branch", "main")
    run(root, "git", "add", "--all")
    run(root, "git", "commit", "--quiet", "--message", "Start from the template")
    run(root, "make", "setup", f"PYTHON={python}")
