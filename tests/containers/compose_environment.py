"""One environment on a container engine, as `gitops deploy` uses it, and callers of it."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from container_engine import ContainerEngine
from images import Image

ROLL = Path(__file__).with_name("roll.py")
PROJECT = "gitops-tumour-screening-production"
FRONT = "front"


@dataclass
class ComposeEnvironment:
    """One environment on the engine.

    Attributes:
        repository: Repository whose Python and manifests are used.
        engine: Engine that runs it.
        folder: Folder with nginx's files.
        front: Image of nginx.
        port: Port for callers.
    """

    repository: Path
    engine: ContainerEngine
    folder: Path
    front: str
    port: int
    network: str

    @property
    def url(self) -> str:
        """The address for callers."""
        return f"http://127.0.0.1:{self.port}"

    def roll(self, image: Image, *steps: str, kill: int = 0, **env: str) -> Any:
        """Run these steps of the target with a version, and return their results or the error."""
        toml = (self.repository / "model.toml").read_text()
        asked = {
            "root": str(self.repository), "folder": str(self.folder), "steps": steps, "kill": kill,
            "toml": toml.replace('kind = "none"', 'kind = "compose"').replace("port = 8080", f"port = {self.port}"),
            "rollout": image.rollout,
        }  # fmt: skip
        env = {**os.environ, **self.engine.environment, "GITOPS_FRONT_IMAGE": self.front,
               "GITOPS_CONTAINER_NETWORK": self.network, **env}  # fmt: skip
        done = subprocess.run(
            [self.repository / ".venv/bin/python", ROLL], input=json.dumps(asked), check=False, capture_output=True,
            text=True, env=env,
        )  # fmt: skip
        assert done.returncode == (-signal.SIGKILL if kill else 0), done.stderr
        return None if kill else json.loads(done.stdout)

    def deploy(self, image: Image) -> str | None:
        """Deploy as `gitops deploy` does, and return the address of the smoke test."""
        (running,) = self.roll(image, "running")
        if running and running["digest"] == image.digest:
            self.roll(image, "abandon")
            return None
        url, alive = self.roll(image, "start", "alive")
        assert alive
        wait_ready(url)
        assert self.roll(image, "switch") == [None]
        return str(url)

    def containers(self) -> dict[str, Any]:
        """Return the containers by service, as the engine describes them."""
        ids = self.engine.docker("ps", "--all", "--quiet", "--filter", f"name=^{PROJECT}-").split()
        found = json.loads(self.engine.docker("inspect", *ids)) if ids else []
        return {entry["Config"]["Labels"]["com.docker.compose.service"]: entry for entry in found}

    def answers(self, image: Image) -> bool:
        """Return whether callers get this version with the recorded predictions."""
        body, predictions = image.recorded
        response = requests.post(
            f"{self.url}/predict", data=body, headers={"Content-Type": "application/json"}, timeout=30
        ).json()  # fmt: skip
        return bool(response["version"] == image.version and response["predictions"] == predictions)

    def clear(self) -> None:
        """Remove everything."""
        ids = [entry["Id"] for entry in self.containers().values()]
        if ids:
            self.engine.docker("rm", "--force", *ids)
        networks = self.engine.docker("network", "ls", "--quiet", "--filter", f"name={PROJECT}").split()
        if networks:
            self.engine.docker("network", "rm", *networks)
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Load:
    """Responses that callers got."""

    versions: list[list[str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def wait_ready(url: str) -> None:
    """Wait until the server at the address is ready."""
    until = time.monotonic() + 180
    while time.monotonic() < until:
        try:
            if requests.get(f"{url}/health/ready", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{url} did not become ready")


def wait_gone(url: str) -> None:
    """Wait until no server responds at the address."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            requests.get(url, timeout=1)
        except requests.RequestException:
            return
        time.sleep(0.1)
    raise AssertionError(f"{url} still answers")


@contextmanager
def load(environment: ComposeEnvironment, image: Image, callers: int = 2, pause: float = 0.1) -> Iterator[Load]:
    """Send requests continuously, half of them over open connections, without retries.

    Args:
        environment: Environment that answers.
        image: Version whose recorded row is sent.
        callers: Number of callers.
        pause: Seconds that a caller waits between two requests: a prediction takes 0.02 seconds of a processor.
    """
    observed, stop = Load([[] for _ in range(callers)]), threading.Event()
    body = json.dumps({"rows": json.loads(image.recorded[0])["rows"][:1]})

    def ask(caller: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", environment.port, timeout=60)
        while not stop.wait(pause):
            try:
                connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                response = json.loads(answer.read())
                observed.versions[caller].append(response["version"])
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                observed.failures.append(repr(error))
                connection.close()
            if caller % 2:
                connection.close()
        connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield observed
    finally:
        stop.set()
        for thread in threads:
            thread.join()
