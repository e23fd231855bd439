"""A service in this process, and a caller who sees what comes over the wire."""

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

from gitops_ml.config import find
from gitops_ml.manifest import digest_file
from gitops_ml.serving.app import application
from gitops_ml.serving.desk import Tokens
from gitops_ml.serving.log import Log
from gitops_ml.serving.service import Named, Service, open_service
from unit.sample import ROOT, Project, rows

JSON, CSV = "application/json", "text/csv"
PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def problems(self) -> list[tuple[int | None, str | None, str]]:
        """Row, column and rule of each problem."""
        return [(one["row"], one["column"], one["rule"]) for one in self.json["error"]["problems"]]


@dataclass
class Caller:
    """Asks an application directly, without a socket."""

    app: ASGIApp
    taken: list[int] = field(default_factory=list)

    def ask(
        self,
        path: str,
        body: bytes | Sequence[bytes] = b"",
        method: str = "GET",
        *,
        stall: bool = False,
        **headers: str,
    ) -> Answer:
        """One request; a body in parts is sent as chunks, and `stall` never sends its end."""
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
        self.taken.clear()
        messages: list[Message] = []

        async def receive() -> Message:
            if len(self.taken) == len(parts):
                await asyncio.sleep(60)
            part = parts[len(self.taken)]
            self.taken.append(len(part))
            return {"type": "http.request", "body": part, "more_body": stall or len(self.taken) < len(parts)}

        async def send(message: Message) -> None:
            messages.append(message)

        async def run() -> None:
            await self.app(scope, receive, send)

        asyncio.run(run())
        start = messages[0]
        got = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], got, b"".join(message.get("body", b"") for message in messages[1:]))

    def predict(self, body: bytes | Sequence[bytes], kind: str = JSON, *, query: str = "", **headers: str) -> Answer:
        """Ask for predictions."""
        return self.ask(f"/predict{query}", body, "POST", stall=False, content_type=kind, **headers)

    def predict_rows(self, *records: dict[str, Any]) -> Answer:
        """Ask for the predictions of some rows, as JSON."""
        return self.predict(json.dumps({"rows": list(records)}).encode())


def digest_of(folder: Path) -> str:
    """The digest of a run that lies in a folder."""
    return digest_file(folder / "manifest.json")


def service_of(project: Project, folder: Path | None = None) -> Service:
    """The version in a folder (by default what was trained last), opened and rehearsed."""
    for name in [name for name in sys.modules if name.split(".")[0] == "sample"]:
        del sys.modules[name]
    folder = folder or project.root / ".gitops" / "run"
    service = open_service(find(project.root), folder, Named(digest_of(folder), "1", "1.0.0"))
    service.rehearse()
    return service


def caller_of(
    service: Service, token: str | None = None, outcomes: str | None = None, log: Log | None = None
) -> Caller:  # fmt: skip
    """A caller of a service."""
    return Caller(application(service, Tokens(token, outcomes), log))


def asked(number: int = 30) -> pd.DataFrame:
    """Rows to ask about: those of the sample, without key and target."""
    return rows(number, seed=9).drop(columns=["id", "label"])


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON has them."""
    plain: Any = frame.astype(object).where(frame.notna(), None)
    found: list[dict[str, Any]] = plain.to_dict("records")
    return found


def body_of(frame: pd.DataFrame, form: str) -> tuple[bytes, str]:
    """Rows as the body of a request, and its content type."""
    if form == "rows":
        return json.dumps({"rows": records(frame)}).encode(), JSON
    if form == "columns":
        plain = records(frame)
        return json.dumps({"columns": {str(name): [row[str(name)] for row in plain] for name in frame}}).encode(), JSON
    if form == "csv":
        return frame.to_csv(index=False).encode(), CSV
    if form == "parquet":
        return frame.to_parquet(index=False), PARQUET
    table, out = pa.Table.from_pandas(frame, preserve_index=False), io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return out.getvalue(), ARROW


@contextlib.contextmanager
def running(project: Project, environment: dict[str, str]) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """`gitops serve` on a free port, and its address."""
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
    """Ask until it answers as it did in training; a minute at most."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert server.poll() is None, "the server ended by itself"
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(f"{address}/health/ready", timeout=60).ok:
                return
        time.sleep(0.05)
    raise AssertionError("not ready in a minute")
