"""Requests that are meant to stop a server: bodies that cost much more than their size, and callers that leave."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from gitops_ml.serving import workers
from gitops_ml.serving.api_error import ApiError
from gitops_ml.serving.service import PredictionResult, Service
from unit.http_caller import CSV, JSON, Caller, encode_body, make_caller, request_rows, start_service
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
                workers.checkpoint()
        finally:
            ended.set()
        raise AssertionError

    caller = make_caller(with_timeout(project, 1, predict))
    assert caller.predict(ROW).status == 504
    assert ended.wait(1)


@pytest.mark.slow
def test_a_server_that_answers_nobody_is_not_ready(project: Project) -> None:
    """If every thread works for a caller that is gone, callers should go elsewhere until one is free."""
    free = threading.Event()

    def predict(kind: str, body: bytes) -> PredictionResult:
        free.wait(30)
        workers.checkpoint()
        raise AssertionError

    caller = make_caller(with_timeout(project, 1, predict))
    for _ in range(os.cpu_count() or 1):
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
