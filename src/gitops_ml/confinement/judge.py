"""The judging process's side: it starts the zygote, opens confined processes, and ends all that they leave."""

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gitops_ml.confinement.barriers import MEANINGS
from gitops_ml.confinement.channel import Answers, ConfinedError

# Variables of the judging process that a confined one also has.
INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
             "NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "PYTHONWARNINGS", "PYTHONDONTWRITEBYTECODE")  # fmt: skip
KEPT_OUTPUT = 2**16  # bytes of what your code prints last
END_SECONDS = 30


@dataclass(frozen=True)
class Surroundings:
    """Files that a confined process may read, and those that it must not reach.

    Attributes:
        imports: Folders that your code is imported from.
        readable: Further files and folders that it may read.
        data: A file of the data, to test that it cannot be read; None if the data is in no file.
        outside: Folder to test that nothing can be written there.
    """

    imports: tuple[Path, ...]
    readable: tuple[Path, ...]
    data: Path | None
    outside: Path


@dataclass
class ConfinedProcess:
    """A confined process that answers requests.

    Attributes:
        answers: Channel to the process.
        open_doors: Names, of MEANINGS, of what its barriers did not stop, as tried before your code ran.
        process: Process id.
        folder: Folder of its own, in which it may leave files.
    """

    answers: Answers
    open_doors: tuple[str, ...]
    process: int
    folder: Path
    _connection: socket.socket
    _output: "_Output"
    _watch: int | None

    def ask(self, operation: str, arguments: Mapping[str, Any] | None = None, data: bytes = b"",
            size: int | None = None) -> Any:  # fmt: skip
        """Have the process do something.

        Args:
            operation: Name of the operation.
            arguments: Arguments of the operation, as JSON.
            data: Bytes for it.
            size: Exact number of bytes of the answer; None for a document.

        Raises:
            UserCodeError: Your code raised an exception.
            ConfinedError: The process ended, or answered something else; the message has what it printed last.
        """
        try:
            return self.answers.ask({"do": operation, **(arguments or {})}, data, size)
        except ConfinedError as error:
            self._output.wait()
            printed = self._output.text().strip().splitlines()
            last = f": {printed[-1][:300]}" if printed else ""
            raise ConfinedError(f"{error}{last}") from error

    def close(self) -> None:
        """Let the process end, and forget it; `Confinement.close` ends it if it does not."""
        self._connection.close()
        if self._watch is not None:
            os.close(self._watch)
            self._watch = None


@dataclass
class Confinement:
    """A zygote and the confined processes that were forked from it.

    Attributes:
        folder: Folder of the confined processes, each of which has one of its own there.
    """

    folder: Path
    _control: socket.socket
    _zygote: "subprocess.Popen[bytes] | None"
    _opened: list[ConfinedProcess] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Return the object."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End all processes."""
        self.close()

    def open(self, surroundings: Surroundings, operations: str) -> ConfinedProcess:
        """Fork a confined process.

        Args:
            surroundings: Files that it may read.
            operations: Module with the function `answer_all(requests)`, which the process runs.

        Returns:
            The process; its barriers are raised and tested.

        Raises:
            ConfinedError: The process ended at once.
        """
        own = Path(tempfile.mkdtemp(dir=self.folder))
        here, there = socket.socketpair()
        reading, writing = os.pipe()
        runner = os.environ.get("GITHUB_OUTPUT") if os.environ.get("GITHUB_ACTIONS") == "true" else None
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        request = {
            "do": "fork", "folder": str(own), "operations": operations, "judge": os.getpid(),
            "environment": {**environment, "HOME": str(own), "TMPDIR": str(own)},
            "imports": [str(path) for path in surroundings.imports],
            "readable": [str(path) for path in (*_interpreter(), *surroundings.imports, *surroundings.readable)],
            "data": str(surroundings.data) if surroundings.data else None,
            "outside": str(surroundings.outside),
            "runner": str(Path(runner).parent) if runner else None,
        }  # fmt: skip
        with there:
            socket.send_fds(self._control, [json.dumps(request).encode()], [there.fileno(), writing])
        os.close(writing)
        process = int(self._answer()["process"])
        watch = _watch(process)
        opened = ConfinedProcess(Answers(here, watch), (), process, own, here, _Output(reading), watch)
        self._opened.append(opened)
        opened.open_doors = tuple(name for name in opened.ask("start")["open"] if name in MEANINGS)
        return opened

    def end_all(self) -> None:
        """End all processes that were forked, and all that they have started; their folders stay.

        Raises:
            ConfinedError: A process is left.
        """
        for each in self._opened:
            each.close()
        self._opened.clear()
        self._control.sendall(json.dumps({"do": "end all"}).encode())
        if not self._answer()["ended"]:
            raise ConfinedError("a process that your code started could not be ended")

    def close(self) -> None:
        """End all processes, and remove their folders.

        Raises:
            ConfinedError: A process is left.
        """
        try:
            self.end_all()
        finally:
            self._control.close()
            if self._zygote is not None:
                self._zygote.wait(END_SECONDS)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _answer(self) -> Any:
        content = b""
        while not content.endswith(b"\n"):
            part = self._control.recv(4096)
            if not part:
                raise ConfinedError("the process that confined processes are forked from has ended")
            content += part
        return json.loads(content)


Start = Callable[[socket.socket], "subprocess.Popen[bytes] | None"]


def start_zygote(control: socket.socket) -> "subprocess.Popen[bytes]":
    """Start the zygote with an environment without secrets.

    Args:
        control: The zygote's end of the control socket.

    Returns:
        The process.
    """
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    command = [sys.executable, "-I", "-m", "gitops_ml.confinement.zygote", str(control.fileno())]
    return subprocess.Popen(
        command, env={**environment, "PYTHONHASHSEED": "0"}, stdin=subprocess.DEVNULL, pass_fds=[control.fileno()],
        start_new_session=True,
    )  # fmt: skip


# Tests replace it by one that forks a process with the same libraries.
start: Start = start_zygote


def confine() -> Confinement:
    """Return a new confinement, whose zygote imports its libraries while the judging process goes on."""
    here, there = socket.socketpair()
    with there:
        zygote = start(there)
    return Confinement(Path(tempfile.mkdtemp(prefix="gitops-confined-")), here, zygote)


class _Output:
    """The last part of what a confined process prints."""

    def __init__(self, descriptor: int) -> None:
        self._kept = b""
        self._thread = threading.Thread(target=self._read, args=(descriptor,), daemon=True)
        self._thread.start()

    def _read(self, descriptor: int) -> None:
        with open(descriptor, "rb", buffering=0) as stream:
            while part := stream.read(2**16):
                self._kept = (self._kept + part)[-KEPT_OUTPUT:]

    def wait(self) -> None:
        """Wait a little for what was printed last."""
        self._thread.join(0.5)

    def text(self) -> str:
        """Return what was printed last."""
        return self._kept.decode(errors="replace")


def _watch(process: int) -> int | None:
    """Return a descriptor that becomes readable when a process ends; None where there is none."""
    with suppress(OSError, AttributeError):
        return os.pidfd_open(process)
    return None


def _interpreter() -> Sequence[Path]:
    """Return the folders of Python, of the installed packages, and of this library."""
    library = Path(__file__).parents[1]
    named = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    found = [Path(sys.prefix), Path(sys.base_prefix), library, *(Path(path) for path in named if path)]
    return list(dict.fromkeys(path.resolve() for path in found))
