"""Run a command and measure its time and memory."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO

# Prefixes of variables that would change the behaviour of a command: of a server, GitHub, make and Python.
REMOVED_PREFIXES = ("MLFLOW_", "GITHUB_", "GITOPS_", "GIT_", "MAKE", "MFLAGS", "PYTHON", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Cost:
    """Time and memory of a process.

    Attributes:
        seconds: Elapsed time, including the start of the interpreter.
        processor: Processor time of the process and its children (seconds).
        peak: Peak memory of the process or one of its children (bytes).
        output: Standard output.
    """

    seconds: float
    processor: float
    peak: int
    output: str


def run(*command: str | Path, cwd: Path) -> Cost:
    """Run a command, which must succeed; an interrupt ends it and its children."""
    arguments = [str(part) for part in command]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        with subprocess.Popen(
            arguments, cwd=cwd, env=environment(), stdout=out, stderr=err, process_group=0
        ) as process:  # fmt: skip
            try:
                # Popen's own wait does not return the peak memory.
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            except BaseException:
                os.killpg(process.pid, signal.SIGTERM)
                raise
        seconds = time.perf_counter() - began
        if process.returncode:
            command_line = " ".join(arguments)
            sys.exit(f"benchmarks: {command_line} ended with {process.returncode}\n{read_all(out)}\n{read_all(err)}")
        unit = 1 if sys.platform == "darwin" else 1024
        return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit, read_all(out))


def run_repeatedly(times: int, *command: str | Path, cwd: Path) -> Cost:
    """Run a command several times; return the medians."""
    costs = [run(*command, cwd=cwd) for _ in range(times)]
    seconds, processor, peak = (
        median(values) for values in zip(*((each.seconds, each.processor, each.peak) for each in costs), strict=True)
    )
    return Cost(seconds, processor, int(peak), costs[-1].output)


def environment() -> dict[str, str]:
    """Return the environment of a user, with an identity for commits."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(REMOVED_PREFIXES)}
    for role in ("AUTHOR", "COMMITTER"):
        variables |= {f"GIT_{role}_NAME": "benchmarks", f"GIT_{role}_EMAIL": "benchmarks@users.noreply.github.com"}
    return variables


def read_all(stream: IO[str]) -> str:
    """Return the whole content of a file."""
    stream.seek(0)
    return stream.read()
