"""The container engine of this machine: docker, podman or buildah, called as a person would call it."""

import json
import os
import re
import socket
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from gitops_ml.deploying import program
from gitops_ml.deploying.container import PORT, Container, Start
from gitops_ml.errors import ContainerError

KNOWN = ("docker", "podman", "buildah")
NETWORK = "GITOPS_CONTAINER_NETWORK"
# Seconds until we give up: on an answer that needs no network, on an image that travels, on a build.
QUICK, TRAVEL, BUILD = 60, 900, 1800
PUSHED = re.compile(r"digest: (sha256:[0-9a-f]{64})")
GONE = re.compile(r"no such container|no container with", re.IGNORECASE)
# Registries on this machine speak plain HTTP; docker knows that by itself.
LOCAL = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:|/)")
# The label that holds the address where the network is the machine's own, and nothing is published.
URL = "gitops.url"
# What a build behind a proxy needs; engines hand these on without keeping them.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
patient = retry(
    stop=stop_after_attempt(3), wait=wait_exponential_jitter(max=8), retry=retry_if_exception_type(ContainerError),
    reraise=True,
)  # fmt: skip


@dataclass(frozen=True)
class Engine:
    """One engine. Whatever it does not do is a ContainerError: nobody knows more about the version than before.

    Attributes:
        name: Of the program: docker, podman, or buildah, which can only build and push.
        network: "bridge", or "host" where the engine has no bridge; the server then listens on 127.0.0.1.
        environment: Variables of its commands, beside our own.
    """

    name: str
    network: str = "bridge"
    environment: Mapping[str, str] = field(default_factory=dict)

    def build(
        self, context: Path, tag: str, args: Mapping[str, str], labels: Mapping[str, str], secrets: Mapping[str, Path],
        created: int,
    ) -> None:  # fmt: skip
        """Build an image from a folder that holds a Dockerfile.

        Args:
            context: The folder.
            tag: What the image is called here.
            args: Build arguments.
            labels: Beside those of the Dockerfile.
            secrets: Files that the build may read and that no layer keeps.
            created: What the image says of its age, in seconds since 1970, where the engine lets it be said.
        """
        own = () if self.name == "docker" else ("--format=docker", f"--timestamp={created}")
        given = {**args, "SOURCE_DATE_EPOCH": str(created)}
        # The network of this machine: a package index may be a mirror that only it can reach.
        self.call(
            "build", *own, "--network=host", "--tag", tag,
            *_each("--build-arg", [*_pairs(given), *(name for name in PROXIES if os.environ.get(name))]),
            *_each("--label", _pairs(labels)),
            *_each("--secret", (f"id={name},src={file}" for name, file in secrets.items())), str(context),
            # docker's own builder, whatever the person chose: others may not use the network of the machine.
            # One manifest and no index around it, so that whoever pulls it can push it again under the same digest.
            seconds=BUILD,
            env={"DOCKER_BUILDKIT": "1", "BUILDX_BUILDER": "default", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
        )  # fmt: skip

    @patient
    def push(self, tag: str) -> str:
        """Push an image; the digest by which the registry knows it."""
        if self.name == "docker":
            told = PUSHED.findall(self.call("push", tag, seconds=TRAVEL))
            if not told:
                raise ContainerError(f"docker pushed {tag}, and named no digest.", "Look at it in the registry.")
            return str(told[-1])
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "digest"
            self.call("push", *self.plain(tag), "--digestfile", str(file), tag, f"docker://{tag}", seconds=TRAVEL)
            return file.read_text(encoding="utf-8").strip()

    @patient
    def pull(self, reference: str) -> None:
        """Fetch an image; one named by digest is verified by the engine."""
        self.call("pull", *self.plain(reference), reference, seconds=TRAVEL)

    def tag(self, image: str, name: str) -> None:
        """Give an image another name, so that it can be pushed under it."""
        self.call("tag", image, name)

    def image_labels(self, image: str) -> dict[str, str]:
        """What an image says of itself."""
        self._runs()
        labels: dict[str, str] | None = json.loads(self.call("image", "inspect", image))[0]["Config"].get("Labels")
        return labels or {}

    def run(self, start: Start) -> Container:
        """Start a container and leave it running; a pull is never part of it."""
        self._runs()
        port = start.port or (_free_port() if self.network == "host" else 0)
        env, place = dict(start.env), ("--publish", f"127.0.0.1:{port or ''}:{PORT}")
        labels = dict(start.labels)
        if self.network == "host":
            env |= {"HOST": "127.0.0.1", "PORT": str(port)}
            labels[URL] = f"http://127.0.0.1:{port}"
            place = ("--network", "host")
        inherited = [name for name in start.secrets if os.environ.get(name)]
        id = self.call(
            "create", "--pull=never", "--name", start.name, *place, "--read-only",
            "--tmpfs", "/tmp:rw,noexec,nosuid,nodev,size=64m", "--cap-drop=all",  # noqa: S108 (inside the container)
            "--security-opt", "no-new-privileges", "--pids-limit", "256", "--memory", f"{start.memory_mib}m",
            *(("--restart", "unless-stopped") if start.restart else ()),
            *_each("--env", [*_pairs(env), *inherited]), *_each("--label", _pairs(labels)), start.image,
        ).split()[-1]  # fmt: skip
        try:
            self.call("start", id)
        except ContainerError:
            self.remove(id)  # it would keep its name from the next one
            raise
        return self.inspect(id)

    def inspect(self, id: str) -> Container:
        """What is known of one container."""
        return self._inspect([id])[0]

    def containers(self, label: str) -> list[Container]:
        """Every container with this label (`name=value`), running or not, oldest first."""
        self._runs()
        ids = self.call("ps", "--all", "--no-trunc", "--quiet", "--filter", f"label={label}").split()
        return self._inspect(ids)

    def alive(self, id: str) -> bool:
        """Whether a container is up; one that is gone is not."""
        return bool(self.call("ps", "--quiet", "--filter", f"id={id}", "--filter", "status=running").strip())

    def logs(self, id: str, lines: int = 200) -> str:
        """The last lines that a container wrote."""
        return self.call("logs", "--tail", str(lines), id, both=True)

    def stop(self, id: str, seconds: int = 40) -> None:
        """Ask a container to finish what it began and to end; it is killed when that takes too long."""
        self.call("stop", "--time", str(seconds), id, seconds=seconds + QUICK)

    def remove(self, id: str) -> None:
        """Remove a container; it is killed if it runs. One that is gone already is fine."""
        try:
            self.call("rm", "--force", "--volumes", id)
        except ContainerError as error:
            if not GONE.search(error.what):
                raise

    def _inspect(self, ids: list[str]) -> list[Container]:
        found = json.loads(self.call("container", "inspect", *ids)) if ids else []
        return [_container(entry) for entry in sorted(found, key=lambda entry: str(entry["Created"]))]

    @property
    def runs(self) -> bool:
        """Whether it can run what it builds."""
        return self.name != "buildah"

    def _runs(self) -> None:
        if not self.runs:
            raise ContainerError(
                "buildah builds and pushes images; it does not run what they serve.", "Install docker or podman."
            )

    def plain(self, reference: str) -> tuple[str, ...]:
        """What podman and buildah must be told about a registry on this machine."""
        return ("--tls-verify=false",) if self.name != "docker" and LOCAL.match(reference) else ()

    def call(
        self, *arguments: str, seconds: int = QUICK, env: Mapping[str, str] | None = None, stdin: str | None = None,
        both: bool = False,
    ) -> str:  # fmt: skip
        """What a command of the engine printed; with `both`, on its standard error too."""
        return program.call(
            [self.name, *arguments], f"{self.name} {arguments[0]}", seconds, "Look at the engine and the network.",
            NO_ENGINE, env={**self.environment, **(env or {})}, stdin=stdin, both=both,
        )  # fmt: skip


NO_ENGINE = 'Install docker or podman and start it; or set `kind = "process"` for every target in model.toml.'


def find(choice: str = "auto") -> Engine:
    """The engine that model.toml names; for "auto", the first that answers.

    Raises:
        ContainerError: There is none, or the one that was named does not answer.
    """
    names = KNOWN if choice == "auto" else (choice,)
    silent = []
    for name in names:
        engine = Engine(name, os.environ.get(NETWORK) or "bridge")
        try:
            # The first asks the daemon; the others have none.
            engine.call(*(("version", "--format", "{{.Server.Version}}") if name == "docker" else ("--version",)))
        except ContainerError as error:
            silent.append(error.what)
        else:
            return engine
    raise ContainerError(f"No container engine answers: {' '.join(silent)}", NO_ENGINE)


def with_login(engine: Engine, folder: Path, registry: str, user: str, password: str) -> Engine:
    """The engine, logged in to a registry; the login lies in this folder and nowhere else on the machine."""
    env = {"REGISTRY_AUTH_FILE": str(folder / "config.json")}
    if engine.name == "docker":
        # The folder replaces the person's own settings, in which the address of the daemon may stand.
        host = engine.call("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").strip()
        env = {"DOCKER_CONFIG": str(folder), "DOCKER_HOST": host}
    logged_in = replace(engine, environment={**engine.environment, **env})
    logged_in.call(
        "login", *logged_in.plain(registry), "--username", user, "--password-stdin", registry, stdin=password
    )
    return logged_in


def _container(entry: Mapping[str, Any]) -> Container:
    labels = entry["Config"].get("Labels") or {}
    bound = (entry["NetworkSettings"].get("Ports") or {}).get(f"{PORT}/tcp") or []
    url = f"http://127.0.0.1:{bound[0]['HostPort']}" if bound else labels.get(URL)
    state = entry["State"]
    health = (state.get("Health") or {}).get("Status")
    again = bool(state.get("Restarting")) or (health == "starting" and entry.get("RestartCount", 0) > 0)
    ended = None if state["Running"] and not state.get("Restarting") else state.get("ExitCode")
    return Container(
        entry["Id"], entry["Name"].removeprefix("/"), entry["Config"]["Image"], labels, state["Running"], url,
        healthy=health == "healthy", unwell=health == "unhealthy" or again, ended=ended,
    )  # fmt: skip


def _pairs(values: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in values.items()]


def _each(option: str, values: Iterable[str]) -> list[str]:
    """The option before each value."""
    return [part for value in values for part in (option, value)]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
