"""Servers of a version, as far as monitoring sees them: what they have counted, at /metrics."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Key = tuple[str, tuple[tuple[str, str], ...]]


class Servers:
    """Several that are one: their counters, and what callers do to them."""

    url: str

    def __init__(self, version: str) -> None:
        """Nobody has asked yet."""
        self.version = version
        self.counts: Counter[Key] = Counter({self._key("gitops_rows_total"): 0})
        self.said: list[str] = []

    def _key(self, name: str, **labels: str) -> Key:
        return name, tuple(sorted({**labels, "version": self.version}.items()))

    def answer(self, reference: dict[str, Any], rows: int = 600, moved: tuple[str, ...] = ()) -> None:
        """Rows as in training, but that these columns have only values of the first bin."""
        self.counts[self._key("gitops_rows_total")] += rows
        self.counts[self._key("gitops_requests_total", path="/predict", status="200")] += rows
        for edge in ("0.1", "+Inf"):
            self.counts[self._key("gitops_request_seconds_bucket", path="/predict", le=edge)] += rows
        for column, described in reference["columns"].items():
            for place, number in enumerate(_like(described, rows, column in moved)):
                self.counts[self._key("gitops_features_total", column=column, bin=str(place), within="")] += number
        for place, number in enumerate(_like(reference["prediction"], rows, moved=False)):
            self.counts[self._key("gitops_predictions_total", bin=str(place), within="")] += number

    @property
    def text(self) -> str:
        """All counters, in Prometheus' text format."""
        names = dict.fromkeys(name for name, _ in self.counts)
        lines = []
        for name in names:
            kind = "histogram" if name.endswith("_bucket") else "counter"
            lines.append(f"# TYPE {name.removesuffix('_bucket')} {kind}")
            for (each, labels), value in self.counts.items():
                if each == name:
                    told = ",".join(f'{label}="{text}"' for label, text in labels)
                    lines.append(f"{name}{{{told}}} {value}")
        return "\n".join(lines) + "\n"


def _like(described: dict[str, Any], rows: int, moved: bool) -> list[int]:
    """So many rows, spread over the bins as in the reference, or all in the first one."""
    counts = described["counts"] if "edges" in described else [*described["categories"].values(), described["other"]]
    if moved:
        return [rows, *[0] * len(counts)]
    shares = [round(rows * count / sum(counts)) for count in counts]
    return [*shares, 0]


@contextmanager
def serving(version: str) -> Iterator[Servers]:
    """Servers of a version that can be asked; what is posted to them is kept in `said`."""
    servers = Servers(version)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(servers.text.encode())

        def do_POST(self) -> None:
            servers.said.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    servers.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield servers
    finally:
        server.shutdown()
        server.server_close()
