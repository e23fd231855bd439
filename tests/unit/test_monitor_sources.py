"""Sources of counts: the servers, Prometheus, and the prediction log."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pandas as pd
import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from gitops_ml import prediction_log
from gitops_ml.counters import ERRORS, FEATURES, PREDICTIONS, REQUESTS, ROWS, SECONDS, WITHIN
from gitops_ml.errors import MonitoringError
from gitops_ml.monitoring.snapshot import SnapshotRequest
from gitops_ml.monitoring.sources import log_source, prometheus_source, scrape_source
from gitops_ml.monitoring.window import WindowCounts

UNTIL = datetime(2026, 6, 2, 12, tzinfo=UTC)
REFERENCE: dict[str, Any] = {
    "rows": 10,
    "columns": {
        "size": {"missing": 0, "edges": [1.0, 2.0], "counts": [3, 4, 3]},
        "kind": {"missing": 1, "categories": {"a": 5, "b": 4}, "other": 0},
        "name": {"missing": 0, "categories": {}, "other": 10},
    },
    "prediction": {"missing": 0, "edges": [0.5], "counts": [5, 5]},
}


def snapshot_request(version: str = "3", last: datetime | None = None) -> SnapshotRequest:
    """Return a request for the version, until a fixed time."""
    return SnapshotRequest(version, REFERENCE, last, UNTIL, window_hours=24)


class Server:
    """The counters of one server, in the text format of prometheus_client."""

    def __init__(self, version: str = "3") -> None:
        """Start from zero."""
        self.version = version
        self.registry = CollectorRegistry()
        self.counters = {name: Counter(name, "x", [*labels, "version"], registry=self.registry) for name, labels in {
            ROWS: [], FEATURES: ["column", "bin", WITHIN], PREDICTIONS: ["bin", WITHIN], REQUESTS: ["path", "status"],
            ERRORS: ["code"]}.items()}  # fmt: skip
        self.seconds = Histogram(SECONDS, "x", ["path", "version"], buckets=(0.1, 1.0), registry=self.registry)
        self.counters[ROWS].labels(version=version)

    def count(self, rows: int, bin_index: int = 0) -> None:
        """Count rows in one bin, each in its own request."""
        version = {"version": self.version}
        self.counters[ROWS].labels(**version).inc(rows)
        self.counters[FEATURES].labels(column="size", bin=str(bin_index), within='in [1, "2")', **version).inc(rows)
        self.counters[PREDICTIONS].labels(bin="1", within="≥ 0.5", **version).inc(rows)
        self.counters[REQUESTS].labels(path="/predict", status="200", **version).inc(rows)
        self.counters[REQUESTS].labels(path="/health/live", status="200", **version).inc(1000)
        self.counters[ERRORS].labels(code="rows_refused", **version).inc(1)
        for _ in range(rows):
            self.seconds.labels(path="/predict", **version).observe(0.05)

    @property
    def text(self) -> str:
        """The text of /metrics."""
        return generate_latest(self.registry).decode()


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Any], tuple[int, str]]], str]]:
    """Return a function that starts an HTTP server with a given handler, and returns its address."""
    running: list[ThreadingHTTPServer] = []

    def start(respond: Callable[[Any], tuple[int, str]]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send(None)

            def do_POST(self) -> None:
                self.send(self.rfile.read(int(self.headers["Content-Length"])).decode())

            def send(self, body: str | None) -> None:
                self.body = body
                status, text = respond(self)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: Any) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


Serve = Callable[[Callable[[Any], tuple[int, str]]], str]


def test_first_snapshot_has_all_counts(serve: Serve) -> None:
    """Start the window when the server started, which its metrics state."""
    server = Server()
    server.count(7, bin_index=1)
    url = serve(lambda _: (200, server.text))
    snapshot = scrape_source.scrape_servers((url,), SnapshotRequest("3", REFERENCE, None, datetime.now(UTC), 24), {})
    assert snapshot.counts == WindowCounts(
        rows=7, columns={"size": [0, 7, 0, 0]}, prediction=[0, 7, 0], requests={"200": 7},
        refused={"rows_refused": 1}, seconds={"0.1": 7, "1.0": 7, "+Inf": 7},
    )  # fmt: skip
    assert timedelta() <= datetime.now(UTC) - snapshot.start < timedelta(minutes=1)


def test_window_has_counts_since_last_snapshot(serve: Serve) -> None:
    """Subtract the counts of the last snapshot."""
    server = Server()
    url = serve(lambda _: (200, server.text))
    server.count(7)
    first = scrape_source.scrape_servers((url,), snapshot_request(), {})
    server.count(5, bin_index=2)
    last = UNTIL - timedelta(hours=24)
    second = scrape_source.scrape_servers((url,), snapshot_request(last=last), first.servers)
    assert (second.counts.rows, second.counts.columns["size"], second.start) == (5, [0, 0, 5, 0], last)
    assert scrape_source.scrape_servers((url,), snapshot_request(), second.servers).counts.rows == 0


def test_decreased_counter_means_restart(serve: Serve) -> None:
    """Count all rows of a restarted server."""
    servers = [Server()]
    url = serve(lambda _: (200, servers[-1].text))
    servers[-1].count(9)
    previous = scrape_source.scrape_servers((url,), snapshot_request(), {}).servers
    servers.append(Server())
    servers[-1].count(4)
    assert scrape_source.scrape_servers((url,), snapshot_request(), previous).counts.rows == 4


def test_sum_of_three_servers_equals_one_server(serve: Serve) -> None:
    """Add the counts of replicas."""
    three, one = [Server(), Server(), Server()], Server()
    for index, server in enumerate(three):
        server.count(10 + index, index)
        one.count(10 + index, index)
    urls = [serve(lambda _, server=server: (200, server.text)) for server in [*three, one]]  # type: ignore[misc]
    total, single = (
        scrape_source.scrape_servers(tuple(chosen), snapshot_request(), {}).counts for chosen in (urls[:3], urls[3:])
    )
    assert total == single


def test_server_that_does_not_respond_is_noted(serve: Serve) -> None:
    """Count the other servers; count this one from its previous counts when it responds again."""
    healthy, failing = Server(), Server()
    fails = [False]
    urls = (serve(lambda _: (200, healthy.text)), serve(lambda _: (503, "") if fails[0] else (200, failing.text)))
    healthy.count(3)
    failing.count(5)
    first = scrape_source.scrape_servers(urls, snapshot_request(), {})
    fails[0] = True
    healthy.count(1)
    second = scrape_source.scrape_servers(urls, snapshot_request(), first.servers)
    assert second.counts.rows == 1
    assert second.notes == (f"{urls[1]} was not counted: it responds with status 503.",)
    fails[0] = False
    failing.count(2)
    assert scrape_source.scrape_servers(urls, snapshot_request(), second.servers).counts.rows == 2


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ((200, Server("2").text), "it serves version 2"),
        ((401, ""), "it requires a token"),
        ((200, "<html>"), "not in the format of a gitops server"),
        ((200, ""), "it has no counters"),
    ],
    ids=["another version", "no token", "another page", "nothing"],
)
def test_no_usable_server_is_error(serve: Serve, response: tuple[int, str], reason: str) -> None:
    """Raise an error with the reason, and evaluate nothing."""
    with pytest.raises(MonitoringError, match=reason) as caught:
        scrape_source.scrape_servers((serve(lambda _: response),), snapshot_request(), {})
    assert caught.value.exit_code == 16


def test_unreachable_address_is_error() -> None:
    """Handle the common case that a hosted runner cannot reach the service."""
    with pytest.raises(MonitoringError, match="does not respond"):
        scrape_source.scrape_servers(("http://127.0.0.1:9",), snapshot_request(), {})


def test_token_is_sent(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send the token that the servers require."""
    monkeypatch.setenv("GITOPS_TOKEN", "secret")
    server = Server()
    url = serve(
        lambda handler: (200, server.text) if handler.headers["Authorization"] == "Bearer secret" else (401, "")
    )
    assert scrape_source.scrape_servers((url,), snapshot_request(), {}).counts.rows == 0


def test_bins_that_differ_from_reference_are_error(serve: Serve) -> None:
    """Refuse the counts of a server that serves other files under the same version number."""
    server = Server()
    server.count(1, bin_index=9)
    url = serve(lambda _: (200, server.text))
    with pytest.raises(MonitoringError, match="10 bins"):
        scrape_source.scrape_servers((url,), snapshot_request(), {})


def test_prometheus_is_queried_for_increase_of_counters(serve: Serve) -> None:
    """Query all servers of the version in the window, and round to integers."""
    queries = []

    def respond(handler: Any) -> tuple[int, str]:
        form = parse_qs(handler.body)
        queries.append((form["query"][0], form["time"][0]))
        rows = [{"metric": {}, "value": [0, "6.9997"]}]
        column = [{"metric": {"column": "size", "bin": "2"}, "value": [0, "7.2"]}]
        query = queries[-1][0]
        result = rows if f"({ROWS}" in query else column if f"({FEATURES}" in query else []
        return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})

    snapshot = prometheus_source.query_prometheus(serve(respond), 'job="gitops"', snapshot_request())
    assert (snapshot.counts.rows, snapshot.counts.columns) == (7, {"size": [0, 0, 7, 0]})
    assert snapshot.start == UNTIL - timedelta(days=1)
    assert queries[0] == (
        'sum by () (increase(gitops_rows_total{version="3",job="gitops"}[86400s]))', f"{UNTIL.timestamp():.3f}",
    )  # fmt: skip
    assert queries[5][0] == (
        'sum by (path, le) (increase(gitops_request_seconds_bucket{version="3",path="/predict",job="gitops"}[86400s]))'
    )


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ((200, '{"status": "success", "data": {"result": []}}'), "has no gitops_rows_total of version 3"),
        ((400, '{"status": "error", "error": "parse error"}'), "refuses the query .*parse error"),
        ((200, "<html>"), "is not a Prometheus server"),
    ],
    ids=["not scraped", "refused", "another page"],
)
def test_unusable_response_of_prometheus_is_error(serve: Serve, response: tuple[int, str], reason: str) -> None:
    """Evaluate nothing without samples."""
    with pytest.raises(MonitoringError, match=reason):
        prometheus_source.query_prometheus(serve(lambda _: response), "", snapshot_request())


def write(folder: Path, kind: str, name: str, rows: list[dict[str, Any]]) -> None:
    """Write one file of the log, in the folder of its day."""
    frame = pd.DataFrame(rows)
    day = folder / kind / f"{prediction_log.DAY_PREFIX}{frame[prediction_log.TIME].iloc[0]:%Y-%m-%d}"
    day.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(day / f"{name}.parquet", index=False)


def prediction_row(request: str, time: datetime, version: str = "3", **columns: Any) -> dict[str, Any]:
    """Return one predicted row of the log."""
    return {
        prediction_log.REQUEST: request, prediction_log.ROW: 0, prediction_log.TIME: time,
        prediction_log.VERSION: version, prediction_log.PREDICTION: "yes", prediction_log.MONITORED: 0.9,
        "size": 1.5, "kind": "a", **columns,
    }  # fmt: skip


def outcome_row(request: str, time: datetime, outcome: str) -> dict[str, Any]:
    """Return the outcome of that row."""
    return {
        prediction_log.REQUEST: request,
        prediction_log.ROW: 0,
        prediction_log.TIME: time,
        prediction_log.OUTCOME: outcome,
    }


def test_log_is_counted_in_bins_of_reference(tmp_path: Path) -> None:
    """Count the rows of the version in the window, from all files; do not count hashed columns."""
    start = UNTIL - timedelta(hours=24)
    in_window = UNTIL - timedelta(hours=1)
    first = [prediction_row("r1", start), prediction_row("r2", start - timedelta(seconds=1))]
    second = [prediction_row("r3", in_window, size=None, kind="z"), prediction_row("r4", in_window, version="2")]
    write(tmp_path, prediction_log.PREDICTIONS, "a-1", first)
    write(tmp_path, prediction_log.PREDICTIONS, "b-1", second)
    write(tmp_path, prediction_log.PREDICTIONS, "c-1", [prediction_row("old", UNTIL - timedelta(days=9))])
    snapshot = log_source.read_log(log_source.LogReader(str(tmp_path), Path("/")), snapshot_request(), hashed=())
    assert (snapshot.counts.rows, snapshot.counts.prediction) == (2, [0, 2, 0])
    assert snapshot.counts.columns == {"size": [0, 1, 0, 1], "kind": [1, 0, 1, 0]}
    reader = log_source.LogReader(str(tmp_path), Path("/"))
    assert "kind" not in log_source.read_log(reader, snapshot_request(), hashed=("kind",)).counts.columns


def test_outcomes_are_joined_to_old_predictions(tmp_path: Path) -> None:
    """Use the outcomes that arrived in the window; the last outcome of a row counts."""
    long_ago, now = UNTIL - timedelta(days=20), UNTIL - timedelta(hours=2)
    rows = [prediction_row("r1", long_ago), prediction_row("r2", long_ago), prediction_row("x", long_ago, "2")]
    outcomes = [
        outcome_row("r1", now, "no"), outcome_row("r1", now + timedelta(minutes=1), "yes"),
        outcome_row("x", now, "no"), outcome_row("unknown", now, "no"),
    ]  # fmt: skip
    write(tmp_path, prediction_log.PREDICTIONS, "a-1", rows)
    write(tmp_path, prediction_log.OUTCOMES, "a-1", outcomes)
    write(tmp_path, prediction_log.OUTCOMES, "a-0", [outcome_row("r2", long_ago, "no")])
    reader = log_source.LogReader(tmp_path.name, tmp_path.parent)
    labeled = log_source.read_log(reader, snapshot_request(), hashed=()).labeled
    assert labeled
    assert (labeled.labels.tolist(), labeled.predictions.tolist()) == (["yes"], ["yes"])
    assert labeled.monitored.tolist() == [0.9]


def test_incomplete_file_is_skipped_and_noted(tmp_path: Path) -> None:
    """Count the other files."""
    write(tmp_path, prediction_log.PREDICTIONS, "a-1", [prediction_row("r1", UNTIL - timedelta(hours=1))])
    complete = next(tmp_path.rglob("a-1.parquet"))
    complete.with_name("a-2.parquet").write_bytes(complete.read_bytes()[:100])
    snapshot = log_source.read_log(log_source.LogReader(str(tmp_path), Path("/")), snapshot_request(), hashed=())
    assert snapshot.counts.rows == 1
    assert "a-2.parquet cannot be read" in snapshot.notes[0]


def test_empty_log_is_no_error(tmp_path: Path) -> None:
    """Return empty counts before the first request."""
    snapshot = log_source.read_log(
        log_source.LogReader(str(tmp_path / "none"), Path("/")), snapshot_request(), hashed=()
    )
    assert snapshot.counts.rows == 0
    assert snapshot.labeled is not None
    assert len(snapshot.labeled.labels) == 0
