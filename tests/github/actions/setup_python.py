"""Stands in for actions/setup-python: finds an installed Python, downloads none."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from github.actions.given import fail, inputs, path, say, variable, workspace


def main() -> None:
    """Put the Python that is asked for first on PATH."""
    version = _asked(inputs())
    for python in _installed(version):
        told = subprocess.run([python, "--version"], capture_output=True, text=True, check=False).stdout.split()
        if told and re.match(rf"{re.escape(version)}(\.|$)", told[-1]):
            _use(Path(python), told[-1])
            return
    fail(f"No Python {version} is installed on this machine.")


def _asked(given: dict[str, str]) -> str:
    """The version, from the input or from a file."""
    version = given["python-version"]
    if not version and given["python-version-file"]:
        version = (workspace() / given["python-version-file"]).read_text().split("#")[0].strip()
    if not re.fullmatch(r"3(\.\d+){1,2}", version):
        fail(f"The stand-in for setup-python needs a plain version such as 3.11, not {version!r}.")
    return version


def _installed(version: str) -> Iterator[str]:
    """The interpreters that may be it, pyenv's latest first."""
    minor = ".".join(version.split(".")[:2])
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions").glob(f"{minor}*/bin/python")
    yield from map(str, sorted(pyenv, reverse=True))
    if found := shutil.which(f"python{minor}"):
        yield found


def _use(python: Path, version: str) -> None:
    """Let `python` and `python3` be this one in later steps."""
    folder = Path(os.environ["RUNNER_TEMP"], f"python-{version}")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3", f"python{version.rsplit('.', 1)[0]}"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_text(f'#!/bin/sh\nexec "{python}" "$@"\n')
        (folder / name).chmod(0o755)
    path(python.parent)
    path(folder)
    variable("pythonLocation", str(python.parent.parent))
    say(f"Successfully set up CPython ({version})")


if __name__ == "__main__":
    main()
