"""A real Prometheus, a real Alertmanager, and the address that it tells, each for as long as it is needed.

Both are the system's packages, with the files that the library ships; what differs is said here.
"""

import http.server
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

from engines import free_port
from house import DATA

SHIPPED = DATA / "prometheus"
SECONDS = 60
# What Alertmanager waits for in production, so that one message is about many alerts.
PATIENT = ("group_wait", "group_interval")


@dataclass
class Inbox:
    """Where Alertmanager posts its messages, Slack's way.

    Attributes:
        address: For GITOPS_WEBHOOK.
        messages: What came, in order.
    """

    address: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)

    def titles(self) -> list[str]:
        """Such as `FIRING: GitopsDataDrift`."""
        return [message["attachments"][0]["title"] for message in self.messages]


def settings(targets: Path, rules: Path, alertmanager: str = "", token: str = "") -> dict[str, Any]:
    """The prometheus.yml that is shipped, for servers of a test: they are asked each second.

    Args:
        targets: A file such as nginx's folder has.
        rules: The file of rules.
        alertmanager: Its address; empty for none.
        token: What the servers want callers to bear.
    """
    made: dict[str, Any] = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    made["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    made["rule_files"] = [str(rules)]
    places = [alertmanager.removeprefix("http://")] if alertmanager else []
    made["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": places}]}]
    (job,) = made["scrape_configs"]
    job["file_sd_configs"] = [{"files": [str(targets)]}]
    secret = targets.with_name("token")
    secret.write_text(token)
    job["authorization"]["credentials_file"] = str(secret)
    return made


def targets(file: Path, addresses: Sequence[str], job: str = "gitops-test") -> Path:
    """A file that names servers as nginx's folder does."""
    places = [address.removeprefix("http://") for address in addresses]
    file.write_text(json.dumps([{"targets": places, "labels": {"job": job}}]))
    return file


@contextmanager
def prometheus(folder: Path, config: Mapping[str, Any] | Path) -> Iterator[str]:
    """Prometheus with these settings, ready; its address."""
    folder.mkdir(parents=True, exist_ok=True)
    with _running("prometheus", folder, config, "/-/ready", f"--storage.tsdb.path={folder / 'data'}") as address:
        yield address


@contextmanager
def alertmanager(folder: Path, webhook: str, config: Path = SHIPPED / "alertmanager.yml") -> Iterator[str]:
    """Alertmanager with the settings that are shipped, but impatient, telling this address; its own address."""
    folder.mkdir(parents=True, exist_ok=True)
    made = yaml.safe_load(config.read_text())
    made["route"] |= dict.fromkeys(PATIENT, "1s")
    (folder / "webhook").write_text(webhook)
    made["receivers"][0]["slack_configs"][0]["api_url_file"] = str(folder / "webhook")
    options = (f"--storage.path={folder / 'data'}", "--cluster.listen-address=")
    with _running("prometheus-alertmanager", folder, made, "/-/ready", *options) as address:
        yield address


@contextmanager
def inbox() -> Iterator[Inbox]:
    """A webhook that keeps what it is told."""
    kept = Inbox()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Not on the terminal."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        kept.address = f"http://127.0.0.1:{server.server_port}/"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield kept
        server.shutdown()


def ask(address: str, query: str) -> list[dict[str, Any]]:
    """The series that a query has now, each with its `metric` and `value`; insists that it is one."""
    said = requests.get(f"{address}/api/v1/query", params={"query": query}, timeout=30).json()
    assert said["status"] == "success", f"{query}: {said}"
    found: list[dict[str, Any]] = said["data"]["result"]
    return found


def firing(address: str) -> set[tuple[str, str, str]]:
    """Name, column and severity of each alert that fires."""
    told = requests.get(f"{address}/api/v1/alerts", timeout=30).json()["data"]["alerts"]
    labels = [alert["labels"] for alert in told if alert["state"] == "firing"]
    return {(one["alertname"], one.get("column", ""), one["severity"]) for one in labels}


def until(true: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Wait for something that must come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not in {seconds} s: {what}"
        time.sleep(0.2)


@contextmanager
def _running(program: str, folder: Path, config: Mapping[str, Any] | Path, ready: str, *options: str) -> Iterator[str]:
    """A program of the family on a free port, until the end of the block."""
    if not isinstance(config, Path):
        file = folder / f"{program}.yml"
        file.write_text(yaml.safe_dump(dict(config)))
        config = file
    place, log = f"127.0.0.1:{free_port()}", folder / f"{program}.log"
    command = [program, f"--config.file={config}", f"--web.listen-address={place}", *options]
    with log.open("w") as stream:
        process = subprocess.Popen(command, cwd=folder, stdout=stream, stderr=subprocess.STDOUT)
    try:
        until(lambda: process.poll() is not None or _ready(f"http://{place}{ready}"), f"{program} is ready")
        assert process.poll() is None, log.read_text()[-3000:]
        yield f"http://{place}"
    finally:
        process.terminate()
        process.wait(SECONDS)


def _ready(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False
