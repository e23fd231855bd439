"""The same runtime as a process of this machine, where no container engine is to be had.

What runs lies in a folder of its own outside of the clone, so that neither a checkout nor the end of a job takes it
away: `releases/<digest>` (code, model.toml and files of a version) and `environments/<lock>` (its packages). Which
servers are up is asked of the operating system, so that no kill can make a file of ours lie.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import requests
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from gitops_ml import library, logged, private, uv
from gitops_ml.config import Repository
from gitops_ml.deploying import refused, smoke
from gitops_ml.deploying.context import assemble
from gitops_ml.deploying.settings import mark
from gitops_ml.deploying.state import home, state
from gitops_ml.deploying.target import Rollout, Running
from gitops_ml.errors import ContainerError
from gitops_ml.manifest import digest_file

LOCK = "requirements/serve.txt"
MARK, TRIAL = "gitops", "trial"
# Nothing else of our environment reaches a server: no token of the job, no password of a registry, no key, no setting
# of the clone. The secrets of servers do: a server forgets them before it runs your code.
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SYSTEMROOT", *private.OF_SERVERS)
GRACE = 40
LINES = 200  # of what a server printed


@dataclass(frozen=True)
class Process:
    """One server, as its command line tells.

    Attributes:
        pid: Its number.
        started: When, in nanoseconds.
        callers: The port where callers come, once it is ready; None while it is on trial.
        digest: Of the version that it serves.
        port: Where it, and no other, answers on 127.0.0.1.
        settings: The mark of those that it was started with.
    """

    pid: int
    started: int
    callers: int | None
    digest: str
    port: int
    settings: str

    @property
    def url(self) -> str:
        """Where it, and no other, answers."""
        return f"http://127.0.0.1:{self.port}"


class ProcessTarget:
    """Servers of one environment on this machine."""

    def __init__(self, repository: Repository, environment: str, port: int | None) -> None:
        """Without a port nothing stays up."""
        self._repository, self._environment, self._port = repository, environment, port
        self._home, self._settings = home(repository, environment), mark()
        self._newest = 0
        # The last one that we started, and its log: of one that an earlier run started nobody knows how it ended.
        self._child: tuple[subprocess.Popen[bytes], Path] | None = None

    def running(self) -> Running | None:
        """What answers callers."""
        served = self._served()
        if served is None:
            return None
        wrong = {"callers come by another port": served.callers != self._port,
                 "the token has changed": served.settings != self._settings}  # fmt: skip
        drift = ", ".join(what for what, so in wrong.items() if so)
        return Running(served.digest, None, f"http://127.0.0.1:{served.callers}", drift)

    def start(self, wanted: Rollout) -> str:
        """A server at a spare port."""
        trials = [each for each in self._known() if each.callers is None]
        same = (wanted.digest, self._settings)
        tried = next((each for each in trials if (each.digest, each.settings) == same), None)
        self._end([each for each in trials if each != tried])
        tried = tried or self._launch(wanted, None)
        self._newest = tried.started
        return tried.url

    def alive(self) -> bool:
        """Whether the newest server is up.

        Raises:
            ContainerError: It ended over its configuration.
        """
        if any(each.started == self._newest for each in self._known()):
            return True
        if self._child:
            child, log = self._child
            refused.insist(child.poll(), log.read_text(encoding="utf-8", errors="replace"))
        return False

    def well(self) -> bool:
        """Nothing lies between: it listens on this machine."""
        return False

    def switch(self, wanted: Rollout) -> None:
        """A server that takes callers too as soon as it is ready; then the old one is asked to end."""
        leaving = self._known()
        if self._port is not None:
            seconds = self._repository.config.target(self._environment).ready_seconds
            served = self._launch(wanted, self._port)
            self._newest = served.started
            wrong = smoke.wait_ready(served.url, seconds, self.alive)
            if wrong:
                self._end([served])
                raise ContainerError(
                    f"Version {wanted.version} does not start at port {self._port}: {' '.join(wrong)}",
                    "What served before still does. Look whether another program has the port.",
                )
        self._end(leaving)

    def logs(self) -> str:
        """What the server printed that answers callers."""
        served = self._served()
        return self._told([served]) if served else ""

    def end(self) -> None:
        """Ask every server to finish what it began."""
        self._end(self._known())

    def abandon(self) -> str:
        """End everything but the server that answers callers; what the others printed."""
        served = self._served()
        tried = [each for each in self._known() if each != served]
        self._end(tried)
        return self._told(tried)

    def _told(self, which: list[Process]) -> str:
        """The last lines that servers printed."""
        files = [log for log in (self._log(each.port) for each in which) if log.exists()]
        texts = (file.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES:] for file in files)
        return "".join(f"{line}\n" for lines in texts for line in lines)

    def _served(self) -> Process | None:
        """The newest server that callers reach: where model.toml has them come, or else where it had them come."""
        public = [each for each in self._known() if each.callers is not None and self._port is not None]
        public.sort(key=lambda each: each.callers == self._port)  # the others stay in their order
        return next((each for each in reversed(public) if _answers(each)), None)

    def _launch(self, wanted: Rollout, callers: int | None) -> Process:
        release, python = self._release(wanted), self._python(wanted)
        place = _free_port()
        env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        env |= {**wanted.variables, "PYTHONPATH": str(release / "src"), "HOST": "127.0.0.1", "PORT": str(place),
                "GITOPS_RUN": str(release / "run"), "GITOPS_SHARED_PORT": str(callers or ""),
                logged.TRIAL: "" if callers else "1"}  # fmt: skip
        began = time.time_ns()
        # Python hands an unknown -X option on and ignores it; `ps` shows it.
        mark = f"-X{MARK}={self._home}|{began}|{callers or TRIAL}|{wanted.digest}|{place}|{self._settings}"
        file = self._log(place)
        with file.open("wb") as log:
            started = subprocess.Popen(
                [python, mark, "-m", f"{library.package(release)}.serving"], cwd=release, env=env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._child = started, file
        return Process(started.pid, began, callers, wanted.digest, place, self._settings)

    def _release(self, wanted: Rollout) -> Path:
        """What the image would hold, as a folder."""
        folder = self._home / "releases" / wanted.digest.removeprefix("sha256:")[:12]
        if not folder.exists():
            half = folder.with_name(f"{folder.name}.{os.getpid()}")
            shutil.rmtree(half, ignore_errors=True)
            assemble(self._repository, wanted.commit, wanted.files, wanted.digest, half)
            # One for all versions: a server of the next one says what a kill of this one lost.
            scratch = self._home / "scratch"
            scratch.mkdir(exist_ok=True)
            replace(self._repository, root=half).scratch.symlink_to(scratch)
            half.rename(folder)
        return folder

    def _python(self, wanted: Rollout) -> Path:
        """Return an interpreter with the packages of the version's lock, and the library that its commit pins."""
        release, ours = self._release(wanted), self._repository.root / LOCK
        lock, pin = release / LOCK, release / library.PIN
        # What is only tried ends before this clone does.
        if self._port is None and ours.is_file() and library.serves_here(release) and _same(lock, ours):
            return Path(sys.executable)
        pinned = [lock] if library.is_copied(release) else [lock, pin]
        venv = state() / "environments" / "-".join(digest_file(file)[7:19] for file in pinned)
        if not (venv / ".complete").exists():
            _install(pinned, venv)
        return venv / "bin" / "python"

    def _end(self, which: list[Process]) -> None:
        """Ask servers to finish what they began and to end; what takes too long is killed."""
        for process in which:
            _tell(process, signal.SIGTERM)
        waiting = Retrying(
            stop=stop_after_delay(GRACE), wait=wait_fixed(0.1), retry=retry_if_result(bool),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else [],
        )  # fmt: skip
        for left in waiting(lambda: [each for each in self._known() if each in which]):
            _tell(left, signal.SIGKILL)

    def _known(self) -> list[Process]:
        """The servers of this environment that are up, oldest first."""
        shown = subprocess.run(["ps", "-axww", "-o", "pid=,stat=,args="], check=True, capture_output=True, text=True)
        found = []
        for line in shown.stdout.splitlines():
            pid, state, command = line.split(None, 2)
            told = command.partition(f"-X{MARK}={self._home}|")[2].split(" ")[0].split("|")
            if len(told) == len(("started", "callers", "digest", "port", "settings")) and not state.startswith("Z"):
                callers = None if told[1] == TRIAL else int(told[1])
                found.append(Process(int(pid), int(told[0]), callers, told[2], int(told[3]), told[4]))
        return sorted(found, key=lambda each: each.started)

    def _log(self, port: int) -> Path:
        self._home.mkdir(parents=True, exist_ok=True)
        return self._home / f"{port}.log"


def _tell(process: Process, what: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has ended by itself in the meantime
        os.kill(process.pid, what)


def _answers(process: Process) -> bool:
    try:
        return requests.get(f"{process.url}/health/ready", timeout=30).ok
    except requests.RequestException:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _same(lock: Path, other: Path) -> bool:
    return digest_file(lock) == digest_file(other)


def _install(pinned: list[Path], venv: Path) -> None:
    """Install what requirements pin into an environment of their own, by one process at a time.

    The installer holds our lock too: when we are killed it goes on for a while, and the next run waits for its end.
    """
    venv.parent.mkdir(parents=True, exist_ok=True)
    command, python = [sys.executable, "-m", "uv"], str(venv / "bin" / "python")
    install = [*command, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "--require-hashes"]
    with venv.with_suffix(".lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if (venv / ".complete").exists():
            return
        _run([*command, "venv", "--quiet", "--clear", "--python", sys.executable, str(venv)], held.fileno())
        for file in pinned:  # a lock names all that its packages need; the library's own needs stand in it too
            _run([*install, "--no-deps", "-r", str(file)], held.fileno())
        (venv / ".complete").touch()


def _run(command: list[str], held: int) -> None:
    try:
        done = subprocess.run(
            command,
            env=private.without() | uv.environment(),
            capture_output=True,
            text=True,
            timeout=1800,
            pass_fds=(held,),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ContainerError(f"The packages cannot be installed: {error}", "Run the same command again.") from error
    if done.returncode:
        said = "; ".join(done.stderr.strip().splitlines()[-3:])
        raise ContainerError(f"The packages of {LOCK} cannot be installed: {said}", "Look at the network; try again.")
