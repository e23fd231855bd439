"""Inputs and outputs of a stand-in, like the package @actions/core."""

import json
import os
import sys
from pathlib import Path
from typing import NoReturn


def inputs() -> dict[str, str]:
    """Return the step's inputs, with the defaults of its action.yml."""
    return {name: str(value) for name, value in json.loads(os.environ["LOCAL_INPUTS"]).items()}


def boolean_input(value: str) -> bool:
    """Return a YAML boolean in one of the spellings that actions accept."""
    if value.lower() not in ("true", "false"):
        fail(f"{value!r} is not a boolean.")
    return value.lower() == "true"


def workspace() -> Path:
    """Return the job's workspace."""
    return Path(os.environ["GITHUB_WORKSPACE"])


def set_output(name: str, value: str) -> None:
    """Set an output for later steps."""
    _append("GITHUB_OUTPUT", f"{name}={value}")


def export_variable(name: str, value: str) -> None:
    """Set a variable for later steps."""
    _append("GITHUB_ENV", f"{name}={value}")


def add_path(folder: Path) -> None:
    """Prepend a folder to PATH for later steps."""
    _append("GITHUB_PATH", str(folder))


def print_line(text: str) -> None:
    """Print a line and flush it, before Git's output."""
    print(text, flush=True)


def fail(message: str) -> NoReturn:
    """End the step with an error."""
    print_line(f"::error::{message}")
    sys.exit(1)


def _append(file: str, line: str) -> None:
    """Append a line to one of the runner's files."""
    with Path(os.environ[file]).open("a") as lines:
        lines.write(line + "\n")
