"""Where counts come from: servers' own text, a Prometheus, the log."""

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

from gitops_ml import logged
from gitops_ml.counters import ERRORS, FEATURES, PREDICTIONS, REQUESTS, ROWS, SECONDS, WITHIN
from gitops_ml.errors import MonitoringError
from gitops_ml.monitoring.look import Question
from gitops_ml.monitoring.sources import log, metrics, prometheus
from gitops_ml.monitoring.window import Seen

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


def question(version: str = "3", last: datetime | None = None) -> Question:
    """About the version, until a fixed time."""
    return Question(version, REFERENCE, last, UNTIL, hours=24)


class Server:
    """The counters of one server, in prometheus_client's own text."""

    def __init__(self, version: str = "3") -> None:
        """Start from zero."""
        self.version = version
        self.registry = CollectorRegistry()
        make = {name: Counter(name, "x", [*labels, "version"], registry=self.registry) for name, labels in {
            ROWS: [], FEATURES: ["column", "bin", WITHIN], PREDICTIONS: ["bin", WITHIN], REQUESTS: ["path", "status"],
            ERRORS: ["code"]}.items()}  # fmt: skip
        self.counters = make
        self.seconds = Histogram(SECONDS, "x", ["path", "version"], buckets=(0.1, 1.0), registry=self.registry)
        self.counters[ROWS].labels(version=version)

    def count(self, rows: int, place: int = 0) -> None:
        """So many rows, all in one bin, each a request."""
        of = {"version": self.version}
        self.counters[ROWS].labels(**of).inc(rows)
        self.counters[FEATURES].labels(column="size", bin=str(place), within='in [1, "2")', **of).inc(rows)
        self.counters[PREDICTIONS].labels(bin="1", within="≥ 0.5", **of).inc(rows)
        self.counters[REQUESTS].labels(path="/predict", status="200", **of).inc(rows)
        self.counters[REQUESTS].labels(path="/health/live", status="200", **of).inc(1000)
        self.counters[ERRORS].labels(code="rows_refused", **of).inc(1)
        for _ in range(rows):
            self.seconds.labels(path="/predict", **of).observe(0.05)

    @property
    def text(self) -> str:
        """What /metrics says."""
        return generate_latest(self.registry).decode()


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Any], tuple[int, str]]], str]]:
    """Answers over HTTP with what a function says; the address."""
    running: list[ThreadingHTTPServer] = []

    def start(says: Callable[[Any], tuple[int, str]]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(None)

            def do_POST(self) -> None:
                self.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

            def answer(self, body: str | None) -> None:
                self.body = body
                status, text = says(self)
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


def test_the_first_look_counts_all_that_the_version_has_seen(serve: Serve) -> None:
    """Since its servers started, which they say."""
    server = Server()
    server.count(7, place=1)
    url = serve(lambda _: (200, server.text))
    found = metrics.look((url,), Question("3", REFERENCE, None, datetime.now(UTC), 24), {})
    assert found.seen == Seen(
        rows=7, columns={"size": [0, 7, 0, 0]}, prediction=[0, 7, 0], requests={"200": 7},
        refused={"rows_refused": 1}, seconds={"0.1": 7, "1.0": 7, "+Inf": 7},
    )  # fmt: skip
    assert timedelta() <= datetime.now(UTC) - found.start < timedelta(minutes=1)


def test_a_window_is_what_came_since_the_last_look(serve: Serve) -> None:
    """The difference to what was remembered."""
    server = Server()
    url = serve(lambda _: (200, server.text))
    server.count(7)
    first = metrics.look((url,), question(), {})
    server.count(5, place=2)
    last = UNTIL - timedelta(hours=24)
    second = metrics.look((url,), question(last=last), first.servers)
    assert (second.seen.rows, second.seen.columns["size"], second.start) == (5, [0, 0, 5, 0], last)
    assert metrics.look((url,), question(), second.servers).seen.rows == 0


def test_a_counter_that_went_down_has_started_anew(serve: Serve) -> None:
    """All that it has now came since."""
    servers = [Server()]
    url = serve(lambda _: (200, servers[-1].text))
    servers[-1].count(9)
    before = metrics.look((url,), question(), {}).servers
    servers.append(Server())
    servers[-1].count(4)
    assert metrics.look((url,), question(), before).seen.rows == 4


def test_three_servers_summed_are_one(serve: Serve) -> None:
    """Replicas add up to what one server would have counted."""
    three, one = [Server(), Server(), Server()], Server()
    for place, server in enumerate(three):
        server.count(10 + place, place)
        one.count(10 + place, place)
    urls = [serve(lambda _, server=server: (200, server.text)) for server in [*three, one]]  # type: ignore[misc]
    summed, alone = (metrics.look(tuple(some), question(), {}).seen for some in (urls[:3], urls[3:]))
    assert summed == alone


def test_a_silent_server_is_named_and_the_others_count(serve: Serve) -> None:
    """When it answers again it is counted from where it stood."""
    here, there = Server(), Server()
    silent = [False]
    urls = (serve(lambda _: (200, here.text)), serve(lambda _: (503, "") if silent[0] else (200, there.text)))
    here.count(3)
    there.count(5)
    first = metrics.look(urls, question(), {})
    silent[0] = True
    here.count(1)
    second = metrics.look(urls, question(), first.servers)
    assert second.seen.rows == 1
    assert second.notes == (f"{urls[1]} was not counted: it answers 503.",)
    silent[0] = False
    there.count(2)
    assert metrics.look(urls, question(), second.servers).seen.rows == 2


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ((200, Server("2").text), "it serves version 2"),
        ((401, ""), "it asks for the token"),
        ((200, "<html>"), "not what gitops says there"),
        ((200, ""), "it does not count"),
    ],
    ids=["another version", "no token", "another page", "nothing"],
)
def test_nobody_to_look_at_is_an_error_and_no_alarm(serve: Serve, says: tuple[int, str], why: str) -> None:
    """Nothing is judged, and the sentence says why."""
    with pytest.raises(MonitoringError, match=why) as caught:
        metrics.look((serve(lambda _: says),), question(), {})
    assert caught.value.exit_code == 16


def test_a_dead_address_is_said_without_a_traceback() -> None:
    """The usual case: the service is not reachable from a hosted runner."""
    with pytest.raises(MonitoringError, match="gives no answer"):
        metrics.look(("http://127.0.0.1:9",), question(), {})


def test_the_token_is_borne(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the servers ask for one."""
    monkeypatch.setenv("GITOPS_TOKEN", "secret")
    server = Server()
    url = serve(lambda it: (200, server.text) if it.headers["Authorization"] == "Bearer secret" else (401, ""))
    assert metrics.look((url,), question(), {}).seen.rows == 0


def test_other_bins_than_the_references_are_refused(serve: Serve) -> None:
    """A server with other files under the same number."""
    server = Server()
    server.count(1, place=9)
    url = serve(lambda _: (200, server.text))
    with pytest.raises(MonitoringError, match="10 bins"):
        metrics.look((url,), question(), {})


def test_prometheus_is_asked_for_what_each_counter_grew_by(serve: Serve) -> None:
    """Over all servers of this version, in this window, and in whole numbers."""
    asked = []

    def says(it: Any) -> tuple[int, str]:
        form = parse_qs(it.body)
        asked.append((form["query"][0], form["time"][0]))
        rows = [{"metric": {}, "value": [0, "6.9997"]}]
        column = [{"metric": {"column": "size", "bin": "2"}, "value": [0, "7.2"]}]
        found = rows if f"({ROWS}" in asked[-1][0] else column if f"({FEATURES}" in asked[-1][0] else []
        return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": found}})

    found = prometheus.look(serve(says), 'job="gitops"', question())
    assert (found.seen.rows, found.seen.columns, found.start) == (7, {"size": [0, 0, 7, 0]}, UNTIL - timedelta(days=1))
    assert asked[0] == (
        'sum by () (increase(gitops_rows_total{version="3",job="gitops"}[86400s]))', f"{UNTIL.timestamp():.3f}",
    )  # fmt: skip
    assert asked[5][0] == (
        'sum by (path, le) (increase(gitops_request_seconds_bucket{version="3",path="/predict",job="gitops"}[86400s]))'
    )


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((200, '{"status": "success", "data": {"result": []}}'), "knows no gitops_rows_total of version 3"),
        ((400, '{"status": "error", "error": "parse error"}'), "refuses .*parse error"),
        ((200, "<html>"), "is no Prometheus"),
    ],
    ids=["not scraped", "refused", "another page"],
)
def test_a_prometheus_that_does_not_know_is_an_error(serve: Serve, answer: tuple[int, str], why: str) -> None:
    """Nothing is judged on nothing."""
    with pytest.raises(MonitoringError, match=why):
        prometheus.look(serve(lambda _: answer), "", question())


def write(folder: Path, kind: str, name: str, rows: list[dict[str, Any]]) -> None:
    """One file of the log, under its day."""
    frame = pd.DataFrame(rows)
    day = folder / kind / f"{logged.DAY}{frame[logged.TIME].iloc[0]:%Y-%m-%d}"
    day.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(day / f"{name}.parquet", index=False)


def row(request: str, when: datetime, version: str = "3", **columns: Any) -> dict[str, Any]:
    """One row of the log."""
    return {logged.REQUEST: request, logged.ROW: 0, logged.TIME: when, logged.VERSION: version,
            logged.PREDICTION: "yes", logged.WATCHED: 0.9, "size": 1.5, "kind": "a", **columns}  # fmt: skip


def truth(request: str, when: datetime, outcome: str) -> dict[str, Any]:
    """The truth about that row."""
    return {logged.REQUEST: request, logged.ROW: 0, logged.TIME: when, logged.OUTCOME: outcome}


def test_the_log_is_counted_in_the_bins_of_the_reference(tmp_path: Path) -> None:
    """Rows of the version and the window, from as many files as there are; a column that is left out is not counted."""
    start = UNTIL - timedelta(hours=24)
    write(tmp_path, logged.PREDICTIONS, "a-1", [row("r1", start), row("r2", start - timedelta(seconds=1))])
    write(tmp_path, logged.PREDICTIONS, "b-1", [row("r3", UNTIL - timedelta(hours=1), size=None, kind="z"),
                                                row("r4", UNTIL - timedelta(hours=1), version="2")])  # fmt: skip
    write(tmp_path, logged.PREDICTIONS, "c-1", [row("old", UNTIL - timedelta(days=9))])
    found = log.look(log.Sink(str(tmp_path), Path("/")), question(), hashed=())
    assert (found.seen.rows, found.seen.prediction) == (2, [0, 2, 0])
    assert found.seen.columns == {"size": [0, 1, 0, 1], "kind": [1, 0, 1, 0]}
    assert "kind" not in log.look(log.Sink(str(tmp_path), Path("/")), question(), hashed=("kind",)).seen.columns


def test_truth_is_joined_to_what_was_said_however_long_ago(tmp_path: Path) -> None:
    """What counts is when it was told; the last word about a row stands."""
    long_ago, now = UNTIL - timedelta(days=20), UNTIL - timedelta(hours=2)
    write(tmp_path, logged.PREDICTIONS, "a-1", [row("r1", long_ago), row("r2", long_ago), row("x", long_ago, "2")])
    write(tmp_path, logged.OUTCOMES, "a-1", [truth("r1", now, "no"), truth("r1", now + timedelta(minutes=1), "yes"),
                                             truth("x", now, "no"), truth("unknown", now, "no")])  # fmt: skip
    write(tmp_path, logged.OUTCOMES, "a-0", [truth("r2", long_ago, "no")])
    told = log.look(log.Sink(tmp_path.name, tmp_path.parent), question(), hashed=()).told
    assert told
    assert (told.truth.tolist(), told.said.tolist(), told.watched.tolist()) == (["yes"], ["yes"], [0.9])


def test_a_file_that_was_cut_off_is_passed_over_and_named(tmp_path: Path) -> None:
    """A server that was killed while it wrote loses its batch, and no other."""
    write(tmp_path, logged.PREDICTIONS, "a-1", [row("r1", UNTIL - timedelta(hours=1))])
    whole = next(tmp_path.rglob("a-1.parquet"))
    whole.with_name("a-2.parquet").write_bytes(whole.read_bytes()[:100])
    found = log.look(log.Sink(str(tmp_path), Path("/")), question(), hashed=())
    assert found.seen.rows == 1
    assert "a-2.parquet cannot be read" in found.notes[0]


def test_an_empty_log_is_no_error(tmp_path: Path) -> None:
    """Nobody asked yet."""
    found = log.look(log.Sink(str(tmp_path / "none"), Path("/")), question(), hashed=())
    assert found.seen.rows == 0
    assert found.told is not None
    assert len(found.told.truth) == 0
