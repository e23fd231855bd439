"""Run a command to its end and see what it took."""

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

# What would make our processes behave otherwise than a person's: a server, GitHub's files, make's and Python's own.
FOREIGN = ("MLFLOW_", "GITHUB_", "GITOPS_", "GIT_", "MAKE", "MFLAGS", "PYTHON", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Cost:
    """What a process took.

    Attributes:
        seconds: From its start to its end, the interpreter's start included.
        processor: Seconds of all processors, its own and of what it waited for.
        peak: Bytes of memory at most, of it or of a process that it waited for.
        output: What it printed.
    """

    seconds: float
    processor: float
    peak: int
    output: str


def run(*command: str | Path, cwd: Path) -> Cost:
    """Run one command, which has to succeed; it and what it started are ended when we are interrupted."""
    arguments = [str(part) for part in command]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        with subprocess.Popen(
            arguments, cwd=cwd, env=environment(), stdout=out, stderr=err, process_group=0
        ) as process:  # fmt: skip
            try:
                # Popen's own wait does not tell how much memory it was.
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            except BaseException:
                os.killpg(process.pid, signal.SIGTERM)
                raise
        seconds = time.perf_counter() - began
        if process.returncode:
            shown = " ".join(arguments)
            sys.exit(f"benchmarks: {shown} ended with {process.returncode}\n{text(out)}\n{text(err)}")
        unit = 1 if sys.platform == "darwin" else 1024
        return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit, text(out))


def often(times: int, *command: str | Path, cwd: Path) -> Cost:
    """The medians of several runs of one command."""
    costs = [run(*command, cwd=cwd) for _ in range(times)]
    seconds, processor, peak = (
        median(values) for values in zip(*((each.seconds, each.processor, each.peak) for each in costs), strict=True)
    )
    return Cost(seconds, processor, int(peak), costs[-1].output)


def environment() -> dict[str, str]:
    """A person's environment, with an identity for commits."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    for role in ("AUTHOR", "COMMITTER"):
        kept |= {f"GIT_{role}_NAME": "benchmarks", f"GIT_{role}_EMAIL": "benchmarks@users.noreply.github.com"}
    return kept


def text(stream: IO[str]) -> str:
    """Everything that was written to a file."""
    stream.seek(0)
    return stream.read()
