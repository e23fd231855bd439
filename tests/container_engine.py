"""A real container engine, a real registry and a base image with Python, for the duration of the tests."""

import fcntl
import hashlib
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import base_image
from repositories import run

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gitops-ml-template"
TAG = f"python:{platform.python_version()}"
SECONDS = 60


@dataclass(frozen=True)
class ContainerEngine:
    """A container engine and a registry, to build, store and run images.

    Attributes:
        environment: Variables with which commands find the engine; docker's settings and logins are those of the tests.
        registry: Address of the registry, `127.0.0.1:PORT`; plain HTTP.
        base: Reference of an image with Python, `127.0.0.1:PORT/python@sha256:...`.
        folder: Folder with all of their files.
        server: Process of the registry; a test may stop it and start it again.
    """

    environment: Mapping[str, str]
    registry: str
    base: str
    folder: Path
    server: "Registry"

    def docker(self, *arguments: str, code: int = 0) -> str:
        """Run docker, and assert its exit code."""
        return run(self.folder, "docker", *arguments, env=self.environment, code=code)


class Registry:
    """Debian's docker-registry on a free port, with its files in one folder."""

    def __init__(self, folder: Path) -> None:
        """Start it."""
        self.port, self.folder = free_port(), folder
        self.file = folder.with_name("registry.yml")
        self.file.write_text(
            "version: 0.1\nlog: {level: error}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder}}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: '127.0.0.1:{self.port}'}}\n",
            encoding="utf-8",
        )
        self.start()

    @property
    def address(self) -> str:
        """Address as image references contain it."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the registry, on the same port as before."""
        with self.file.with_suffix(".log").open("a") as log:
            self.process = subprocess.Popen(
                ["docker-registry", "serve", self.file], stdout=log, stderr=subprocess.STDOUT
            )  # fmt: skip
        _wait(lambda: _listens(self.port), "the registry", self.file.with_suffix(".log"))

    def stop(self) -> None:
        """Stop the registry."""
        self.process.terminate()
        self.process.wait(SECONDS)


@contextmanager
def start_engine(folder: Path) -> Iterator[ContainerEngine]:
    """Start the engine and the registry in a folder; stop them and their containers afterwards."""
    base = _cached_base()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        # Blobs never change, so links to the cached ones suffice.
        shutil.copytree(base, folder / "registry", copy_function=_link)
        registry = Registry(folder / "registry")
        stack.callback(registry.stop)
        environment = stack.enter_context(_engine(folder))
        digest = (base / "digest").read_text(encoding="utf-8").strip()
        reference = f"{registry.address}/python@{digest}"
        yield ContainerEngine(environment, registry.address, reference, folder, registry)


@contextmanager
def _engine(folder: Path) -> Iterator[dict[str, str]]:
    """Start a Docker daemon with all of its files below a folder; yield the variables with which clients find it."""
    with ExitStack() as stack:
        bridge = stack.enter_context(_bridge())
        socket_file, log = folder / "docker.sock", folder / "dockerd.log"
        command = [
            "dockerd", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
            f"--bridge={bridge or 'none'}", f"--data-root={folder / 'data'}", f"--exec-root={folder / 'exec'}",
            f"--pidfile={folder / 'pid'}", f"--host=unix://{socket_file}", "--log-level=warn",
        ]  # fmt: skip
        with log.open("w") as stream:
            daemon = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, process_group=0)
        stack.callback(_end, daemon)
        for name in ("bin", "config"):
            (folder / name).mkdir()
        (folder / "config" / "config.json").write_text("{}", encoding="utf-8")
        # The distribution's docker, which includes the builder; another one without it may come first on PATH.
        (folder / "bin" / "docker").symlink_to("/usr/bin/docker")
        environment = {
            "DOCKER_HOST": f"unix://{socket_file}", "DOCKER_CONFIG": str(folder / "config"),
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "GITOPS_CONTAINER_NETWORK": "bridge" if bridge else "host",
        }  # fmt: skip
        _wait(lambda: _succeeds("docker", "version", env=environment), "dockerd", log)
        stack.callback(_remove_all, environment)
        yield environment


def _remove_all(environment: Mapping[str, str]) -> None:
    """Remove containers, which would keep files mounted, and networks, which would keep their addresses."""
    ids = run(Path("/"), "docker", "ps", "--all", "--quiet", env=environment).split()
    if ids:
        run(Path("/"), "docker", "rm", "--force", *ids, env=environment)
    run(Path("/"), "docker", "network", "prune", "--force", env=environment)


@contextmanager
def _bridge() -> Iterator[str | None]:
    """Yield the name of a separate network bridge for this engine; None if the machine allows none."""
    name = f"gitops{os.getpid()}"
    number = os.getpid() % 4096
    address = f"172.{16 + number // 256}.{number % 256}.1/24"
    if not _succeeds("ip", "link", "add", "name", name, "type", "bridge"):
        yield None
        return
    try:
        run(Path("/"), "ip", "address", "add", address, "dev", name)
        run(Path("/"), "ip", "link", "set", name, "up")
        yield name
    finally:
        run(Path("/"), "ip", "link", "delete", name)


def _cached_base() -> Path:
    """Return the files of a registry with the base image, built on the first run on this machine."""
    recipe = hashlib.sha256(Path(base_image.__file__).read_bytes() + sys.version.encode() + sys.base_prefix.encode())
    CACHE.mkdir(parents=True, exist_ok=True)
    cached = CACHE / f"base-{platform.python_version()}-{recipe.hexdigest()[:12]}"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not cached.exists():
            for old in CACHE.glob("base-*"):
                shutil.rmtree(old)
            with _temporary_folder(CACHE / "making") as folder:
                _make_base(folder)
                (folder / "registry").rename(cached)
    return cached


@contextmanager
def _temporary_folder(folder: Path) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_base(folder: Path) -> None:
    """Build the base image, and push it to a registry in the folder."""
    system = folder / "system.tar"
    base_image.build_base_system(system)
    registry = Registry(folder / "registry")
    try:
        with _engine(folder) as environment:
            name = f"{registry.address}/{TAG}"
            run(folder, "docker", "import", "--change", 'CMD ["python3"]', str(system), name, env=environment)
            output = run(folder, "docker", "push", name, env=environment)
    finally:
        registry.stop()
    (folder / "registry" / "digest").write_text(output.split("digest: ")[1].split()[0], encoding="utf-8")


def _link(source: str, target: str) -> str:
    """Hard-link a file; copy it if the two paths are on different disks."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _succeeds(*command: str, env: Mapping[str, str] | None = None) -> bool:
    done = subprocess.run(command, env={**os.environ, **(env or {})}, check=False, capture_output=True)
    return done.returncode == 0


def _wait(is_ready: object, name: str, log: Path) -> None:
    assert callable(is_ready)
    until = time.monotonic() + SECONDS
    while not is_ready():
        assert time.monotonic() < until, f"{name} does not answer:\n{log.read_text()[-3000:]}"
        time.sleep(0.1)


def _end(daemon: subprocess.Popen[bytes]) -> None:
    """Stop the daemon gracefully: a killed daemon leaves its mounts."""
    daemon.terminate()
    try:
        daemon.wait(SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait(SECONDS)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
