"""What a stand-in is given, and how it answers."""

import json
import os
import sys
from pathlib import Path
from typing import NoReturn


def inputs() -> dict[str, str]:
    """The step's inputs, with the defaults of its action.yml."""
    return {name: str(value) for name, value in json.loads(os.environ["LOCAL_INPUTS"]).items()}


def truth(value: str) -> bool:
    """A YAML boolean in one of the spellings that actions accept."""
    if value.lower() not in ("true", "false"):
        fail(f"{value!r} is not a boolean.")
    return value.lower() == "true"


def workspace() -> Path:
    """The job's folder."""
    return Path(os.environ["GITHUB_WORKSPACE"])


def output(name: str, value: str) -> None:
    """Give something to later steps."""
    _append("GITHUB_OUTPUT", f"{name}={value}")


def variable(name: str, value: str) -> None:
    """Set a variable for later steps."""
    _append("GITHUB_ENV", f"{name}={value}")


def path(folder: Path) -> None:
    """Let later steps find programs here first."""
    _append("GITHUB_PATH", str(folder))


def say(text: str) -> None:
    """Print at once, before what Git prints."""
    print(text, flush=True)


def fail(why: str) -> NoReturn:
    """End the step."""
    say(f"::error::{why}")
    sys.exit(1)


def _append(file: str, line: str) -> None:
    """Add a line to one of the runner's files."""
    with Path(os.environ[file]).open("a") as lines:
        lines.write(line + "\n")
