"""Fake servers of a version, with the counters at /metrics that monitoring reads."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Key = tuple[str, tuple[tuple[str, str], ...]]


class FakeServers:
    """Counters of several servers as one, and the requests that were posted to them."""

    url: str

    def __init__(self, version: str) -> None:
        """Start with a counter of zero rows."""
        self.version = version
        self.counts: Counter[Key] = Counter({self._key("gitops_rows_total"): 0})
        self.posted: list[str] = []

    def _key(self, name: str, **labels: str) -> Key:
        return name, tuple(sorted({**labels, "version": self.version}.items()))

    def count_rows(self, reference: dict[str, Any], rows: int = 600, shifted: tuple[str, ...] = ()) -> None:
        """Count rows distributed as in training, except that the shifted columns have only values of the first bin."""
        self.counts[self._key("gitops_rows_total")] += rows
        self.counts[self._key("gitops_requests_total", path="/predict", status="200")] += rows
        for edge in ("0.1", "+Inf"):
            self.counts[self._key("gitops_request_seconds_bucket", path="/predict", le=edge)] += rows
        for column, described in reference["columns"].items():
            for bin_index, number in enumerate(_counts_of_bins(described, rows, column in shifted)):
                self.counts[self._key("gitops_features_total", column=column, bin=str(bin_index), within="")] += number
        for bin_index, number in enumerate(_counts_of_bins(reference["prediction"], rows, shifted=False)):
            self.counts[self._key("gitops_predictions_total", bin=str(bin_index), within="")] += number

    @property
    def text(self) -> str:
        """All counters in Prometheus's text format."""
        names = dict.fromkeys(name for name, _ in self.counts)
        lines = []
        for name in names:
            kind = "histogram" if name.endswith("_bucket") else "counter"
            lines.append(f"# TYPE {name.removesuffix('_bucket')} {kind}")
            for (each, labels), value in self.counts.items():
                if each == name:
                    pairs = ",".join(f'{label}="{text}"' for label, text in labels)
                    lines.append(f"{name}{{{pairs}}} {value}")
        return "\n".join(lines) + "\n"


def _counts_of_bins(described: dict[str, Any], rows: int, shifted: bool) -> list[int]:
    """Return the counts of rows in each bin, distributed as in the reference, or all in the first bin."""
    counts = described["counts"] if "edges" in described else [*described["categories"].values(), described["other"]]
    if shifted:
        return [rows, *[0] * len(counts)]
    shares = [round(rows * count / sum(counts)) for count in counts]
    return [*shares, 0]


@contextmanager
def run_servers(version: str) -> Iterator[FakeServers]:
    """Run servers of a version; request bodies that are posted to them are kept in `posted`."""
    servers = FakeServers(version)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(servers.text.encode())

        def do_POST(self) -> None:
            servers.posted.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
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
