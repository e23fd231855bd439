"""A program that does the work of a target; whatever it does not do is a ContainerError with its own last words."""

import os
import subprocess
from collections.abc import Mapping, Sequence

from gitops_ml.errors import ContainerError

SHOWN = 15  # lines of what it said


def call(
    command: Sequence[str], shown: str, seconds: int, look: str, missing: str, *,
    env: Mapping[str, str] | None = None, stdin: str | None = None, both: bool = False,
) -> str:  # fmt: skip
    """What a command printed.

    Args:
        command: The program and its arguments.
        shown: How people call it.
        seconds: How long it may take.
        look: Where to look when it takes longer.
        missing: What to do where it is not installed.
        env: Variables beside our own.
        stdin: What it reads.
        both: Whether what it wrote to its standard error counts too.

    Raises:
        ContainerError: It is not installed, took too long, or failed.
    """
    try:
        done = subprocess.run(
            command, env={**os.environ, **(env or {})}, check=False, timeout=seconds, encoding="utf-8",
            errors="replace", input=stdin or "", stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if both else subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError:
        raise ContainerError(f"`{command[0]}` is not installed.", missing) from None
    except subprocess.TimeoutExpired:
        raise ContainerError(f"`{shown}` took more than {seconds} s and was given up.", look) from None
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-SHOWN:])
        raise ContainerError(
            f"`{shown}` failed: {said or f'exit {done.returncode}'}", "Mend what it names, then run this again."
        )
    return done.stdout
