"""The container engine of this machine: docker, podman or buildah, called by their command lines."""

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

from gitops_ml.deploying import external_command
from gitops_ml.deploying.container import PORT, Container, ContainerSpec
from gitops_ml.errors import ContainerError

ENGINES = ("docker", "podman", "buildah")
NETWORK = "GITOPS_CONTAINER_NETWORK"
# Time limits in seconds: for a command that needs no network, for the transfer of an image, for a build.
QUICK, TRANSFER, BUILD = 60, 900, 1800
PUSHED = re.compile(r"digest: (sha256:[0-9a-f]{64})")
GONE = re.compile(r"no such container|no container with", re.IGNORECASE)
# Registries on this machine, which use plain HTTP; docker allows that without an option.
LOCAL = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:|/)")
# Container label that holds the URL in the network of the host, in which no port is published.
URL = "gitops.url"
# Proxy settings for a build; engines pass these build arguments on without storing them in the image.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
retry_on_container_error = retry(
    stop=stop_after_attempt(3), wait=wait_exponential_jitter(max=8), retry=retry_if_exception_type(ContainerError),
    reraise=True,
)  # fmt: skip


@dataclass(frozen=True)
class Engine:
    """A container engine. Its failures are ContainerErrors, from which nothing follows about the version.

    Attributes:
        name: Name of the program: docker, podman, or buildah, which can only build and push.
        network: "bridge", or "host" if the engine has no bridge; the server then listens on 127.0.0.1.
        environment: Environment variables of its commands, beside those of this process.
    """

    name: str
    network: str = "bridge"
    environment: Mapping[str, str] = field(default_factory=dict)

    def build(
        self, context: Path, tag: str, args: Mapping[str, str], labels: Mapping[str, str], secrets: Mapping[str, Path],
        created: int,
    ) -> None:  # fmt: skip
        """Build an image from a folder with a Dockerfile.

        Args:
            context: The folder.
            tag: Name of the image on this machine.
            args: Build arguments.
            labels: Labels beside those of the Dockerfile.
            secrets: Files that the build may read and that are not part of a layer, by id.
            created: Creation time of the image, in seconds since 1970, if the engine can set it.

        Raises:
            ContainerError: The build failed.
        """
        own = () if self.name == "docker" else ("--format=docker", f"--timestamp={created}")
        build_args = {**args, "SOURCE_DATE_EPOCH": str(created)}
        # The network of the host, because a package index may be a mirror that only the host can reach.
        self.call(
            "build", *own, "--network=host", "--tag", tag,
            *_repeat("--build-arg", [*_pairs(build_args), *(name for name in PROXIES if os.environ.get(name))]),
            *_repeat("--label", _pairs(labels)),
            *_repeat("--secret", (f"id={name},src={file}" for name, file in secrets.items())), str(context),
            # docker's default builder, because others may not use the network of the host.
            # A manifest without an index, so that a pulled image can be pushed again with the same digest.
            seconds=BUILD,
            env={"DOCKER_BUILDKIT": "1", "BUILDX_BUILDER": "default", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
        )  # fmt: skip

    @retry_on_container_error
    def push(self, tag: str) -> str:
        """Push an image.

        Args:
            tag: Name of the image, with the registry.

        Returns:
            Digest of the image in the registry.

        Raises:
            ContainerError: The push failed three times.
        """
        if self.name == "docker":
            digests = PUSHED.findall(self.call("push", tag, seconds=TRANSFER))
            if not digests:
                raise ContainerError(
                    f"docker pushed {tag} and printed no digest.", "Look at the image in the registry."
                )
            return str(digests[-1])
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "digest"
            self.call(
                "push", *self.tls_options(tag), "--digestfile", str(file), tag, f"docker://{tag}", seconds=TRANSFER
            )
            return file.read_text(encoding="utf-8").strip()

    @retry_on_container_error
    def pull(self, reference: str) -> None:
        """Pull an image; the engine verifies an image that is named by digest.

        Args:
            reference: Reference of the image.

        Raises:
            ContainerError: The pull failed three times.
        """
        self.call("pull", *self.tls_options(reference), reference, seconds=TRANSFER)

    def tag(self, image: str, name: str) -> None:
        """Give an image another name.

        Args:
            image: Name of the image.
            name: Additional name.
        """
        self.call("tag", image, name)

    def image_labels(self, image: str) -> dict[str, str]:
        """Return the labels of an image on this machine.

        Args:
            image: Reference of the image.

        Raises:
            ContainerError: There is no such image on this machine.
        """
        self._require_run()
        labels: dict[str, str] | None = json.loads(self.call("image", "inspect", image))[0]["Config"].get("Labels")
        return labels or {}

    def run(self, spec: ContainerSpec) -> Container:
        """Start a container and leave it running; the image is never pulled.

        Args:
            spec: Specification of the container.

        Returns:
            The started container.

        Raises:
            ContainerError: The container could not be created or started.
        """
        self._require_run()
        port = spec.port or (_free_port() if self.network == "host" else 0)
        env, network = dict(spec.env), ("--publish", f"127.0.0.1:{port or ''}:{PORT}")
        labels = dict(spec.labels)
        if self.network == "host":
            env |= {"HOST": "127.0.0.1", "PORT": str(port)}
            labels[URL] = f"http://127.0.0.1:{port}"
            network = ("--network", "host")
        inherited = [name for name in spec.secrets if os.environ.get(name)]
        id = self.call(
            "create", "--pull=never", "--name", spec.name, *network, "--read-only",
            "--tmpfs", "/tmp:rw,noexec,nosuid,nodev,size=64m", "--cap-drop=all",  # noqa: S108 (inside the container)
            "--security-opt", "no-new-privileges", "--pids-limit", "256", "--memory", f"{spec.memory_mib}m",
            *(("--restart", "unless-stopped") if spec.restart else ()),
            *_repeat("--env", [*_pairs(env), *inherited]), *_repeat("--label", _pairs(labels)), spec.image,
        ).split()[-1]  # fmt: skip
        try:
            self.call("start", id)
        except ContainerError:
            self.remove(id)  # so that the next container can have its name
            raise
        return self.inspect(id)

    def inspect(self, id: str) -> Container:
        """Return the state of a container.

        Args:
            id: Id or name of the container.
        """
        return self._inspect([id])[0]

    def containers(self, label: str) -> list[Container]:
        """Return all containers with a label, running or not, oldest first.

        Args:
            label: The label as `name=value`.
        """
        self._require_run()
        ids = self.call("ps", "--all", "--no-trunc", "--quiet", "--filter", f"label={label}").split()
        return self._inspect(ids)

    def is_running(self, id: str) -> bool:
        """Return whether a container is running; False if it does not exist.

        Args:
            id: Id of the container.
        """
        return bool(self.call("ps", "--quiet", "--filter", f"id={id}", "--filter", "status=running").strip())

    def logs(self, id: str, lines: int = 200) -> str:
        """Return the last lines of a container's output.

        Args:
            id: Id of the container.
            lines: Number of lines.
        """
        return self.call("logs", "--tail", str(lines), id, with_stderr=True)

    def stop(self, id: str, seconds: int = 40) -> None:
        """Ask a container to finish its requests and end; it is killed after a time.

        Args:
            id: Id of the container.
            seconds: Time after which it is killed.
        """
        self.call("stop", "--time", str(seconds), id, seconds=seconds + QUICK)

    def remove(self, id: str) -> None:
        """Remove a container; it is killed if it is running. It need not exist.

        Args:
            id: Id or name of the container.
        """
        try:
            self.call("rm", "--force", "--volumes", id)
        except ContainerError as error:
            if not GONE.search(error.problem):
                raise

    def _inspect(self, ids: list[str]) -> list[Container]:
        entries = json.loads(self.call("container", "inspect", *ids)) if ids else []
        return [_container(entry) for entry in sorted(entries, key=lambda entry: str(entry["Created"]))]

    @property
    def can_run(self) -> bool:
        """True if the engine can run containers."""
        return self.name != "buildah"

    def _require_run(self) -> None:
        if not self.can_run:
            raise ContainerError(
                "buildah can only build and push images; it cannot run them.", "Install docker or podman."
            )

    def tls_options(self, reference: str) -> tuple[str, ...]:
        """Return the options with which podman and buildah use a registry on this machine.

        Args:
            reference: Reference of an image, or host of the registry.
        """
        return ("--tls-verify=false",) if self.name != "docker" and LOCAL.match(reference) else ()

    def call(
        self, *arguments: str, seconds: int = QUICK, env: Mapping[str, str] | None = None, stdin: str | None = None,
        with_stderr: bool = False,
    ) -> str:  # fmt: skip
        """Run a command of the engine.

        Args:
            *arguments: Arguments of the engine.
            seconds: Time limit.
            env: Environment variables beside the engine's own.
            stdin: Text for its standard input.
            with_stderr: Return its standard error too.

        Returns:
            Output of the command.

        Raises:
            ContainerError: The engine is not installed, took too long, or failed.
        """
        return external_command.run_command(
            [self.name, *arguments], f"{self.name} {arguments[0]}", seconds, "Look at the engine and the network.",
            NO_ENGINE, env={**self.environment, **(env or {})}, stdin=stdin, with_stderr=with_stderr,
        )  # fmt: skip


NO_ENGINE = 'Install docker or podman and start it; or set `kind = "process"` for every target in model.toml.'


def find_engine(choice: str = "auto") -> Engine:
    """Return a container engine of this machine.

    Args:
        choice: Name of the engine; "auto" for the first that answers.

    Raises:
        ContainerError: There is no engine, or the named one does not answer.
    """
    names = ENGINES if choice == "auto" else (choice,)
    failures = []
    for name in names:
        engine = Engine(name, os.environ.get(NETWORK) or "bridge")
        try:
            # docker's command asks the daemon; the others have none.
            engine.call(*(("version", "--format", "{{.Server.Version}}") if name == "docker" else ("--version",)))
        except ContainerError as error:
            failures.append(error.problem)
        else:
            return engine
    raise ContainerError(f"No container engine answers: {' '.join(failures)}", NO_ENGINE)


def with_login(engine: Engine, folder: Path, registry: str, user: str, password: str) -> Engine:
    """Return the engine with a login to a registry, which is stored in a given folder only.

    Args:
        engine: The engine.
        folder: Folder for the login.
        registry: Host of the registry.
        user: User name.
        password: Password or token.

    Raises:
        ContainerError: The registry does not accept the login, or does not answer.
    """
    env = {"REGISTRY_AUTH_FILE": str(folder / "config.json")}
    if engine.name == "docker":
        # The folder replaces the user's own settings, which may contain the address of the daemon.
        host = engine.call("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").strip()
        env = {"DOCKER_CONFIG": str(folder), "DOCKER_HOST": host}
    logged_in = replace(engine, environment={**engine.environment, **env})
    logged_in.call(
        "login", *logged_in.tls_options(registry), "--username", user, "--password-stdin", registry, stdin=password
    )
    return logged_in


def _container(entry: Mapping[str, Any]) -> Container:
    labels = entry["Config"].get("Labels") or {}
    ports = (entry["NetworkSettings"].get("Ports") or {}).get(f"{PORT}/tcp") or []
    url = f"http://127.0.0.1:{ports[0]['HostPort']}" if ports else labels.get(URL)
    state = entry["State"]
    health = (state.get("Health") or {}).get("Status")
    is_restarting = bool(state.get("Restarting")) or (health == "starting" and entry.get("RestartCount", 0) > 0)
    exit_code = None if state["Running"] and not state.get("Restarting") else state.get("ExitCode")
    return Container(
        entry["Id"], entry["Name"].removeprefix("/"), entry["Config"]["Image"], labels, state["Running"], url,
        healthy=health == "healthy", unhealthy=health == "unhealthy" or is_restarting, exit_code=exit_code,
    )  # fmt: skip


def _pairs(values: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in values.items()]


def _repeat(option: str, values: Iterable[str]) -> list[str]:
    """Return the values, each after the option."""
    return [part for value in values for part in (option, value)]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
