"""The prediction log: what was answered is written without anybody waiting for it, and what is not is counted."""

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

from gitops_ml import logged
from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError
from gitops_ml.serving import log as serving_log
from gitops_ml.serving.entries import Answers
from gitops_ml.serving.log import open_log
from gitops_ml.serving.track import Track, adopt
from gitops_ml.serving.waiting import Waiting
from gitops_ml.sink import Sink, open_sink
from gitops_ml.watch import Log as Settings
from unit.logs import logging_to, read, wait_until
from unit.sample import Project, prepare_environment, start
from unit.served import asked, body_of, caller_of, digest_of, records, running, service_of, wait_until_ready


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The sample, trained."""
    folder = tmp_path_factory.mktemp("log")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        made = start(folder / "sample-repository")
        made.must("train", "--force")
        yield made


@pytest.fixture(params=["folder", "memory"])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder of this machine, and another file system that fsspec knows."""
    return str(tmp_path / "log") if request.param == "folder" else f"memory://{uuid.uuid4().hex}/log"


def numbers(text: str) -> dict[str, float]:
    """The log's own counters of predictions, from /metrics."""
    found = re.findall(r'^gitops_log_(\w+)_total\{kind="predictions",version="1"\} (.*)$', text, re.MULTILINE)
    return {name: float(number) for name, number in found}


def test_rows_are_written_with_what_was_said_of_them(project: Project, sink: str) -> None:
    """In the layout that readers know: request, row, time, version, prediction, what is watched, and each column."""
    frame, began = asked(30), datetime.now(UTC)
    with logging_to(project, sink) as (caller, _):
        many = caller.predict(*body_of(frame, "csv"), x_request_id="many").json
        one = caller.predict_rows(records(frame)[3]).json
    found = read(sink)
    assert list(found) == [logged.REQUEST, logged.ROW, logged.TIME, logged.VERSION, logged.PREDICTION, logged.WATCHED,
                           *frame]  # fmt: skip
    assert found[logged.REQUEST].tolist() == ["many"] * 30 + [one["request_id"]]
    assert found[logged.ROW].tolist() == [*range(30), 0]
    assert found[logged.PREDICTION].tolist() == many["predictions"] + one["predictions"]
    assert found[logged.WATCHED].tolist() == many["probabilities"]["yes"] + one["probabilities"]["yes"]
    assert set(found[logged.VERSION]) == {"1"}
    assert found[logged.TIME].between(began, datetime.now(UTC)).all()
    pd.testing.assert_frame_equal(found[list(frame)], pd.concat([frame, frame.iloc[[3]]], ignore_index=True))


def test_personal_columns_are_left_out_or_hashed(project: Project, sink: str) -> None:
    """The same value has the same hash, which nobody can make without the key; what is missing stays missing."""
    with logging_to(project, sink, "k3y", left_out=("kind",), hashed=("count", "note")) as (caller, _):
        assert caller.predict(*body_of(asked(30), "csv")).status == 200
        counts = caller.ask("/metrics").body.decode()
    found = read(sink)
    assert "kind" not in found
    made = [hmac.new(b"k3y", str(value).encode(), hashlib.sha256).hexdigest() for value in asked(30)["count"]]
    assert found["count"].tolist() == made
    assert (found["note"].isna() == asked(30)["note"].isna()).all()
    assert found["x1"].tolist() == asked(30)["x1"].tolist()
    assert 'gitops_features_total{bin="0",column="kind"' in counts


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a column that the model does not have": ({"left_out": ("id",)}, "names a column 'id'"),
    "hashed without a key": ({"hashed": ("kind",)}, "GITOPS_LOG_KEY is not set"),
    "no such file system": ({"sink": "nowhere://x"}, "cannot be reached: Protocol not known: nowhere"),
}


@pytest.mark.parametrize(("settings", "words"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_kept_as_told_is_a_sentence(
    project: Project, tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    """Before anybody is answered: later it would be too late."""
    with pytest.raises(ConfigError, match=re.escape(words)), logging_to(project, **{"sink": str(tmp_path), **settings}):
        pass


def no_folder(tmp_path: Path) -> str:
    """A folder below a file, which nobody can make, whatever his rights."""
    (tmp_path / "file").write_text("no folder")
    return str(tmp_path / "file" / "log")


class Shy(MemoryFileSystem):
    """A file system of a kind that is known, and that cannot be reached."""

    protocol, cachable = "shy", False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise OSError("no credentials, said to a secret")


fsspec.register_implementation("shy", Shy, clobber=True)


@pytest.mark.parametrize("sink", ["below a file", "shy://log", "/proc/log"])
def test_a_sink_that_cannot_be_used_keeps_no_server_down(
    project: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture, sink: str
) -> None:
    """Everybody is answered; every row is counted as dropped, and the server's own log says why, once for a batch."""
    logging.getLogger("gitops_ml.serving").propagate = True
    sink = no_folder(tmp_path) if sink == "below a file" else sink
    with logging_to(project, sink, batch_rows=30, flush_seconds=0.1) as (caller, _):
        assert caller.predict(*body_of(asked(30), "csv")).status == 200
        wait_until(lambda: numbers(caller.ask("/metrics").body.decode())["dropped_rows"] == 30)
        assert numbers(caller.ask("/metrics").body.decode())["rows"] == 0
    lines = [json.loads(record.getMessage()) for record in caplog.records if "not written" in record.getMessage()]
    assert [line["rows"] for line in lines] == [30]
    assert "secret" not in caplog.text


def test_a_sink_is_not_touched_by_whoever_starts_a_server(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mount that hangs holds the log's own thread, and nobody else; later the sink is found."""
    goes_on = threading.Event()

    def slow(repository: Repository) -> Sink:
        goes_on.wait(30)
        return open_sink(repository)

    monkeypatch.setattr(serving_log, "open_sink", slow)
    with logging_to(project, str(tmp_path / "log"), queue_rows=50) as (caller, _):
        for _ in range(3):
            assert caller.predict(*body_of(asked(20), "rows")).status == 200
        assert not (tmp_path / "log").exists()
        goes_on.set()
    assert len(read(str(tmp_path / "log"))) == 40


def test_without_a_place_for_its_numbers_a_log_is_kept_all_the_same(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk, no rights, or no folder at all: one line says that nobody will learn what a kill loses."""
    logging.getLogger("gitops_ml.serving").propagate = True

    def full(file: Any, kind: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("gitops_ml.serving.track.fcntl.flock", full)
    with logging_to(project, str(tmp_path / "log")) as (caller, _):
        assert caller.predict(*body_of(asked(30), "csv")).status == 200
    assert len(read(str(tmp_path / "log"))) == 30
    assert [record.getMessage() for record in caplog.records if "nobody will learn" in record.getMessage()]
    assert not list((project.root / ".gitops" / "log").glob("*/*"))


def test_a_server_does_not_start_without_the_key(at_stage: Callable[[str], Project]) -> None:
    """Exit code 3, with the name of the variable."""
    project = at_stage("trained")
    project.edit("model.toml", "[gates]\n", '[log]\nsink = "log"\nhashed = ["kind"]\n\n[gates]\n')
    run = project.root / ".gitops" / "run"
    told = project.gitops("serve", "--run", str(run), "--digest", digest_of(run), "--port", "0")
    assert told.code == ConfigError.exit_code
    assert "GITOPS_LOG_KEY is not set" in told.err


def test_without_a_sink_there_is_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread, no file, no counter; nor where a version is only tried."""
    service = service_of(project)
    assert open_log(service, None) is None
    assert "gitops_log" not in caller_of(service).ask("/metrics").body.decode()
    assert not [thread for thread in threading.enumerate() if thread.name == "log"]
    monkeypatch.setenv(logged.TRIAL, "1")
    with pytest.raises(AssertionError), logging_to(project, str(project.root / "log")):
        pass
    assert not (project.root / "log").exists()


def test_a_staging_keeps_none(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are no rows of production; where promotion ends, or where nobody said, they are kept."""
    monkeypatch.setenv("GITOPS_ENVIRONMENT", "staging")
    with pytest.raises(AssertionError), logging_to(project, str(project.root / "log")):
        pass
    monkeypatch.setenv("GITOPS_ENVIRONMENT", "production")
    with logging_to(project, str(project.root / "log")):
        pass


@pytest.mark.slow
def test_a_share_of_the_requests_is_kept(project: Project, sink: str) -> None:
    """Whole requests, drawn one by one."""
    with logging_to(project, sink, sample=0.3) as (caller, _):
        for _ in range(200):
            caller.predict(*body_of(asked(2), "rows"))
    kept = read(sink).groupby(logged.REQUEST).size()
    assert set(kept) == {2}
    assert 30 < len(kept) < 90


def test_what_finds_no_room_is_counted_and_everybody_is_answered(project: Project, sink: str) -> None:
    """As many rows as may wait are written."""
    with logging_to(project, sink, queue_rows=50, batch_rows=1000, flush_seconds=600) as (caller, _):
        assert [caller.predict(*body_of(asked(20), "rows")).status for _ in range(4)] == [200] * 4
        assert numbers(caller.ask("/metrics").body.decode()) == {"rows": 0, "dropped_rows": 40, "lost_rows": 0}
    assert len(read(sink)) == 40


def test_a_batch_is_written_when_it_is_full_or_old(project: Project, sink: str) -> None:
    """Whichever comes first."""
    with logging_to(project, sink, batch_rows=40, flush_seconds=600) as (caller, _):
        caller.predict(*body_of(asked(30), "csv"))
        time.sleep(0.3)
        assert len(read(sink)) == 0
        caller.predict(*body_of(asked(30), "csv"))
        wait_until(lambda: len(read(sink)) == 60)
    with logging_to(project, sink, batch_rows=40, flush_seconds=0.2) as (caller, _):
        caller.predict(*body_of(asked(30), "csv"))
        wait_until(lambda: len(read(sink)) == 90)
        wait_until(lambda: numbers(caller.ask("/metrics").body.decode())["rows"] == 30)


class Moody(MemoryFileSystem):
    """A file system that refuses to write so many times."""

    protocol, store, refusals = "moody", dict[str, Any](), 0

    def pipe_file(self, path: str, value: bytes, **kwargs: Any) -> None:
        """Refuse, or write."""
        if Moody.refusals:
            Moody.refusals -= 1
            raise OSError("the sink is down, said to a secret")
        super().pipe_file(path, value, **kwargs)


fsspec.register_implementation("moody", Moody, clobber=True)


@pytest.mark.parametrize(("refusals", "written"), [(1, 60), (2, 30)])
def test_a_batch_that_cannot_be_written_is_tried_again_once_then_counted(
    project: Project, caplog: pytest.LogCaptureFixture, refusals: int, written: int
) -> None:
    """With one line in the log; callers are answered as ever, and later batches are written."""
    logging.getLogger("gitops_ml.serving").propagate = True
    Moody.store.clear()
    Moody.refusals = refusals
    with logging_to(project, "moody://log", batch_rows=30, flush_seconds=0.1) as (caller, _):
        assert caller.predict(*body_of(asked(30), "csv")).status == 200
        wait_until(lambda: Moody.refusals == 0)
        assert caller.predict(*body_of(asked(30), "csv")).status == 200
        wait_until(lambda: numbers(caller.ask("/metrics").body.decode())["rows"] == written)
        assert numbers(caller.ask("/metrics").body.decode())["dropped_rows"] == 60 - written
    assert len(read("moody://log")) == written
    lines = [json.loads(record.getMessage()) for record in caplog.records if "not written" in record.getMessage()]
    assert [line["rows"] for line in lines] == ([] if written == 60 else [30])
    assert "secret" not in caplog.text


@pytest.mark.slow
def test_a_reader_never_sees_half_a_file(project: Project, tmp_path: Path) -> None:
    """Whoever looks while batches are written reads each file that he finds to its end."""
    sink, seen, ended = tmp_path / "log", list[int](), threading.Event()

    def look() -> None:
        while not ended.is_set():
            seen.append(len(read(str(sink))))

    reader = threading.Thread(target=look)
    reader.start()
    with logging_to(project, str(sink), batch_rows=1, flush_seconds=0.001) as (caller, _):
        for _ in range(40):
            caller.predict(*body_of(asked(20), "csv"))
    ended.set()
    reader.join()
    assert seen == sorted(seen)
    assert len(read(str(sink))) == 800
    assert not list(sink.rglob("*.part"))


def test_old_days_are_removed_and_nothing_else(project: Project, sink: str) -> None:
    """Only folders that are named as ours are, and older than the days that are kept."""
    files, path = fsspec.core.url_to_fs(sink)
    today = datetime.now(UTC).date()
    old, kept = (f"day={today - timedelta(days=days)}" for days in (8, 7))
    for name in (old, kept, "day=2020-1-1", "day=soon", "2020-01-01", "notes"):
        for kind in (logged.PREDICTIONS, logged.OUTCOMES):
            files.makedirs(f"{path}/{kind}/{name}", exist_ok=True)
            files.pipe_file(f"{path}/{kind}/{name}/a.parquet", b"x")
    with logging_to(project, sink, keep_days=7):
        wait_until(lambda: not files.exists(f"{path}/outcomes/{old}"))
    for kind in (logged.PREDICTIONS, logged.OUTCOMES):
        left = {name.rstrip("/").rpartition("/")[2] for name in files.ls(f"{path}/{kind}", detail=False)}
        assert left == {kept, "day=2020-1-1", "day=soon", "2020-01-01", "notes"}


def test_waiting_never_holds_more_than_it_may() -> None:
    """A request larger than all the room is refused too, and after the end nothing is taken."""
    waiting = Waiting[list[int]](10, 4, 600)
    assert [waiting.put([1] * size) for size in (11, 6, 5, 4)] == [False, True, False, True]
    assert [len(one) for one in waiting.take(0)] == [6]
    assert [len(one) for one in waiting.take(0)] == [4]
    assert waiting.take(0.01) == []
    waiting.close()
    assert not waiting.put([1])


def kill(track: Track) -> None:
    """The lock of a process goes with it, and its numbers stay."""
    track._numbers.release()
    track._map.close()
    assert track._file is not None
    track._file.close()


def test_numbers_outlive_a_writer_and_are_told_once(tmp_path: Path) -> None:
    """A batch that came to its place counts as written, although nobody noted it; a living writer is left alone."""
    day = datetime.now(UTC).date()
    living, dead = Track(tmp_path, "living"), Track(tmp_path, "dead")
    for track in (living, dead):
        track.accept("predictions", 30)
        track.begin("predictions", 10, day)
        track.settle("predictions")
    place = dead.begin("predictions", 15, day)
    kill(dead)
    assert [one.rows["predictions"] for one in adopt(tmp_path, lambda name: name == place)] == [5]
    assert list(adopt(tmp_path, lambda name: True)) == []
    assert [file.name for file in tmp_path.iterdir()] == ["living.count"]


def test_numbers_of_a_sink_that_cannot_be_asked_are_kept(tmp_path: Path) -> None:
    """The next server asks again."""
    dead = Track(tmp_path, "dead")
    dead.accept("predictions", 30)
    dead.begin("predictions", 15, datetime.now(UTC).date())
    kill(dead)

    def down(name: str) -> bool:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 (it says nothing)
        list(adopt(tmp_path, down))
    assert [one.rows["predictions"] for one in adopt(tmp_path, lambda name: False)] == [30]


def test_numbers_have_a_place_where_the_root_is_read_only(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the temporary folder, if nothing can be made beside model.toml."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    service = service_of(project)
    root = tmp_path / "read-only"
    root.write_text("a file has no folders, whoever asks")
    config = service.repository.config.model_copy(update={"log": Settings(sink="memory://r/log")})
    repository = Repository(root, config)
    one, two = (serving_log._track(repository) for _ in range(2))
    assert one.folder is not None
    assert one.folder.parent == tmp_path
    assert one.folder == two.folder
    for track in (one, two):
        track.close()
    assert list(one.folder.iterdir()) == []


def test_one_request_may_be_larger_than_a_batch() -> None:
    """It is written whole."""
    waiting = Waiting[Answers](100, 10, 600)
    predictions: Any = None
    assert waiting.put(Answers("a", 0, asked(30), predictions))
    assert [len(one) for one in waiting.take(0)] == [30]


def served_log(project: Project, settings: str) -> tuple[dict[str, str], Path]:
    """The environment of a server that keeps a log, and where."""
    sink = project.root / "log"
    project.edit("model.toml", "[gates]\n", f'[log]\nsink = "log"\n{settings}\n\n[gates]\n')
    run = project.root / ".gitops" / "run"
    return {**os.environ, "GITOPS_RUN": str(run), "GITOPS_DIGEST": digest_of(run), "GITOPS_VERSION": "1"}, sink


@pytest.mark.slow
def test_what_waits_is_written_when_the_server_is_asked_to_end(at_stage: Callable[[str], Project]) -> None:
    """SIGTERM: everything that was answered is there, and the next server has nothing to say."""
    project = at_stage("trained")
    environment, sink = served_log(project, "flush_seconds = 600")
    with running(project, environment) as (server, address):
        wait_until_ready(address, server)
        for row in records(asked(30)):
            assert requests.post(f"{address}/predict", json={"rows": [row]}, timeout=60).ok
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    assert len(read(str(sink))) == 30
    assert [path.name for path in sink.iterdir()] == ["predictions"]
    assert not list((project.root / ".gitops" / "log").glob("*/*"))


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("amid", [False, True], ids=["between requests", "amid a request"])
def test_a_kill_loses_at_most_what_was_not_written_and_says_how_much(
    at_stage: Callable[[str], Project], amid: bool
) -> None:
    """kill -9: what was written and what the next server says was lost are together what was answered."""
    project = at_stage("trained")
    environment, sink = served_log(project, "batch_rows = 20\nflush_seconds = 600")
    answered = 0
    with running(project, environment) as (server, address):
        wait_until_ready(address, server)
        session = requests.Session()
        with suppress(requests.ConnectionError):
            for number in range(10_000 if amid else 45):
                if amid and number == 45:
                    threading.Timer(0.05, server.kill).start()
                size = 1 + number % 3
                body = {"rows": records(asked(size))}
                answered += size * session.post(f"{address}/predict", json=body, timeout=60).ok
        server.kill()
        server.wait()
    written = len(read(str(sink)))
    with running(project, environment) as (server, address):
        wait_until_ready(address, server)
        wait_until(lambda: "lost_rows" in requests.get(f"{address}/metrics", timeout=60).text)
        errors = project.root.parent / "serve.err"
        wait_until(lambda: "rows of the prediction log" in errors.read_text() or written >= answered)
        lost = int(numbers(requests.get(f"{address}/metrics", timeout=60).text)["lost_rows"])
        said = re.findall(r"lost (\d+) rows of the prediction log when writer \w+ ended", errors.read_text())
        with running(Project(_beside(project)), environment) as (other, beside):
            wait_until_ready(beside, other)
            time.sleep(0.5)
            assert numbers(requests.get(f"{beside}/metrics", timeout=60).text)["lost_rows"] == 0
    assert said == ([str(lost)] if lost else [])
    assert answered <= written + lost <= answered + (3 if amid else 0)
    assert lost < 23 + (3 if amid else 0)
    if not amid:
        assert (answered, lost > 0) == (90, True)


def _beside(project: Project) -> Path:
    """The same repository under another name, for what a second server prints."""
    link = project.root.parent / "beside" / "repository"
    link.parent.mkdir()
    link.symlink_to(project.root)
    return link
