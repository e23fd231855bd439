"""Run an external program; its failure becomes a ContainerError with its last lines of output."""

import os
import subprocess
from collections.abc import Mapping, Sequence

from gitops_ml.errors import ContainerError

MAX_LINES = 15  # of its output in the error message


def run_command(
    command: Sequence[str], shown: str, seconds: int, timeout_hint: str, install_hint: str, *,
    env: Mapping[str, str] | None = None, stdin: str | None = None, with_stderr: bool = False,
) -> str:  # fmt: skip
    """Run a command.

    Args:
        command: Program and arguments.
        shown: Short form of the command, for messages.
        seconds: Time limit.
        timeout_hint: Next step if the limit is exceeded.
        install_hint: Next step if the program is not installed.
        env: Environment variables beside those of this process.
        stdin: Text for its standard input.
        with_stderr: Return its standard error too.

    Returns:
        Output of the command.

    Raises:
        ContainerError: The program is not installed, took too long, or failed.
    """
    try:
        done = subprocess.run(
            command, env={**os.environ, **(env or {})}, check=False, timeout=seconds, encoding="utf-8",
            errors="replace", input=stdin or "", stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if with_stderr else subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError:
        raise ContainerError(f"`{command[0]}` is not installed.", install_hint) from None
    except subprocess.TimeoutExpired:
        raise ContainerError(f"`{shown}` took more than {seconds} s and was stopped.", timeout_hint) from None
    if done.returncode:
        output = "\n".join((done.stderr or done.stdout).strip().splitlines()[-MAX_LINES:])
        raise ContainerError(
            f"`{shown}` failed: {output or f'exit {done.returncode}'}", "Fix what it reports, then run this again."
        )
    return done.stdout
