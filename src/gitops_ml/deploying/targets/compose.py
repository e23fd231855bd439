"""A Docker host: nginx in front of two colours; the version that serves stays up until the next one has been heard."""

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
from gitops_ml.deploying import refused
from gitops_ml.deploying.container import Container
from gitops_ml.deploying.context import named_sink
from gitops_ml.deploying.engine import TRAVEL, Engine
from gitops_ml.deploying.login import logged_in
from gitops_ml.deploying.settings import MARK, mark
from gitops_ml.deploying.state import identity
from gitops_ml.deploying.target import Rollout, Running
from gitops_ml.deploying.targets.front import Front
from gitops_ml.deploying.targets.watchers import PROFILE, WATCHERS, lay_out
from gitops_ml.errors import ContainerError

PART = "compose"
PROJECT, SERVICE, DIGEST = "com.docker.compose.project", "com.docker.compose.service", "gitops.digest"
FRONT = "front"
# What is read too where the prediction log lies in a folder of this machine.
LOG = "log.yaml"
# So many digits of the repository tell apart two models of the same name on one host.
DIGITS = 6
PORT = "GITOPS_PORT"
# What a machine may choose by variables of its own; the second is nginx's alone.
CHOSEN = ("GITOPS_MEMORY", "GITOPS_FRONT_IMAGE")
# Programs that do what `docker compose` does, where the engine has no such command.
OTHERS = ("docker-compose", "podman-compose")
# Seconds: until callers must be answered by what was switched to; until a request that was let in has reached its
# colour; and what a server may take to end beyond the longest request.
ANSWER, ARRIVE, ENDING = 30, 2, 15


class Compose:
    """One environment on this machine; a Target."""

    def __init__(self, repository: Repository, environment: str, engine: Engine, folder: Path) -> None:
        """Nothing is asked or changed yet.

        Args:
            repository: Its deploy/compose replaces the library's files, as far as it is there.
            environment: Such as "production".
            engine: docker or podman.
            folder: Of this environment alone, where nginx finds its settings for as long as it runs; not in the clone,
                which a runner sweeps before each job.
        """
        self._repository, self._environment, self._engine = repository, environment, engine
        self._project = project(repository, environment)
        port = repository.config.target(environment).port
        self._front = Front(folder / FRONT, self._project, port, engine.network)
        self._url = f"http://127.0.0.1:{port}"
        self._watched = folder / PROFILE

    def running(self) -> Running | None:
        """The colour that nginx sends callers to, and whether both are as they should be."""
        found = self._containers()
        serving = found.get(self._front.serving)
        if serving is None or not serving.running:
            return None
        return Running(serving.labels[DIGEST], serving.image, self._url, self._drift(found.get(FRONT), serving))

    def _drift(self, front: Container | None, serving: Container) -> str:
        """What would have to be otherwise, in words."""
        if front is None or not front.running or front.unwell:
            return "nginx is not up"
        settings = self._settings()
        stale = self._front.stale(self._file("nginx.conf"))
        found = {
            "callers come by another port": front.url not in (None, self._url),
            "its own check fails, or it ends again and again": serving.unwell,
            "its settings or the token have changed": serving.labels.get(MARK) != settings["GITOPS_SETTINGS"],
            "nginx's settings have changed": stale or front.labels.get(MARK) != settings["GITOPS_FRONT_SETTINGS"],
        }
        return ", ".join(what for what, so in found.items() if so)

    def _settings(self) -> dict[str, str]:
        """Marks of everything but the version that a colour, and nginx, are brought up with."""
        texts = [file.read_text(encoding="utf-8") for file in (*self._files, self._file(LOG))]
        said = {**self._front.variables(), "GITOPS_GRACE": f"{self._grace}s"}
        port = said.pop(PORT)
        chosen = [os.environ.get(name, "") for name in CHOSEN]
        return {"GITOPS_SETTINGS": mark(texts, said, chosen[0]),
                "GITOPS_FRONT_SETTINGS": mark(texts, said, port, chosen, token=False)}  # fmt: skip

    def start(self, wanted: Rollout) -> str:
        """Bring it up as the colour that does not serve."""
        colour = self._front.idle
        assert wanted.image  # noqa: S101 (this target is for records that have one)
        self._fetch(wanted.image)
        left = self._containers().get(colour)
        if left and not self._never_ended(left):
            self._remove(colour)  # what ended once is not what was wanted
        self._up(colour, wanted)
        found = self._containers().get(colour)
        if found is None or found.url is None:
            said = self._engine.logs(found.id) if found else "there is no such container."
            raise ContainerError(f"{colour} of {self._project} has no address: {said}", "Look at the engine.")
        return found.url

    def alive(self) -> bool:
        """Whether the colour that does not serve is up, and never ended.

        Raises:
            ContainerError: It ended over its configuration.
        """
        found = self._containers().get(self._front.idle)
        if found is None or self._never_ended(found):
            return found is not None
        refused.insist(self._code(found.id), self._engine.logs(found.id))
        return False

    def _never_ended(self, found: Container) -> bool:
        return found.running and self._restarts(found) == "0"

    def _restarts(self, found: Container) -> str:
        return self._engine.call("container", "inspect", "--format", "{{.RestartCount}}", found.id).strip()

    def _code(self, id: str) -> int | None:
        """What a container ends with that is started again and again: it is up in between, and then has no code."""
        waiting = Retrying(
            stop=stop_after_delay(ENDING), wait=wait_fixed(0.2), retry_error_callback=lambda state: None,
            retry=retry_if_result(lambda code: code is None),
        )  # fmt: skip
        code: int | None = waiting(lambda: self._engine.inspect(id).ended)
        return code

    def well(self) -> bool:
        """Whether the check inside the colour that does not serve passes."""
        found = self._containers().get(self._front.idle)
        return found is not None and found.healthy

    def switch(self, wanted: Rollout) -> None:
        """Let nginx send callers to it; the old one ends when it has finished what it began."""
        new, old = self._front.idle, self._front.serving
        found = self._containers()
        self._insist(found[new].url if new in found else None, wanted)
        if self._front.write(self._file("nginx.conf")) and FRONT in found:
            self._compose("kill", "--signal", "HUP", FRONT)
        self._up(FRONT, wanted)
        self._front.point(new)
        try:
            self._insist(self._url, wanted)
        except ContainerError:
            self._front.point(old)
            raise
        time.sleep(ARRIVE)
        self._remove(old)

    def logs(self) -> str:
        """What the colour printed that callers are sent to."""
        found = self._containers().get(self._front.serving)
        return self._engine.logs(found.id) if found else ""

    def watch(self, rules: str) -> dict[str, str]:
        """Bring up Prometheus, Alertmanager and Grafana beside it, where they are not as they should be.

        Args:
            rules: That Prometheus follows.

        Returns:
            Where people find each.

        Raises:
            ContainerError: They could not be brought up; what serves, serves.
        """
        self._front.folder.mkdir(parents=True, exist_ok=True)  # Prometheus waits there for nginx's places
        says = {
            "GITOPS_MONITORING": str(self._watched),
            "GITOPS_MONITORING_SETTINGS": lay_out(self._watched, self._repository.root, rules),
            "GITOPS_WEBHOOK": os.environ.get(self._repository.config.monitoring.webhook_env, ""),
        }
        self._compose("--profile", PROFILE, "up", "--detach", "--no-deps", "--no-build", *WATCHERS, says=says)
        ports = {name: os.environ.get(f"GITOPS_{name.upper()}_PORT") or port for name, port in WATCHERS.items()}
        return {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}

    def end(self) -> None:
        """Remove both colours and nginx, and what watches them."""
        watched = ("--profile", PROFILE) if WATCHERS.keys() & self._containers().keys() else ()
        self._compose(*watched, "down", "--timeout", str(self._grace), seconds=self._grace + TRAVEL)

    def abandon(self) -> str:
        """Remove the colour that does not serve; what it wrote."""
        found = self._containers().get(self._front.idle)
        if found is None:
            return ""
        logs = self._engine.logs(found.id)
        self._remove(self._front.idle)
        return logs

    def _insist(self, url: str | None, wanted: Rollout) -> None:
        """Wait until an address answers with this version, which it must soon."""
        waiting = Retrying(
            stop=stop_after_delay(ANSWER), wait=wait_fixed(0.2), retry_error_callback=lambda state: None,
            retry=retry_if_result(lambda said: said != wanted.digest),
        )  # fmt: skip
        if url is None or waiting(_digest, url) is None:
            raise ContainerError(
                f"{url or self._front.idle} does not answer with version {wanted.version}.",
                f"`{self._engine.name} logs {self._project}-{FRONT}-1` may say why, or another program has the port.",
            )

    def _containers(self) -> dict[str, Container]:
        """What compose started for this environment, by service."""
        return {found.labels[SERVICE]: found for found in self._engine.containers(f"{PROJECT}={self._project}")}

    def _fetch(self, image: str) -> None:
        """An image that is here already is not asked for: the registry may be down while we go back to it."""
        try:
            self._engine.image_labels(image)
        except ContainerError:
            with logged_in(self._engine, image, self._repository.config.image.repository) as engine:
                engine.pull(image)

    def _remove(self, colour: str) -> None:
        """End a colour gracefully, and forget it."""
        self._compose("stop", "--timeout", str(self._grace), colour, seconds=self._grace + TRAVEL)
        self._compose("rm", "--force", colour)

    def _up(self, service: str, wanted: Rollout) -> None:
        """Start a service as it is wanted; one that is up like that is left alone."""
        says = {"GITOPS_IMAGE": wanted.image or "", **wanted.variables, **self._settings()}
        sink = named_sink(self._repository, wanted.commit)
        files = []
        # Where the folder is missing, the server serves all the same, and says that it cannot write.
        if sink.startswith("/") and Path(sink).is_dir():
            says["GITOPS_LOG_SINK"] = sink
            files = ["--file", str(self._file(LOG))]
        self._compose(*files, "up", "--detach", "--no-deps", "--no-build", service, says=says)

    def _compose(self, *arguments: str, seconds: int = TRAVEL, says: dict[str, str] | None = None) -> None:
        program, first = self._program
        env = {**self._front.variables(), "GITOPS_GRACE": f"{self._grace}s", **(says or {})}
        files = [part for file in self._files for part in ("--file", str(file))]
        program.call(*first, "--project-name", self._project, *files, *arguments, seconds=seconds, env=env)

    @property
    def _files(self) -> list[Path]:
        """What compose reads, beside the variables."""
        return [self._file("compose.yaml"), self._file(f"{self._engine.network}.yaml")]

    def _file(self, name: str) -> Path:
        return bundled.file(self._repository.root, PART, name)

    @cached_property
    def _program(self) -> tuple[Engine, tuple[str, ...]]:
        """What is called, and the first word of each call."""
        others = [(replace(self._engine, name=name), ()) for name in OTHERS]
        for program, first in [(self._engine, ("compose",)), *others]:
            try:
                program.call(*first, "version")
            except ContainerError:
                continue
            return program, first
        raise ContainerError(
            f"`{self._engine.name} compose` does not answer, and neither {' nor '.join(OTHERS)} is installed.",
            "Install Docker's compose plugin (on Debian and Ubuntu: docker-compose-v2 or docker-compose-plugin).",
        )

    @property
    def _grace(self) -> int:
        """Seconds that a colour may take to end."""
        return self._repository.config.serving.timeout_seconds + ENDING


def project(repository: Repository, environment: str) -> str:
    """What compose calls one environment of one repository."""
    named = f"{repository.config.project.name}-{environment}-{identity(repository)[:DIGITS]}"
    return "gitops-" + re.sub(r"[^a-z0-9_-]+", "-", named.lower())


def _digest(url: str) -> str | None:
    try:
        answer = requests.get(f"{url}/metadata", timeout=5)
        return str(answer.json()["digest"]) if answer.ok else None
    except (requests.RequestException, ValueError, KeyError, TypeError):  # nobody there yet, or somebody else
        return None
