"""Stand-in for actions/setup-python: finds an installed Python, and downloads none."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from github.actions.toolkit import add_path, export_variable, fail, inputs, print_line, workspace


def main() -> None:
    """Put the requested Python first on PATH."""
    version = _wanted_version(inputs())
    for python in _find_interpreters(version):
        version_output = subprocess.run(
            [python, "--version"], capture_output=True, text=True, check=False
        ).stdout.split()
        if version_output and re.match(rf"{re.escape(version)}(\.|$)", version_output[-1]):
            _put_on_path(Path(python), version_output[-1])
            return
    fail(f"No Python {version} is installed on this machine. Install it, for example with pyenv.")


def _wanted_version(options: dict[str, str]) -> str:
    """Return the requested version, from the input or from a file."""
    version = options["python-version"]
    if not version and options["python-version-file"]:
        version = (workspace() / options["python-version-file"]).read_text().split("#")[0].strip()
    if not re.fullmatch(r"3(\.\d+){1,2}", version):
        fail(f"The stand-in for setup-python needs a plain version such as 3.11, not {version!r}.")
    return version


def _find_interpreters(version: str) -> Iterator[str]:
    """Yield the interpreters to try, pyenv's latest first."""
    minor = ".".join(version.split(".")[:2])
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions").glob(f"{minor}*/bin/python")
    yield from map(str, sorted(pyenv, reverse=True))
    if found := shutil.which(f"python{minor}"):
        yield found


def _put_on_path(python: Path, version: str) -> None:
    """Make `python` and `python3` this one in later steps."""
    folder = Path(os.environ["RUNNER_TEMP"], f"python-{version}")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3", f"python{version.rsplit('.', 1)[0]}"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_text(f'#!/bin/sh\nexec "{python}" "$@"\n')
        (folder / name).chmod(0o755)
    add_path(python.parent)
    add_path(folder)
    export_variable("pythonLocation", str(python.parent.parent))
    print_line(f"Successfully set up CPython ({version})")


if __name__ == "__main__":
    main()
