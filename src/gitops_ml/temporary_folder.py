"""Temporary files of a process in a folder of its own, which the next run removes if the process was killed.

A process holds a lock on a file in its folder as long as it lives: the operating system releases the lock when the
process ends, however it ends. Unlike a process id, a lock cannot be taken for that of another process, and it works
between containers that share a temporary folder. Only a folder that has such a file, belongs to this user and is not
locked is removed.
"""

import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "gitops-work-"
LOCK = ".gitops-lock"
SERVERS = "servers.jsonl"
ATTEMPTS = 10
# Seconds until a server that should end is killed.
GRACE = 5.0
# The folder of this process while `own_temporary_folder` is active.
_own: list[Path] = []


@contextmanager
def own_temporary_folder() -> Iterator[None]:
    """Return a context in which `tempfile` creates the files of this process in a folder of its own.

    Folders of processes that were killed are removed first, and servers that they left running are ended. Without a
    temporary folder nothing is changed: the command that needs one says so.
    """
    try:
        parent, before = Path(tempfile.gettempdir()), tempfile.tempdir
    except OSError:
        yield
        return
    with working_folder(parent, PREFIX) as folder:
        _own.append(folder)
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before
            _own.pop()


def shared_temporary_folder() -> Path:
    """Return the temporary folder of this machine, for files that outlive this process.

    Raises:
        OSError: There is none.
    """
    if not _own:
        return Path(tempfile.gettempdir())
    return _own[0].parent


@contextmanager
def working_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a new folder that is removed at the end; those of killed processes with the same prefix are removed first.

    Args:
        parent: Folder to create it in.
        prefix: Start of its name.

    Raises:
        OSError: The folder cannot be created.
    """
    _sweep(parent, prefix)
    folder, lock = _create(parent, prefix)
    try:
        yield folder
    finally:
        _end_servers(folder)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def end_with_this_process(pid: int, mark: str) -> None:
    """Note a server that must not outlive this process: if this process is killed, the next run ends it.

    Args:
        pid: Process id of the server, which has a session of its own.
        mark: Part of its command line that no other process has.
    """
    if _own:
        with (_own[-1] / SERVERS).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"pid": pid, "mark": mark}) + "\n")


def _create(parent: Path, prefix: str) -> tuple[Path, int]:
    """Return a new folder, and the descriptor of its locked file."""
    for _ in range(ATTEMPTS):
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        # Another process may remove the folder between these steps: it has the lock then, or the file is gone.
        if _is_locked_by_us(lock) and (folder / LOCK).exists():
            return folder, lock
        os.close(lock)
    raise FileExistsError(f"Other processes remove new folders in {parent}.")


def _is_locked_by_us(lock: int) -> bool:
    """Return whether the lock of a file could be taken."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process has it, or the file system has no locks
        return False
    return True


def _sweep(parent: Path, prefix: str) -> None:
    """Remove the folders of killed processes."""
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and _is_own_folder(entry):
                with suppress(OSError):
                    _remove_if_abandoned(Path(entry.path))


def _is_own_folder(entry: "os.DirEntry[str]") -> bool:
    """Return whether an entry is a folder of this user, and no link."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:  # removed in the meantime
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def _remove_if_abandoned(folder: Path) -> None:
    """Remove a folder whose lock no process holds."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        if _is_locked_by_us(lock):
            _end_servers(folder)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _end_servers(folder: Path) -> None:
    """End the servers that the process of a folder has noted and that are still running."""
    file = folder / SERVERS
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):  # the process was killed while it wrote the line
            noted = json.loads(line)
            _end_server(int(noted["pid"]), str(noted["mark"]))


def _end_server(pid: int, mark: str) -> None:
    """End a server and its child processes, if the process of this id is still that server."""
    for number, seconds in ((signal.SIGTERM, GRACE), (signal.SIGKILL, 0.0)):
        if not _is_running(pid, mark):
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)
        until = time.monotonic() + seconds
        while time.monotonic() < until and _is_running(pid, mark):
            time.sleep(0.05)


def _is_running(pid: int, mark: str) -> bool:
    done = subprocess.run(["ps", "-ww", "-o", "stat=,args=", "-p", str(pid)], capture_output=True, text=True)
    return mark in done.stdout and not done.stdout.lstrip().startswith("Z")
