"""The prediction log: rows are written in the background, and rows that are not written are counted."""

import hashlib
import hmac
import json
import logging
import os
import re
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest
import requests
from fsspec.implementations.memory import MemoryFileSystem

from gitops_ml import prediction_log
from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError
from gitops_ml.monitoring_config import LogConfig as Settings
from gitops_ml.serving import log_recorder
from gitops_ml.serving.bounded_queue import BoundedQueue
from gitops_ml.serving.log_entries import PredictionEntry
from gitops_ml.serving.log_recorder import open_log
from gitops_ml.serving.write_progress import WriteProgress, recover_lost_rows
from gitops_ml.sink import Sink, open_sink
from unit.http_caller import (
    encode_body,
    make_caller,
    manifest_digest,
    request_rows,
    run_server,
    start_service,
    to_records,
    wait_until_ready,
)
from unit.logged_service import logging_to, read, wait_until
from unit.sample import Project, create_project, prepare_environment


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Return the trained sample."""
    folder = tmp_path_factory.mktemp("log")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        project = create_project(folder / "sample-repository")
        project.must("train", "--force")
        yield project


@pytest.fixture(params=["folder", "memory"])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a local folder, and an address of another file system of fsspec."""
    return str(tmp_path / "log") if request.param == "folder" else f"memory://{uuid.uuid4().hex}/log"


def log_counters(text: str) -> dict[str, float]:
    """Return the log's counters of predictions from /metrics."""
    matches = re.findall(r'^gitops_log_(\w+)_total\{kind="predictions",version="1"\} (.*)$', text, re.MULTILINE)
    return {name: float(number) for name, number in matches}


def test_rows_are_written_with_their_predictions(project: Project, sink: str) -> None:
    """Write request, row number, time, version, prediction, monitored value, and each column."""
    frame, start = request_rows(30), datetime.now(UTC)
    with logging_to(project, sink) as (caller, _):
        many = caller.predict(*encode_body(frame, "csv"), x_request_id="many").json
        one = caller.predict_rows(to_records(frame)[3]).json
    rows = read(sink)
    assert list(rows) == [
        prediction_log.REQUEST, prediction_log.ROW, prediction_log.TIME, prediction_log.VERSION,
        prediction_log.PREDICTION, prediction_log.MONITORED, *frame,
    ]  # fmt: skip
    assert rows[prediction_log.REQUEST].tolist() == ["many"] * 30 + [one["request_id"]]
    assert rows[prediction_log.ROW].tolist() == [*range(30), 0]
    assert rows[prediction_log.PREDICTION].tolist() == many["predictions"] + one["predictions"]
    assert rows[prediction_log.MONITORED].tolist() == many["probabilities"]["yes"] + one["probabilities"]["yes"]
    assert set(rows[prediction_log.VERSION]) == {"1"}
    assert rows[prediction_log.TIME].between(start, datetime.now(UTC)).all()
    pd.testing.assert_frame_equal(rows[list(frame)], pd.concat([frame, frame.iloc[[3]]], ignore_index=True))


def test_personal_columns_are_left_out_or_hashed(project: Project, sink: str) -> None:
    """Give equal values equal hashes that cannot be computed without the key; missing values stay missing."""
    with logging_to(project, sink, "k3y", left_out=("kind",), hashed=("count", "note")) as (caller, _):
        assert caller.predict(*encode_body(request_rows(30), "csv")).status == 200
        metrics = caller.request("/metrics").body.decode()
    rows = read(sink)
    assert "kind" not in rows
    hashes = [hmac.new(b"k3y", str(value).encode(), hashlib.sha256).hexdigest() for value in request_rows(30)["count"]]
    assert rows["count"].tolist() == hashes
    assert (rows["note"].isna() == request_rows(30)["note"].isna()).all()
    assert rows["x1"].tolist() == request_rows(30)["x1"].tolist()
    assert 'gitops_features_total{bin="0",column="kind"' in metrics


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "a column that the model does not have": ({"left_out": ("id",)}, "names the column 'id'"),
    "hashed without a key": ({"hashed": ("kind",)}, "GITOPS_LOG_KEY is not set"),
    "no such file system": ({"sink": "nowhere://x"}, "Protocol not known: nowhere"),
}


@pytest.mark.parametrize(("settings", "message"), INVALID.values(), ids=INVALID.keys())
def test_invalid_settings_are_configuration_errors(
    project: Project, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    """Raise the error before the first request."""
    with (
        pytest.raises(ConfigError, match=re.escape(message)),
        logging_to(project, **{"sink": str(tmp_path), **settings}),
    ):
        pass


def impossible_folder(tmp_path: Path) -> str:
    """Return a folder below a file, which no user can create."""
    (tmp_path / "file").write_text("not a folder")
    return str(tmp_path / "file" / "log")


class UnreachableFileSystem(MemoryFileSystem):
    """A registered file system that cannot be reached."""

    protocol, cachable = "unreachable", False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise OSError("no credentials: a secret")


fsspec.register_implementation("unreachable", UnreachableFileSystem, clobber=True)


@pytest.mark.parametrize("sink", ["below a file", "unreachable://log", "/proc/log"])
def test_unusable_sink_does_not_stop_server(
    project: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture, sink: str
) -> None:
    """Answer all requests, count all rows as dropped, and log the reason once for each batch."""
    logging.getLogger("gitops_ml.serving").propagate = True
    sink = impossible_folder(tmp_path) if sink == "below a file" else sink
    with logging_to(project, sink, batch_rows=30, flush_seconds=0.1) as (caller, _):
        assert caller.predict(*encode_body(request_rows(30), "csv")).status == 200
        wait_until(lambda: log_counters(caller.request("/metrics").body.decode())["dropped_rows"] == 30)
        assert log_counters(caller.request("/metrics").body.decode())["rows"] == 0
    lines = [json.loads(record.getMessage()) for record in caplog.records if "not written" in record.getMessage()]
    assert [line["rows"] for line in lines] == [30]
    assert "secret" not in caplog.text


def test_slow_sink_does_not_delay_requests(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Block only the log's thread while a mount hangs; write the queued rows later."""
    resume = threading.Event()

    def open_slowly(repository: Repository) -> Sink:
        resume.wait(30)
        return open_sink(repository)

    monkeypatch.setattr(log_recorder, "open_sink", open_slowly)
    with logging_to(project, str(tmp_path / "log"), queue_rows=50) as (caller, _):
        for _ in range(3):
            assert caller.predict(*encode_body(request_rows(20), "rows")).status == 200
        assert not (tmp_path / "log").exists()
        resume.set()
    assert len(read(str(tmp_path / "log"))) == 40


def test_log_works_without_progress_file(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Log one line if the progress file cannot be created: on a full disk, without permission, or without a folder."""
    logging.getLogger("gitops_ml.serving").propagate = True

    def fail(file: Any, kind: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("gitops_ml.serving.write_progress.fcntl.flock", fail)
    with logging_to(project, str(tmp_path / "log")) as (caller, _):
        assert caller.predict(*encode_body(request_rows(30), "csv")).status == 200
    assert len(read(str(tmp_path / "log"))) == 30
    assert [record.getMessage() for record in caplog.records if "will not be counted" in record.getMessage()]
    assert not list((project.root / ".gitops" / "log").glob("*/*"))


def test_server_does_not_start_without_hash_key(at_stage: Callable[[str], Project]) -> None:
    """Exit with code 3 and name the variable."""
    project = at_stage("trained")
    project.edit("model.toml", "[gates]\n", '[log]\nsink = "log"\nhashed = ["kind"]\n\n[gates]\n')
    run = project.root / ".gitops" / "run"
    result = project.gitops("serve", "--run", str(run), "--digest", manifest_digest(run), "--port", "0")
    assert result.code == ConfigError.exit_code
    assert "GITOPS_LOG_KEY is not set" in result.err


def test_log_is_off_without_sink_and_in_smoke_test(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no thread, write no file, and export no counter."""
    service = start_service(project)
    assert open_log(service, None) is None
    assert "gitops_log" not in make_caller(service).request("/metrics").body.decode()
    assert not [thread for thread in threading.enumerate() if thread.name == "log"]
    monkeypatch.setenv(prediction_log.SMOKE_TEST, "1")
    with pytest.raises(AssertionError), logging_to(project, str(project.root / "log")):
        pass
    assert not (project.root / "log").exists()


def test_only_last_environment_keeps_log(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the log in the last environment, or without a configured environment, and not in staging."""
    monkeypatch.setenv("GITOPS_ENVIRONMENT", "staging")
    with pytest.raises(AssertionError), logging_to(project, str(project.root / "log")):
        pass
    monkeypatch.setenv("GITOPS_ENVIRONMENT", "production")
    with logging_to(project, str(project.root / "log")):
        pass


@pytest.mark.slow
def test_sample_of_requests_is_kept(project: Project, sink: str) -> None:
    """Sample whole requests."""
    with logging_to(project, sink, sample=0.3) as (caller, _):
        for _ in range(200):
            caller.predict(*encode_body(request_rows(2), "rows"))
    kept = read(sink).groupby(prediction_log.REQUEST).size()
    assert set(kept) == {2}
    assert 30 < len(kept) < 90


def test_rows_are_dropped_and_counted_if_queue_is_full(project: Project, sink: str) -> None:
    """Answer all requests, and write as many rows as the queue holds."""
    with logging_to(project, sink, queue_rows=50, batch_rows=1000, flush_seconds=600) as (caller, _):
        assert [caller.predict(*encode_body(request_rows(20), "rows")).status for _ in range(4)] == [200] * 4
        assert log_counters(caller.request("/metrics").body.decode()) == {"rows": 0, "dropped_rows": 40, "lost_rows": 0}
    assert len(read(sink)) == 40


@pytest.mark.slow
def test_batch_is_written_when_full_or_due(project: Project, sink: str) -> None:
    """Write a batch when it has enough rows, or when its time has passed."""
    with logging_to(project, sink, batch_rows=40, flush_seconds=600) as (caller, _):
        caller.predict(*encode_body(request_rows(30), "csv"))
        time.sleep(0.3)
        assert len(read(sink)) == 0
        caller.predict(*encode_body(request_rows(30), "csv"))
        wait_until(lambda: len(read(sink)) == 60)
    with logging_to(project, sink, batch_rows=40, flush_seconds=0.2) as (caller, _):
        caller.predict(*encode_body(request_rows(30), "csv"))
        wait_until(lambda: len(read(sink)) == 90)
        wait_until(lambda: log_counters(caller.request("/metrics").body.decode())["rows"] == 30)


class FlakyFileSystem(MemoryFileSystem):
    """A file system whose next writes fail, a given number of times."""

    protocol, store, failures = "flaky", dict[str, Any](), 0

    def pipe_file(self, path: str, value: bytes, **kwargs: Any) -> None:
        """Fail, or write."""
        if FlakyFileSystem.failures:
            FlakyFileSystem.failures -= 1
            raise OSError("the sink is down: a secret")
        super().pipe_file(path, value, **kwargs)


fsspec.register_implementation("flaky", FlakyFileSystem, clobber=True)


@pytest.mark.parametrize(("failures", "written"), [(1, 60), (2, 30)])
def test_failed_batch_is_retried_once_then_dropped(
    project: Project, caplog: pytest.LogCaptureFixture, failures: int, written: int
) -> None:
    """Log a dropped batch in one line, answer all requests, and write later batches."""
    logging.getLogger("gitops_ml.serving").propagate = True
    FlakyFileSystem.store.clear()
    FlakyFileSystem.failures = failures
    with logging_to(project, "flaky://log", batch_rows=30, flush_seconds=0.1) as (caller, _):
        assert caller.predict(*encode_body(request_rows(30), "csv")).status == 200
        wait_until(lambda: FlakyFileSystem.failures == 0)
        assert caller.predict(*encode_body(request_rows(30), "csv")).status == 200
        wait_until(lambda: log_counters(caller.request("/metrics").body.decode())["rows"] == written)
        assert log_counters(caller.request("/metrics").body.decode())["dropped_rows"] == 60 - written
    assert len(read("flaky://log")) == written
    lines = [json.loads(record.getMessage()) for record in caplog.records if "not written" in record.getMessage()]
    assert [line["rows"] for line in lines] == ([] if written == 60 else [30])
    assert "secret" not in caplog.text


@pytest.mark.slow
def test_reader_never_sees_incomplete_file(project: Project, tmp_path: Path) -> None:
    """Read all files completely while batches are written."""
    sink, sizes, ended = tmp_path / "log", list[int](), threading.Event()

    def read_repeatedly() -> None:
        while not ended.is_set():
            sizes.append(len(read(str(sink))))

    reader = threading.Thread(target=read_repeatedly)
    reader.start()
    with logging_to(project, str(sink), batch_rows=1, flush_seconds=0.001) as (caller, _):
        for _ in range(40):
            caller.predict(*encode_body(request_rows(20), "csv"))
    ended.set()
    reader.join()
    assert sizes == sorted(sizes)
    assert len(read(str(sink))) == 800
    assert not list(sink.rglob("*.part"))


def test_only_old_days_are_removed(project: Project, sink: str) -> None:
    """Remove folders with the log's names for days that are older than the days to keep."""
    files, path = fsspec.core.url_to_fs(sink)
    today = datetime.now(UTC).date()
    old, kept = (f"day={today - timedelta(days=days)}" for days in (8, 7))
    for name in (old, kept, "day=2020-1-1", "day=soon", "2020-01-01", "notes"):
        for kind in (prediction_log.PREDICTIONS, prediction_log.OUTCOMES):
            files.makedirs(f"{path}/{kind}/{name}", exist_ok=True)
            files.pipe_file(f"{path}/{kind}/{name}/a.parquet", b"x")
    with logging_to(project, sink, keep_days=7):
        wait_until(lambda: not files.exists(f"{path}/outcomes/{old}"))
    for kind in (prediction_log.PREDICTIONS, prediction_log.OUTCOMES):
        left = {name.rstrip("/").rpartition("/")[2] for name in files.ls(f"{path}/{kind}", detail=False)}
        assert left == {kept, "day=2020-1-1", "day=soon", "2020-01-01", "notes"}


def test_queue_never_holds_more_than_its_limit() -> None:
    """Refuse a request that is larger than the queue, and all requests after the queue is closed."""
    queue = BoundedQueue[list[int]](10, 4, 600)
    assert [queue.put([1] * size) for size in (11, 6, 5, 4)] == [False, True, False, True]
    assert [len(entry) for entry in queue.take(0)] == [6]
    assert [len(entry) for entry in queue.take(0)] == [4]
    assert queue.take(0.01) == []
    queue.close()
    assert not queue.put([1])


def kill(progress: WriteProgress) -> None:
    """Release the lock as a killed process does; the counters stay."""
    progress._counters.release()
    progress._map.close()
    assert progress._file is not None
    progress._file.close()


def test_lost_rows_of_dead_writer_are_counted_once(tmp_path: Path) -> None:
    """Count a batch that is in the sink as written, though it was not committed; ignore a writer that is alive."""
    day = datetime.now(UTC).date()
    living, dead = WriteProgress(tmp_path, "living"), WriteProgress(tmp_path, "dead")
    for progress in (living, dead):
        progress.accept("predictions", 30)
        progress.begin("predictions", 10, day)
        progress.commit("predictions")
    path = dead.begin("predictions", 15, day)
    kill(dead)
    assert [lost.rows["predictions"] for lost in recover_lost_rows(tmp_path, lambda name: name == path)] == [5]
    assert list(recover_lost_rows(tmp_path, lambda name: True)) == []
    assert [file.name for file in tmp_path.iterdir()] == ["living.count"]


def test_progress_is_kept_if_sink_is_unreachable(tmp_path: Path) -> None:
    """Let the next server try again."""
    dead = WriteProgress(tmp_path, "dead")
    dead.accept("predictions", 30)
    dead.begin("predictions", 15, datetime.now(UTC).date())
    kill(dead)

    def fail(name: str) -> bool:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 (it has no message)
        list(recover_lost_rows(tmp_path, fail))
    assert [lost.rows["predictions"] for lost in recover_lost_rows(tmp_path, lambda name: False)] == [30]


def test_progress_is_in_temporary_folder_if_root_is_read_only(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Use the temporary folder if no folder can be created in the repository."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    service = start_service(project)
    root = tmp_path / "read-only"
    root.write_text("a file has no folders")
    config = service.repository.config.model_copy(update={"log": Settings(sink="memory://r/log")})
    repository = Repository(root, config)
    first, second = (log_recorder._open_progress(repository) for _ in range(2))
    assert first.folder is not None
    assert first.folder.parent == tmp_path
    assert first.folder == second.folder
    for progress in (first, second):
        progress.close()
    assert list(first.folder.iterdir()) == []


def test_request_may_be_larger_than_batch() -> None:
    """Return the request as one batch."""
    queue = BoundedQueue[PredictionEntry](100, 10, 600)
    predictions: Any = None
    assert queue.put(PredictionEntry("a", 0, request_rows(30), predictions))
    assert [len(entry) for entry in queue.take(0)] == [30]


def configure_log(project: Project, settings: str) -> tuple[dict[str, str], Path]:
    """Configure a log, and return the environment of a server that keeps it, and its folder."""
    sink = project.root / "log"
    project.edit("model.toml", "[gates]\n", f'[log]\nsink = "log"\n{settings}\n\n[gates]\n')
    run = project.root / ".gitops" / "run"
    return {**os.environ, "GITOPS_RUN": str(run), "GITOPS_DIGEST": manifest_digest(run), "GITOPS_VERSION": "1"}, sink


@pytest.mark.slow
def test_queued_rows_are_written_on_sigterm(at_stage: Callable[[str], Project]) -> None:
    """Write all predicted rows, and leave no progress file."""
    project = at_stage("trained")
    environment, sink = configure_log(project, "flush_seconds = 600")
    with run_server(project, environment) as (server, address):
        wait_until_ready(address, server)
        for row in to_records(request_rows(30)):
            assert requests.post(f"{address}/predict", json={"rows": [row]}, timeout=60).ok
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    assert len(read(str(sink))) == 30
    assert [path.name for path in sink.iterdir()] == ["predictions"]
    assert not list((project.root / ".gitops" / "log").glob("*/*"))


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("in_request", [False, True], ids=["between requests", "in a request"])
def test_rows_lost_by_kill_are_counted(at_stage: Callable[[str], Project], in_request: bool) -> None:
    """Check after kill -9 that the written rows and the lost rows, which the next server counts, are all rows."""
    project = at_stage("trained")
    environment, sink = configure_log(project, "batch_rows = 20\nflush_seconds = 600")
    answered = 0
    with run_server(project, environment) as (server, address):
        wait_until_ready(address, server)
        session = requests.Session()
        with suppress(requests.ConnectionError):
            for number in range(10_000 if in_request else 45):
                if in_request and number == 45:
                    threading.Timer(0.05, server.kill).start()
                size = 1 + number % 3
                body = {"rows": to_records(request_rows(size))}
                answered += size * session.post(f"{address}/predict", json=body, timeout=60).ok
        server.kill()
        server.wait()
    written = len(read(str(sink)))
    with run_server(project, environment) as (server, address):
        wait_until_ready(address, server)
        wait_until(lambda: "lost_rows" in requests.get(f"{address}/metrics", timeout=60).text)
        errors = project.root.parent / "serve.err"
        wait_until(lambda: "rows of the prediction log" in errors.read_text() or written >= answered)
        lost = int(log_counters(requests.get(f"{address}/metrics", timeout=60).text)["lost_rows"])
        logged = re.findall(r"lost (\d+) rows of the prediction log when writer \w+ ended", errors.read_text())
        with run_server(Project(_link_repository(project)), environment) as (other, other_address):
            wait_until_ready(other_address, other)
            time.sleep(0.5)
            assert log_counters(requests.get(f"{other_address}/metrics", timeout=60).text)["lost_rows"] == 0
    assert logged == ([str(lost)] if lost else [])
    assert answered <= written + lost <= answered + (3 if in_request else 0)
    assert lost < 23 + (3 if in_request else 0)
    if not in_request:
        assert (answered, lost > 0) == (90, True)


def _link_repository(project: Project) -> Path:
    """Return a link to the repository in its own folder, for the output file of a second server."""
    link = project.root.parent / "other" / "repository"
    link.parent.mkdir()
    link.symlink_to(project.root)
    return link
