"""A service in this process, and a caller that sends it requests."""

import asyncio
import contextlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import requests
from starlette.types import ASGIApp, Message

from gitops_ml.config import find_repository
from gitops_ml.manifest import digest_file
from gitops_ml.serving.app import create_app
from gitops_ml.serving.log_recorder import LogRecorder
from gitops_ml.serving.middleware import Tokens
from gitops_ml.serving.service import Service, VersionId, open_service
from unit.sample import ROOT, Project, make_rows

JSON, CSV = "application/json", "text/csv"
PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"


@dataclass(frozen=True)
class Response:
    """A response of the service."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Parsed body."""
        return json.loads(self.body)

    @property
    def problems(self) -> list[tuple[int | None, str | None, str]]:
        """Row, column and rule of each problem."""
        return [(each["row"], each["column"], each["rule"]) for each in self.json["error"]["problems"]]


@dataclass
class Caller:
    """Sends requests to an application directly, without a socket.

    Attributes:
        app: The application.
        received: Sizes of the parts of the last body that the application has received.
    """

    app: ASGIApp
    received: list[int] = field(default_factory=list)

    def request(
        self,
        path: str,
        body: bytes | Sequence[bytes] = b"",
        method: str = "GET",
        *,
        stall: bool = False,
        **headers: str,
    ) -> Response:
        """Send one request; a body in parts is sent as chunks, and `stall` never sends the end of the body."""
        path, _, query = path.partition("?")
        parts = [body] if isinstance(body, bytes) else list(body)
        sent = {name.replace("_", "-"): value for name, value in headers.items() if value}
        if isinstance(body, bytes) and method == "POST":
            sent.setdefault("content-length", str(len(body)))
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
            "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "scheme": "http",
            "client": ("test", 1), "server": ("test", 80), "headers": [(name.lower().encode(), value.encode("latin-1"))
                                                for name, value in sent.items()],
        }  # fmt: skip
        self.received.clear()
        messages: list[Message] = []

        async def receive() -> Message:
            if len(self.received) == len(parts):
                await asyncio.sleep(60)
            part = parts[len(self.received)]
            self.received.append(len(part))
            return {"type": "http.request", "body": part, "more_body": stall or len(self.received) < len(parts)}

        async def send(message: Message) -> None:
            messages.append(message)

        async def run() -> None:
            await self.app(scope, receive, send)

        asyncio.run(run())
        start = messages[0]
        response_headers = {name.decode(): value.decode() for name, value in start["headers"]}
        content = b"".join(message.get("body", b"") for message in messages[1:])
        return Response(start["status"], response_headers, content)

    def predict(self, body: bytes | Sequence[bytes], kind: str = JSON, *, query: str = "", **headers: str) -> Response:
        """Request predictions."""
        return self.request(f"/predict{query}", body, "POST", stall=False, content_type=kind, **headers)

    def predict_rows(self, *records: dict[str, Any]) -> Response:
        """Request the predictions of rows, as JSON."""
        return self.predict(json.dumps({"rows": list(records)}).encode())


def manifest_digest(folder: Path) -> str:
    """Return the digest of the run in a folder."""
    return digest_file(folder / "manifest.json")


def start_service(project: Project, folder: Path | None = None) -> Service:
    """Return the opened and smoke-tested version in a folder, by default the version that was trained last."""
    for name in [name for name in sys.modules if name.split(".")[0] == "sample"]:
        del sys.modules[name]
    folder = folder or project.root / ".gitops" / "run"
    service = open_service(find_repository(project.root), folder, VersionId(manifest_digest(folder), "1", "1.0.0"))
    service.run_smoke_test()
    return service


def make_caller(
    service: Service, token: str | None = None, outcomes: str | None = None, log: LogRecorder | None = None
) -> Caller:
    """Return a caller of a service."""
    return Caller(create_app(service, Tokens(token, outcomes), log))


def request_rows(number: int = 30) -> pd.DataFrame:
    """Return rows of the sample for a request, without key and target."""
    return make_rows(number, seed=9).drop(columns=["id", "label"])


def to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON has them."""
    plain: Any = frame.astype(object).where(frame.notna(), None)
    records: list[dict[str, Any]] = plain.to_dict("records")
    return records


def encode_body(frame: pd.DataFrame, form: str) -> tuple[bytes, str]:
    """Return rows as the body of a request, and its content type."""
    if form == "rows":
        return json.dumps({"rows": to_records(frame)}).encode(), JSON
    if form == "columns":
        records = to_records(frame)
        columns = {str(name): [row[str(name)] for row in records] for name in frame}
        return json.dumps({"columns": columns}).encode(), JSON
    if form == "csv":
        return frame.to_csv(index=False).encode(), CSV
    if form == "parquet":
        return frame.to_parquet(index=False), PARQUET
    table, out = pa.Table.from_pandas(frame, preserve_index=False), io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return out.getvalue(), ARROW


@contextlib.contextmanager
def run_server(project: Project, environment: dict[str, str]) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run `gitops serve` on a free port, and yield the process and its address."""
    command = [sys.executable, "-m", "gitops_ml", "--project", str(project.root), "serve", "--port", "0"]
    environment = {**environment, "PYTHONPATH": str(ROOT / "src")}
    with (project.root.parent / "serve.err").open("w") as errors:
        server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert server.stdout is not None
    try:
        line = server.stdout.readline()
        assert line, (project.root.parent / "serve.err").read_text()
        yield server, line.split()[0]
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def wait_until_ready(address: str, server: "subprocess.Popen[str]") -> None:
    """Wait until the server has passed its smoke test, for at most a minute."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert server.poll() is None, "the server ended by itself"
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(f"{address}/health/ready", timeout=60).ok:
                return
        time.sleep(0.05)
    raise AssertionError("not ready in a minute")
