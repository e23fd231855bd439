"""A real Prometheus, a real Alertmanager, and a webhook that receives its messages.

Both are the system's packages, with the library's configuration files; this module documents the differences.
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

from container_engine import free_port
from repositories import DATA

SHIPPED = DATA / "prometheus"
SECONDS = 60
# Waits of Alertmanager in production, by which one message contains many alerts.
WAITS = ("group_wait", "group_interval")


@dataclass
class Inbox:
    """Receiver of Alertmanager's messages in Slack's format.

    Attributes:
        address: Address for GITOPS_WEBHOOK.
        messages: Received messages, in order.
    """

    address: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)

    def titles(self) -> list[str]:
        """Return the titles, such as `FIRING: GitopsDataDrift`."""
        return [message["attachments"][0]["title"] for message in self.messages]


def settings(targets: Path, rules: Path, alertmanager: str = "", token: str = "") -> dict[str, Any]:
    """Return the library's prometheus.yml for servers of a test, which are scraped each second.

    Args:
        targets: File of scrape targets, such as the one in nginx's folder.
        rules: File of rules.
        alertmanager: Address of Alertmanager; empty for none.
        token: Bearer token that the servers require.
    """
    document: dict[str, Any] = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    document["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    document["rule_files"] = [str(rules)]
    hosts = [alertmanager.removeprefix("http://")] if alertmanager else []
    document["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": hosts}]}]
    (job,) = document["scrape_configs"]
    job["file_sd_configs"] = [{"files": [str(targets)]}]
    secret = targets.with_name("token")
    secret.write_text(token)
    job["authorization"]["credentials_file"] = str(secret)
    return document


def targets(file: Path, addresses: Sequence[str], job: str = "gitops-test") -> Path:
    """Write a file of scrape targets, such as the one in nginx's folder."""
    hosts = [address.removeprefix("http://") for address in addresses]
    file.write_text(json.dumps([{"targets": hosts, "labels": {"job": job}}]))
    return file


@contextmanager
def prometheus(folder: Path, config: Mapping[str, Any] | Path) -> Iterator[str]:
    """Run Prometheus with these settings, and yield its address when it is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    with _running("prometheus", folder, config, "/-/ready", f"--storage.tsdb.path={folder / 'data'}") as address:
        yield address


@contextmanager
def alertmanager(folder: Path, webhook: str, config: Path = SHIPPED / "alertmanager.yml") -> Iterator[str]:
    """Run Alertmanager with the library's settings, short waits and this webhook, and yield its address."""
    folder.mkdir(parents=True, exist_ok=True)
    document = yaml.safe_load(config.read_text())
    document["route"] |= dict.fromkeys(WAITS, "1s")
    (folder / "webhook").write_text(webhook)
    document["receivers"][0]["slack_configs"][0]["api_url_file"] = str(folder / "webhook")
    options = (f"--storage.path={folder / 'data'}", "--cluster.listen-address=")
    with _running("prometheus-alertmanager", folder, document, "/-/ready", *options) as address:
        yield address


@contextmanager
def inbox() -> Iterator[Inbox]:
    """Run a webhook that keeps the messages that it receives."""
    webhook = Inbox()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            webhook.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        webhook.address = f"http://127.0.0.1:{server.server_port}/"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield webhook
        server.shutdown()


def query_metrics(address: str, query: str) -> list[dict[str, Any]]:
    """Return the current series of a query, each with its `metric` and `value`; assert that the query is valid."""
    response = requests.get(f"{address}/api/v1/query", params={"query": query}, timeout=30).json()
    assert response["status"] == "success", f"{query}: {response}"
    series: list[dict[str, Any]] = response["data"]["result"]
    return series


def firing_alerts(address: str) -> set[tuple[str, str, str]]:
    """Return the name, column and severity of each firing alert."""
    alerts = requests.get(f"{address}/api/v1/alerts", timeout=30).json()["data"]["alerts"]
    labels = [alert["labels"] for alert in alerts if alert["state"] == "firing"]
    return {(one["alertname"], one.get("column", ""), one["severity"]) for one in labels}


def wait_until(condition: Callable[[], object], description: str, seconds: float = SECONDS) -> None:
    """Wait until a condition is true; fail after a time limit."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in {seconds} s: {description}"
        time.sleep(0.2)


@contextmanager
def _running(program: str, folder: Path, config: Mapping[str, Any] | Path, ready: str, *options: str) -> Iterator[str]:
    """Run a program of Prometheus on a free port until the end of the block."""
    if not isinstance(config, Path):
        file = folder / f"{program}.yml"
        file.write_text(yaml.safe_dump(dict(config)))
        config = file
    host, log = f"127.0.0.1:{free_port()}", folder / f"{program}.log"
    command = [program, f"--config.file={config}", f"--web.listen-address={host}", *options]
    with log.open("w") as stream:
        process = subprocess.Popen(command, cwd=folder, stdout=stream, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: process.poll() is not None or _ready(f"http://{host}{ready}"), f"{program} is ready")
        assert process.poll() is None, log.read_text()[-3000:]
        yield f"http://{host}"
    finally:
        process.terminate()
        process.wait(SECONDS)


def _ready(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False
