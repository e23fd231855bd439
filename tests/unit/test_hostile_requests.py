"""Requests that are meant to stop a server: bodies that cost much more than their size, and callers that leave."""

import asyncio
import io
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from gitops_ml.serving import workers
from gitops_ml.serving.api_error import ApiError
from gitops_ml.serving.service import PredictionResult, Service
from unit.http_caller import (
    ARROW,
    CSV,
    JSON,
    PARQUET,
    Caller,
    encode_body,
    make_caller,
    manifest_digest,
    request_rows,
    run_server,
    start_service,
    wait_until_ready,
)
from unit.sample import Project, create_project, prepare_environment

HEADER = b"x1,x2,count,kind,note\n"
ROW = b'{"x1":1,"x2":1,"count":1,"kind":"a","note":1}'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Return the trained sample."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        project = create_project(folder / "sample-repository")
        project.must("train", "--force")
        yield project


@pytest.fixture(scope="module")
def caller(project: Project) -> Caller:
    """Return a caller of its model."""
    return make_caller(start_service(project))


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of work in this process."""
    before = time.process_time()
    work()
    return time.process_time() - before


MANY = 2**20
HOSTILE: dict[str, tuple[bytes, str, int]] = {
    "a header of commas": (b"," * MANY, CSV, 400),
    "a header that never ends": (b'"' + b"a\n" * MANY, CSV, 400),
    "a row with more fields than the header": (HEADER + b"1,1,1,a,1\n" + b"," * MANY, CSV, 400),
    "rows of empty cells": (HEADER + b",,,,\n" * 99_999, CSV, 422),
    "wrong cells after good rows": (HEADER + b"1,1,1,a,1\n" * 50_000 + b"x,,,,\n" * 49_000, CSV, 422),
    "JSON lists as cells": (
        b'{"columns":{%s}}' % b",".join(b'"%s":[1%s]' % (name, b",[]" * 99_999) for name in HEADER.strip().split(b",")),
        JSON, 413,
    ),
    "JSON numbers instead of rows": (b'{"rows":[' + b"1," * MANY + b"1]}", JSON, 413),
    "JSON objects instead of rows": (b'{"rows":[' + b"{}," * MANY + b"1]}", JSON, 413),
    "a JSON row with a million columns": (
        b'{"rows":[{%s}]}' % b",".join(b'"%x":1' % number for number in range(MANY)), JSON, 413,
    ),
    "JSON rows with unknown columns": (
        b'{"rows":[%s]}' % b",".join(b'{"%x":1}' % number for number in range(90_000)), JSON, 422,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "kind", "status"), HOSTILE.values(), ids=HOSTILE)
def test_a_body_costs_little_time(caller: Caller, body: bytes, kind: str, status: int) -> None:
    """It is refused within a second of a processor, although it is as long as a good body of 100,000 rows."""
    responses = []
    seconds = cpu_seconds(lambda: responses.append(caller.predict(body, kind)))
    assert responses[0].status == status, responses[0].body
    assert len(responses[0].body) < 20_000
    assert seconds < 1.5


def test_text_with_commas_and_brackets_is_no_structure(caller: Caller) -> None:
    """Only what is outside of strings counts."""
    rows = json.loads(encode_body(request_rows(3), "rows")[0])
    rows["rows"][0]["kind"] = '[{,:\\"' * 200_000
    assert caller.predict(json.dumps(rows).encode()).problems == [(1, "kind", "isin(['a', 'b', 'c'])")]


def test_problems_of_a_large_request_are_those_of_its_rows(caller: Caller) -> None:
    """The search ends after the rows with the first fifty problems, and the message says so."""
    good, bad = b"1,1,1,a,1\n", b"1,11,1,z,1\n"
    few = caller.predict(HEADER + good * 4999 + bad + good * 5000, CSV)
    assert [problem[:2] for problem in few.problems] == [(5000, "kind"), (5000, "x2")]
    assert few.json["error"]["message"] == "The request violates the schema: 2 problem(s)."
    many = caller.predict(HEADER + good * 5000 + bad * 5000, CSV)
    assert many.problems[0][:2] == (5001, "kind")
    assert many.json["error"]["message"].startswith("The request violates the schema: at least 2000 problem(s)")
    assert caller.predict(HEADER + good * 10_000, CSV).status == 200


def with_timeout(project: Project, seconds: int, work: Callable[[str, bytes], PredictionResult]) -> Service:
    """Return a service with another time limit of a request, whose predictions another function makes."""
    service = start_service(project)
    config = service.repository.config
    changed = config.model_copy(update={"serving": config.serving.model_copy(update={"timeout_seconds": seconds})})
    service = replace(service, repository=replace(service.repository, config=changed))
    service.predict = work  # type: ignore[method-assign, assignment]
    return service


def wait_until(is_true: Callable[[], bool]) -> None:
    """Wait for at most ten seconds."""
    until = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.slow
def test_work_ends_when_its_time_is_over(project: Project) -> None:
    """The work whose caller got 504 ends at its next step, and frees its thread."""
    ended = threading.Event()

    def predict(kind: str, body: bytes) -> PredictionResult:
        try:
            for _ in range(1000):
                time.sleep(0.01)
                workers.check_caller()
        finally:
            ended.set()
        raise AssertionError

    caller = make_caller(with_timeout(project, 1, predict))
    assert caller.predict(ROW).status == 504
    assert ended.wait(1)


@pytest.mark.slow
def test_a_server_that_answers_no_caller_is_not_ready(project: Project) -> None:
    """If every thread works for a caller that is gone, callers should go elsewhere until one is free."""
    free = threading.Event()

    def predict(kind: str, body: bytes) -> PredictionResult:
        free.wait(30)
        workers.check_caller()
        raise AssertionError

    caller = make_caller(with_timeout(project, 1, predict))
    for _ in range(min(os.cpu_count() or 1, workers.MAX_THREADS)):
        assert caller.request("/health/ready").status == 200
        assert caller.predict(ROW).status == 504
    response = caller.request("/health/ready")
    assert (response.status, response.json["error"]["code"]) == (503, "stuck")
    assert caller.request("/health/live").status == 200
    free.set()
    wait_until(lambda: caller.request("/health/ready").status == 200)


def test_large_bodies_are_limited_together(project: Project) -> None:
    """A body is refused while others fill the memory for bodies; afterwards it is accepted."""
    threads = workers.Workers(max_body_mib=1)
    jobs = [workers.Job(threads) for _ in range(4)]
    for job in jobs:
        job.hold(2**20)
    last = workers.Job(threads)
    with pytest.raises(ApiError) as error:
        last.hold(1)
    assert (error.value.status, error.value.code) == (503, "busy")
    jobs[0].close()
    last.hold(1)
    for job in (*jobs, last):
        job.close()
    assert threads.held == 0
    threads.close()


@pytest.mark.slow
def test_work_ends_when_the_connection_ends(project: Project) -> None:
    """A caller that closes its connection waits for nothing, so the work ends at its next step."""
    ended, began = threading.Event(), threading.Event()

    def predict(kind: str, body: bytes) -> PredictionResult:
        began.set()
        try:
            for _ in range(1000):
                time.sleep(0.01)
                workers.check_caller()
        finally:
            ended.set()
        raise AssertionError

    app = make_caller(with_timeout(project, 20, predict)).app
    messages = iter([{"type": "http.request", "body": ROW, "more_body": False}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"", "http_version": "1.1",
             "headers": [(b"content-type", JSON.encode())]}  # fmt: skip
    asyncio.run(asyncio.wait_for(app(scope, receive, send), 5))
    assert began.is_set()
    assert ended.wait(1)
    assert b"caller_gone" in sent[1]["body"]


SIZE = 159 * 2**20 // 10
COMPOSE_LIMIT = 2**30


def fill(start: bytes, part: bytes, end: bytes = b"") -> bytes:
    """Return a body of almost the largest allowed size."""
    return start + part * ((SIZE - len(start) - len(end)) // len(part)) + end


def packed_rows(*, as_parquet: bool) -> bytes:
    """Return 100,000 rows that break a rule, with texts, as Parquet (a few kilobytes) or as an Arrow stream."""
    count, text = 100_000, "z" * 120
    table = pa.table({"x1": np.zeros(count), "x2": np.full(count, 99.0), "count": np.full(count, -5), "kind":
                      [text] * count, "note": np.zeros(count)})  # fmt: skip
    out = io.BytesIO()
    if as_parquet:
        pq.write_table(table, out)
    else:
        with pa.ipc.new_stream(out, table.schema) as stream:
            stream.write_table(table)
    return out.getvalue()


def largest_bodies() -> dict[str, tuple[bytes, str]]:
    """Return the bodies of almost `max_body_mib` that need the most memory of their formats."""
    text = b"z" * 110
    batches = io.BytesIO()
    empty = pa.RecordBatch.from_pandas(request_rows(3), preserve_index=False).slice(0, 0)
    with pa.ipc.new_stream(batches, empty.schema) as stream:
        for _ in range(40_000):
            stream.write_batch(empty)
    groups = io.BytesIO()
    row = pa.Table.from_pandas(request_rows(1), preserve_index=False)
    pq.write_table(pa.concat_tables([row] * 5_500), groups, row_group_size=1)
    bodies = {
        "CSV, commas": (fill(HEADER + b"1,1,1,a,1\n", b","), CSV),
        "CSV, empty cells": (HEADER + b",,,,\n" * 99_999, CSV),
        "CSV, long texts": (HEADER + (b"1,1,1," + text + b"z" * 35 + b",1\n") * 99_999, CSV),
        "JSON, rows": (fill(b'{"rows":[', ROW + b",", ROW + b"]}")[:SIZE], JSON),
        "JSON, long texts": (b'{"rows":[' + b",".join([ROW.replace(b'"a"', b'"%s"' % text)] * 99_999) + b"]}", JSON),
        "JSON, one text": (fill(b'{"rows":[{"x1":"', b"\\u00e9", b'"}]}'), JSON),
        "JSON, numbers": (fill(b'{"rows":[', b"1e5,", b"1]}"), JSON),
        "JSON, lists": (fill(b'{"rows":[', b"[],", b"1]}"), JSON),
        "Parquet, a few kilobytes": (packed_rows(as_parquet=True), PARQUET),
        "Parquet, row groups": (groups.getvalue(), PARQUET),
        "Arrow, long texts": (packed_rows(as_parquet=False), ARROW),
        "Arrow, empty batches": (batches.getvalue(), ARROW),
    }  # fmt: skip
    assert max(len(body) for body, _ in bodies.values()) < 16 * 2**20
    return bodies


@pytest.mark.slow
def test_memory_stays_below_the_limit_of_compose(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Four callers send each body at once; the server's largest memory stays below compose's `mem_limit`.

    The figures in `gitops docs targets` are those that this test prints with `pytest -s`.
    """
    run = project.root / ".gitops" / "run"
    environment = {**os.environ, "GITOPS_RUN": str(run), "GITOPS_DIGEST": manifest_digest(run)}
    lines = []
    with run_server(project, environment) as (server, address):
        wait_until_ready(address, server)
        lines.append(f"idle: {memory(server.pid)} MiB")
        statuses = set[int]()

        def send(body: bytes, kind: str) -> None:
            response = requests.post(f"{address}/predict", body, headers={"Content-Type": kind}, timeout=120)
            statuses.add(response.status_code)

        for name, (body, kind) in largest_bodies().items():
            Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # start the maximum again
            began = time.monotonic()
            threads = [threading.Thread(target=send, args=(body, kind)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seconds = time.monotonic() - began
            lines.append(f"{name}, {len(body) / 2**20:.1f} MiB: {memory(server.pid)} MiB, {seconds:.1f} s")
            assert memory(server.pid) * 2**20 < COMPOSE_LIMIT * 0.9, lines
            assert requests.get(f"{address}/health/ready", timeout=20).status_code == 200
        assert statuses <= {200, 400, 413, 422, 503}
    with capsys.disabled():
        print("", *lines, sep="\n")


def memory(pid: int) -> int:
    """Return the largest memory of a process since it began, or since its maximum was reset, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024
