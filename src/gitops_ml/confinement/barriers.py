"""The barriers around a confined process, and the test, before your code runs, of what they stop."""

import os
import resource
import signal
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from gitops_ml.confinement import kernel

# What a confined process tries before your code runs; each must fail.
WRITE, RUNNER, DATA, NETWORK, SIGNAL = "write", "runner", "data", "network", "signal"
MEANINGS = {
    WRITE: "write a file outside of its own folder",
    RUNNER: "list the files by which a job sets its outputs",
    DATA: "read the data",
    NETWORK: "open a socket",
    SIGNAL: "send a signal to the judging process",
}
MAX_FILE_BYTES = 4 * 2**30
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/opt", "/proc", "/sys/devices/system", "/sys/fs/cgroup",
          "/dev/urandom", "/dev/random", "/dev/zero")  # fmt: skip
NULL = Path("/dev/null")
# It holds the semaphores of multiprocessing.
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (only allowed where nothing is to be protected there)


def describe_doors(doors: Iterable[str]) -> str:
    """Return what the barriers did not stop, as a clause.

    Args:
        doors: Names of MEANINGS.
    """
    return ", ".join(MEANINGS[name] for name in doors if name in MEANINGS)


def limit_resources() -> None:
    """Limit the size of a file, and write no core dumps."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError):  # a stricter limit of the person stays
        resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))


def raise_barriers(readable: list[Path], folder: Path, protected: list[Path]) -> None:
    """Confine this process and all that it starts, as far as the kernel can.

    Args:
        readable: Files and folders that it may read, beside those of the system.
        folder: Folder of its own, in which it may write.
        protected: Files and folders that it must not reach; where one is in shared memory, that is not allowed either.
    """
    version = kernel.landlock_version()
    if not version:
        return
    kernel.forbid_privileges()
    shared = [] if any(SHARED_MEMORY in path.resolve().parents for path in protected) else [SHARED_MEMORY]
    kernel.restrict_files([*map(Path, SYSTEM), *readable], [NULL, *shared, folder], version)
    kernel.forbid_calls()


def find_open_doors(judge: int, data: Path | None, runner: Path | None, outside: Path) -> list[str]:
    """Try what a confined process must not be able to do, and return what succeeded.

    Args:
        judge: Process id of the judging process.
        data: A file of the data; None if the data is in no file.
        runner: Folder with the files by which a job sets its outputs; None outside of GitHub Actions.
        outside: Folder that is not the process's own.

    Returns:
        Names of MEANINGS.
    """
    doors: dict[str, Callable[[], object]] = {
        WRITE: lambda: _write(outside), NETWORK: lambda: socket.socket().close(),
        SIGNAL: lambda: os.kill(judge, signal.SIGCONT),  # it changes nothing
    }  # fmt: skip
    if data is not None:
        doors[DATA] = lambda: os.close(os.open(data, os.O_RDONLY))
    if runner is not None:
        doors[RUNNER] = lambda: os.listdir(runner)
    found = []
    for name, attempt in doors.items():
        try:
            attempt()
        except PermissionError:
            continue
        found.append(name)
    return found


def _write(folder: Path) -> None:
    file = folder / f".confinement-{os.getpid()}"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(descriptor)
    file.unlink()
