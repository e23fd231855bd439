"""Target of kind "process": the server as a process of this machine, without a container engine.

Its files are outside of the clone, so that neither a checkout nor the end of a job removes them: `releases/<digest>`
holds code, model.toml and files of a version, and `environments/<lock>` its packages. The operating system's list of
processes tells which servers are running, so that the answer is right even after a kill.
"""

import fcntl
import os
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

from gitops_ml import library, prediction_log, secrets, temporary_folder, uv
from gitops_ml.config import Repository
from gitops_ml.deploying import misconfiguration, smoke
from gitops_ml.deploying.build_context import assemble
from gitops_ml.deploying.settings_digest import settings_digest
from gitops_ml.deploying.state_folder import environment_folder, state_folder
from gitops_ml.deploying.target import Rollout, RunningVersion
from gitops_ml.errors import ContainerError
from gitops_ml.manifest import digest_file

LOCK = "requirements/serve.txt"
# Name of the -X option that marks a server, and its value instead of a port while only the smoke test uses the server.
OPTION, TRIAL = "gitops", "trial"
# A server gets no other variable of this environment: no token of the job, no password of a registry, no setting of
# the clone. It gets the servers' secrets, and removes them from its environment before it runs your code.
INHERITED_VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SYSTEMROOT", *secrets.SERVER_SECRETS)
ENDING = 15  # seconds that a server may take to end, beyond the time of its longest request
MAX_LINES = 200  # of a server's output


@dataclass(frozen=True)
class ServerProcess:
    """A running server, as its command line describes it.

    Attributes:
        pid: Process id.
        started: Start time in nanoseconds since 1970.
        callers: Port of the callers; None if only the smoke test uses the server.
        digest: Digest of the version that it serves.
        port: Port on 127.0.0.1 that this server does not share with others.
        settings: Digest of the settings that it was started with.
    """

    pid: int
    started: int
    callers: int | None
    digest: str
    port: int
    settings: str

    @property
    def url(self) -> str:
        """URL at the port that the server does not share."""
        return f"http://127.0.0.1:{self.port}"


class ProcessTarget:
    """Target for the servers of one environment on this machine."""

    def __init__(self, repository: Repository, environment: str, port: int | None) -> None:
        """Prepare the target; nothing is started yet.

        Args:
            repository: The clone.
            environment: Name of the environment.
            port: Port of the callers; None if no server is to stay up.
        """
        self._repository, self._environment, self._port = repository, environment, port
        self._folder, self._settings = environment_folder(repository, environment), settings_digest()
        self._newest = 0
        # The last process that was started here, and its log. The exit code of earlier runs' processes is unknown.
        self._child: tuple[subprocess.Popen[bytes], Path] | None = None

    def running(self) -> RunningVersion | None:
        """Return the version that serves callers."""
        serving = self._serving_process()
        if serving is None:
            return None
        differences = {"the port for callers has changed": serving.callers != self._port,
                       "the token has changed": serving.settings != self._settings}  # fmt: skip
        drift = ", ".join(phrase for phrase, differs in differences.items() if differs)
        return RunningVersion(serving.digest, None, f"http://127.0.0.1:{serving.callers}", drift)

    def start(self, rollout: Rollout) -> str:
        """Start a server at a free port."""
        trials = [process for process in self._list_processes() if process.callers is None]
        key = (rollout.digest, self._settings)
        started = next((process for process in trials if (process.digest, process.settings) == key), None)
        self._terminate([process for process in trials if process != started])
        started = started or self._launch(rollout, None)
        self._newest = started.started
        return started.url

    def is_alive(self) -> bool:
        """Return whether the newest server is running.

        Raises:
            ContainerError: It ended because of its configuration.
        """
        if any(process.started == self._newest for process in self._list_processes()):
            return True
        if self._child:
            child, log = self._child
            text = log.read_text(encoding="utf-8", errors="replace")
            misconfiguration.raise_if_misconfigured(child.poll(), text)
        return False

    def is_ready(self) -> bool:
        """Return False, because there is no network in between."""
        return False

    def switch(self, rollout: Rollout) -> None:
        """Start a server that also takes callers when it is ready, and end the old servers."""
        old = self._list_processes()
        if self._port is not None:
            seconds = self._repository.config.target(self._environment).ready_seconds
            process = self._launch(rollout, self._port)
            self._newest = process.started
            failures = smoke.wait_until_ready(process.url, seconds, self.is_alive)
            if failures:
                self._terminate([process])
                raise ContainerError(
                    f"Version {rollout.version} does not start at port {self._port}: {' '.join(failures)}",
                    "The old version still serves. Check whether another program uses the port.",
                )
        self._terminate(old)

    def logs(self) -> str:
        """Return the output of the server that serves callers."""
        serving = self._serving_process()
        return self._read_logs([serving]) if serving else ""

    def stop(self) -> None:
        """End every server after its requests."""
        self._terminate(self._list_processes())

    def discard(self) -> str:
        """End every server but the one that serves callers, and return their output."""
        serving = self._serving_process()
        others = [process for process in self._list_processes() if process != serving]
        self._terminate(others)
        return self._read_logs(others)

    def _read_logs(self, processes: list[ServerProcess]) -> str:
        """Return the last lines of the servers' output."""
        files = [log for log in (self._log_file(process.port) for process in processes) if log.exists()]
        texts = (file.read_text(encoding="utf-8", errors="replace").splitlines()[-MAX_LINES:] for file in files)
        return "".join(f"{line}\n" for lines in texts for line in lines)

    def _serving_process(self) -> ServerProcess | None:
        """Return the newest ready server at the port in model.toml; if there is none, at an earlier port."""
        public = [p for p in self._list_processes() if p.callers is not None and self._port is not None]
        public.sort(key=lambda process: process.callers == self._port)  # stable: the others keep their order
        return next((process for process in reversed(public) if _is_ready(process)), None)

    def _launch(self, rollout: Rollout, callers: int | None) -> ServerProcess:
        release, python = self._assemble_release(rollout), self._find_python(rollout)
        port = _free_port()
        env = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
        env |= {**rollout.variables, "PYTHONPATH": str(release / "src"), "HOST": "127.0.0.1", "PORT": str(port),
                "GITOPS_RUN": str(release / "run"), "GITOPS_SHARED_PORT": str(callers or ""),
                prediction_log.SMOKE_TEST: "" if callers else "1"}  # fmt: skip
        started = time.time_ns()
        # Python ignores an unknown -X option; `ps` shows it.
        option = f"-X{OPTION}={self._folder}|{started}|{callers or TRIAL}|{rollout.digest}|{port}|{self._settings}"
        file = self._log_file(port)
        with file.open("wb") as log:
            process = subprocess.Popen(
                [python, option, "-m", f"{library.package_name(release)}.serving"], cwd=release, env=env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        if callers is None:
            # If this process is killed, the next run of any command ends the server.
            temporary_folder.end_with_this_process(process.pid, option)
        self._child = process, file
        return ServerProcess(process.pid, started, callers, rollout.digest, port, self._settings)

    def _assemble_release(self, rollout: Rollout) -> Path:
        """Return the folder with the content that an image of the version would have."""
        folder = self._folder / "releases" / rollout.digest.removeprefix("sha256:")[:12]
        if folder.exists():
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder.working_folder(folder.parent, ".partial.") as partial_folder:
            partial = partial_folder / folder.name
            assemble(self._repository, rollout.commit, rollout.files, rollout.digest, partial)
            # All versions share it, so that the next version's server reports what was lost when this one was killed.
            scratch = self._folder / "scratch"
            scratch.mkdir(exist_ok=True)
            replace(self._repository, root=partial).scratch.symlink_to(scratch)
            partial.rename(folder)
        return folder

    def _find_python(self, rollout: Rollout) -> Path:
        """Return an interpreter with the packages of the version's lock, and the library that its commit pins."""
        release, own_lock = self._assemble_release(rollout), self._repository.root / LOCK
        lock, pin = release / LOCK, release / library.PIN
        # This interpreter is enough for a server that ends before this clone is removed.
        is_temporary = self._port is None
        if is_temporary and own_lock.is_file() and library.matches_installed(release) and _same(lock, own_lock):
            return Path(sys.executable)
        requirements = [lock] if library.is_copied(release) else [lock, pin]
        venv = state_folder() / "environments" / "-".join(digest_file(file)[7:19] for file in requirements)
        if not (venv / ".complete").exists():
            _install(requirements, venv)
        return venv / "bin" / "python"

    def _terminate(self, processes: list[ServerProcess]) -> None:
        """Ask servers to finish their requests and end, and kill those that take too long."""
        for process in processes:
            _signal(process, signal.SIGTERM)
        seconds = self._repository.config.serving.timeout_seconds + ENDING
        retrying = Retrying(
            stop=stop_after_delay(seconds), wait=wait_fixed(0.1), retry=retry_if_result(bool),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else [],
        )  # fmt: skip
        for process in retrying(lambda: [each for each in self._list_processes() if each in processes]):
            _signal(process, signal.SIGKILL)

    def _list_processes(self) -> list[ServerProcess]:
        """Return the running servers of this environment, oldest first."""
        ps = subprocess.run(["ps", "-axww", "-o", "pid=,stat=,args="], check=True, capture_output=True, text=True)
        processes = []
        for line in ps.stdout.splitlines():
            pid, state, command = line.split(None, 2)
            values = command.partition(f"-X{OPTION}={self._folder}|")[2].split(" ")[0].split("|")
            if len(values) == len(("started", "callers", "digest", "port", "settings")) and not state.startswith("Z"):
                started, callers, digest, port, settings = values
                shared_port = None if callers == TRIAL else int(callers)
                processes.append(ServerProcess(int(pid), int(started), shared_port, digest, int(port), settings))
        return sorted(processes, key=lambda process: process.started)

    def _log_file(self, port: int) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{port}.log"


def _signal(process: ServerProcess, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has ended in the meantime
        os.kill(process.pid, number)


def _is_ready(process: ServerProcess) -> bool:
    try:
        return requests.get(f"{process.url}/health/ready", timeout=30).ok
    except requests.RequestException:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _same(lock: Path, other: Path) -> bool:
    return digest_file(lock) == digest_file(other)


def _install(requirements: list[Path], venv: Path) -> None:
    """Install pinned requirements into a virtual environment, in one process at a time.

    The installer holds the lock too: if this process is killed, the installer goes on for a while, and the next run
    waits for its end.
    """
    venv.parent.mkdir(parents=True, exist_ok=True)
    command, python = [sys.executable, "-m", "uv"], str(venv / "bin" / "python")
    install = [*command, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "--require-hashes"]
    with venv.with_suffix(".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (venv / ".complete").exists():
            return
        _run([*command, "venv", "--quiet", "--clear", "--python", sys.executable, str(venv)], lock.fileno())
        for file in requirements:  # the lock also names the packages that the library needs
            _run([*install, "--no-deps", "-r", str(file)], lock.fileno())
        (venv / ".complete").touch()


def _run(command: list[str], lock: int) -> None:
    try:
        done = subprocess.run(
            command,
            env=secrets.environment_without_secrets() | uv.environment(),
            capture_output=True,
            text=True,
            timeout=1800,
            pass_fds=(lock,),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ContainerError(f"The packages cannot be installed: {error}", "Run the same command again.") from error
    if done.returncode:
        output = "; ".join(done.stderr.strip().splitlines()[-3:])
        raise ContainerError(
            f"The packages of {LOCK} cannot be installed: {output}", "Check the network, and try again."
        )
