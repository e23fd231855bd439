"""Target of kind "compose": a Docker host with nginx in front of a blue and a green server.

The version that serves stays up until the next one has passed its smoke test.
"""

import os
import re
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import requests
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from gitops_ml import bundled
from gitops_ml.config import Repository
from gitops_ml.deploying import misconfiguration
from gitops_ml.deploying.build_context import find_log_sink
from gitops_ml.deploying.container import Container
from gitops_ml.deploying.engine import TRANSFER, Engine
from gitops_ml.deploying.login import logged_in
from gitops_ml.deploying.settings_digest import LABEL, settings_digest
from gitops_ml.deploying.state_folder import repository_id
from gitops_ml.deploying.target import Rollout, RunningVersion
from gitops_ml.deploying.targets.monitoring_services import PROFILE, SERVICES, write_configuration
from gitops_ml.deploying.targets.reverse_proxy import ReverseProxy
from gitops_ml.errors import ContainerError

PART = "compose"
PROJECT, SERVICE, DIGEST = "com.docker.compose.project", "com.docker.compose.service", "gitops.digest"
FRONT = "front"
# Additional compose file if the prediction log is in a folder of this machine.
LOG = "log.yaml"
# Digits of the repository's id in the project's name, because two models on a host may have the same name.
ID_DIGITS = 6
PORT = "GITOPS_PORT"
# Environment variables with which a machine may change the deployment; the second is for nginx only.
MACHINE_VARIABLES = ("GITOPS_MEMORY", "GITOPS_FRONT_IMAGE")
# Programs for engines without the command `compose`.
ALTERNATIVES = ("docker-compose", "podman-compose")
# Seconds until an address must answer with the new version; for an accepted request to reach its server; and for a
# server to end after its longest request.
ANSWER, ARRIVE, ENDING = 30, 2, 15


class Compose:
    """Target on this machine, with docker or podman."""

    def __init__(self, repository: Repository, environment: str, engine: Engine, folder: Path) -> None:
        """Prepare the target; no container is asked or started yet.

        Args:
            repository: The clone; files in its deploy/compose replace the library's.
            environment: Name of the environment.
            engine: Container engine: docker or podman.
            folder: Folder of this environment for nginx's configuration, outside of the clone, because a runner cleans
                up the clone before each job.
        """
        self._repository, self._environment, self._engine = repository, environment, engine
        self._project = project(repository, environment)
        port = repository.config.target(environment).port
        self._proxy = ReverseProxy(folder / FRONT, self._project, port, engine.network)
        self._url = f"http://127.0.0.1:{port}"
        self._monitoring_folder = folder / PROFILE

    def running(self) -> RunningVersion | None:
        """Return the version of the colour to which nginx sends callers."""
        containers = self._containers()
        serving = containers.get(self._proxy.serving_colour)
        if serving is None or not serving.running:
            return None
        drift = self._drift(containers.get(FRONT), serving)
        return RunningVersion(serving.labels[DIGEST], serving.image, self._url, drift)

    def _drift(self, nginx: Container | None, serving: Container) -> str:
        """Return a phrase that lists what differs from the desired deployment."""
        if nginx is None or not nginx.running or nginx.unhealthy:
            return "nginx is not up"
        settings = self._settings()
        is_outdated = self._proxy.is_outdated(self._file("nginx.conf"))
        differences = {
            "the port for callers has changed": nginx.url not in (None, self._url),
            "its health check fails, or it restarts repeatedly": serving.unhealthy,
            "its settings or the token have changed": serving.labels.get(LABEL) != settings["GITOPS_SETTINGS"],
            "nginx's settings have changed": is_outdated
            or nginx.labels.get(LABEL) != settings["GITOPS_FRONT_SETTINGS"],
        }
        return ", ".join(phrase for phrase, differs in differences.items() if differs)

    def _settings(self) -> dict[str, str]:
        """Return digests of everything but the version that a server, and nginx, are started with."""
        texts = [file.read_text(encoding="utf-8") for file in (*self._files, self._file(LOG))]
        variables = {**self._proxy.variables(), "GITOPS_GRACE": f"{self._grace}s"}
        port = variables.pop(PORT)
        machine = [os.environ.get(name, "") for name in MACHINE_VARIABLES]
        return {
            "GITOPS_SETTINGS": settings_digest(texts, variables, machine[0]),
            "GITOPS_FRONT_SETTINGS": settings_digest(texts, variables, port, machine, with_secrets=False),
        }

    def start(self, rollout: Rollout) -> str:
        """Start the version as the idle colour."""
        colour = self._proxy.idle_colour
        assert rollout.image  # noqa: S101 (the target is chosen only for records with an image)
        self._pull(rollout.image)
        existing = self._containers().get(colour)
        if existing and not self._never_ended(existing):
            self._remove(colour)  # so that a container that ended once is not tested again
        self._up(colour, rollout)
        container = self._containers().get(colour)
        if container is None or container.url is None:
            logs = self._engine.logs(container.id) if container else "there is no such container."
            raise ContainerError(f"{colour} of {self._project} has no address: {logs}", "Check the container engine.")
        return container.url

    def is_alive(self) -> bool:
        """Return whether the idle colour is running, and never ended.

        Raises:
            ContainerError: It ended because of its configuration.
        """
        container = self._containers().get(self._proxy.idle_colour)
        if container is None or self._never_ended(container):
            return container is not None
        misconfiguration.raise_if_misconfigured(self._exit_code(container.id), self._engine.logs(container.id))
        return False

    def _never_ended(self, container: Container) -> bool:
        return container.running and self._restarts(container) == "0"

    def _restarts(self, container: Container) -> str:
        return self._engine.call("container", "inspect", "--format", "{{.RestartCount}}", container.id).strip()

    def _exit_code(self, id: str) -> int | None:
        """Return the exit code of a container that restarts repeatedly; while it is running, it has none."""
        retrying = Retrying(
            stop=stop_after_delay(ENDING), wait=wait_fixed(0.2), retry_error_callback=lambda state: None,
            retry=retry_if_result(lambda code: code is None),
        )  # fmt: skip
        code: int | None = retrying(lambda: self._engine.inspect(id).exit_code)
        return code

    def is_ready(self) -> bool:
        """Return whether the health check in the idle colour passes."""
        container = self._containers().get(self._proxy.idle_colour)
        return container is not None and container.healthy

    def switch(self, rollout: Rollout) -> None:
        """Let nginx send callers to the idle colour, and end the old one after its requests."""
        new, old = self._proxy.idle_colour, self._proxy.serving_colour
        containers = self._containers()
        self._wait_for_version(containers[new].url if new in containers else None, rollout)
        if self._proxy.write_files(self._file("nginx.conf")) and FRONT in containers:
            self._compose("kill", "--signal", "HUP", FRONT)
        self._up(FRONT, rollout)
        self._proxy.route_to(new)
        try:
            self._wait_for_version(self._url, rollout)
        except ContainerError:
            self._proxy.route_to(old)
            raise
        time.sleep(ARRIVE)
        self._remove(old)

    def logs(self) -> str:
        """Return the output of the colour to which nginx sends callers."""
        container = self._containers().get(self._proxy.serving_colour)
        return self._engine.logs(container.id) if container else ""

    def start_monitoring(self, rules: str) -> dict[str, str]:
        """Start Prometheus, Alertmanager and Grafana, or restart those whose settings have changed.

        Args:
            rules: Alert rules of Prometheus.

        Returns:
            The URL of each service, by its name.

        Raises:
            ContainerError: They could not be started; the server is not affected.
        """
        self._proxy.folder.mkdir(parents=True, exist_ok=True)  # Prometheus reads nginx's targets.json there
        variables = {
            "GITOPS_MONITORING": str(self._monitoring_folder),
            "GITOPS_MONITORING_SETTINGS": write_configuration(self._monitoring_folder, self._repository.root, rules),
            "GITOPS_WEBHOOK": os.environ.get(self._repository.config.monitoring.webhook_env, ""),
        }
        arguments = ("--profile", PROFILE, "up", "--detach", "--no-deps", "--no-build")
        self._compose(*arguments, *SERVICES, variables=variables)
        ports = {name: os.environ.get(f"GITOPS_{name.upper()}_PORT") or port for name, port in SERVICES.items()}
        return {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}

    def stop(self) -> None:
        """Remove both colours, nginx, and the monitoring services."""
        profile = ("--profile", PROFILE) if SERVICES.keys() & self._containers().keys() else ()
        self._compose(*profile, "down", "--timeout", str(self._grace), seconds=self._grace + TRANSFER)

    def discard(self) -> str:
        """Remove the idle colour and return its logs."""
        container = self._containers().get(self._proxy.idle_colour)
        if container is None:
            return ""
        logs = self._engine.logs(container.id)
        self._remove(self._proxy.idle_colour)
        return logs

    def _wait_for_version(self, url: str | None, rollout: Rollout) -> None:
        """Wait until an address answers with a version, and raise if it does not soon."""
        retrying = Retrying(
            stop=stop_after_delay(ANSWER), wait=wait_fixed(0.2), retry_error_callback=lambda state: None,
            retry=retry_if_result(lambda digest: digest != rollout.digest),
        )  # fmt: skip
        if url is None or retrying(_served_digest, url) is None:
            raise ContainerError(
                f"{url or self._proxy.idle_colour} does not answer with version {rollout.version}.",
                f"Look at `{self._engine.name} logs {self._project}-{FRONT}-1`, and check whether another program uses "
                "the port.",
            )

    def _containers(self) -> dict[str, Container]:
        """Return this environment's containers, by the name of the service."""
        containers = self._engine.containers(f"{PROJECT}={self._project}")
        return {container.labels[SERVICE]: container for container in containers}

    def _pull(self, image: str) -> None:
        """Pull an image unless it is here, because the registry may be down during a rollback."""
        try:
            self._engine.image_labels(image)
        except ContainerError:
            with logged_in(self._engine, image, self._repository.config.image.repository) as engine:
                engine.pull(image)

    def _remove(self, colour: str) -> None:
        """End a colour after its requests, and remove it."""
        self._compose("stop", "--timeout", str(self._grace), colour, seconds=self._grace + TRANSFER)
        self._compose("rm", "--force", colour)

    def _up(self, service: str, rollout: Rollout) -> None:
        """Start a service for a version; a service with these settings that is up already is not changed."""
        variables = {"GITOPS_IMAGE": rollout.image or "", **rollout.variables, **self._settings()}
        sink = find_log_sink(self._repository, rollout.commit)
        files = []
        # If the folder is missing, the server serves without it, and reports that it cannot write the log.
        if sink.startswith("/") and Path(sink).is_dir():
            variables["GITOPS_LOG_SINK"] = sink
            files = ["--file", str(self._file(LOG))]
        self._compose(*files, "up", "--detach", "--no-deps", "--no-build", service, variables=variables)

    def _compose(self, *arguments: str, seconds: int = TRANSFER, variables: dict[str, str] | None = None) -> None:
        program, prefix = self._program
        env = {**self._proxy.variables(), "GITOPS_GRACE": f"{self._grace}s", **(variables or {})}
        files = [part for file in self._files for part in ("--file", str(file))]
        program.call(*prefix, "--project-name", self._project, *files, *arguments, seconds=seconds, env=env)

    @property
    def _files(self) -> list[Path]:
        """Compose files."""
        return [self._file("compose.yaml"), self._file(f"{self._engine.network}.yaml")]

    def _file(self, name: str) -> Path:
        return bundled.find_file(self._repository.root, PART, name)

    @cached_property
    def _program(self) -> tuple[Engine, tuple[str, ...]]:
        """The program to call, and the first arguments of each call."""
        alternatives = [(replace(self._engine, name=name), ()) for name in ALTERNATIVES]
        for program, prefix in [(self._engine, ("compose",)), *alternatives]:
            try:
                program.call(*prefix, "version")
            except ContainerError:
                continue
            return program, prefix
        raise ContainerError(
            f"`{self._engine.name} compose` does not answer, and neither {' nor '.join(ALTERNATIVES)} is installed.",
            "Install Docker's compose plugin (on Debian and Ubuntu: docker-compose-v2 or docker-compose-plugin).",
        )

    @property
    def _grace(self) -> int:
        """Seconds after which a server that should end is killed."""
        return self._repository.config.serving.timeout_seconds + ENDING


def project(repository: Repository, environment: str) -> str:
    """Return the name of the compose project of an environment.

    Args:
        repository: The clone.
        environment: Name of the environment.
    """
    name = f"{repository.config.project.name}-{environment}-{repository_id(repository)[:ID_DIGITS]}"
    return "gitops-" + re.sub(r"[^a-z0-9_-]+", "-", name.lower())


def _served_digest(url: str) -> str | None:
    try:
        response = requests.get(f"{url}/metadata", timeout=5)
        return str(response.json()["digest"]) if response.ok else None
    except (requests.RequestException, ValueError, KeyError, TypeError):  # no response yet, or from another server
        return None
