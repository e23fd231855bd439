"""Wrong requests: each is refused with its own status and in one shape, names row, column and rule, and is no 500."""

import gzip
import io
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gitops_ml.serving.service import Service
from unit.sample import Project, prepare_environment, rows, start
from unit.served import ARROW, CSV, JSON, PARQUET, Caller, asked, body_of, caller_of, records, service_of

ROW = records(asked(1))[0]
HEADER = "x1,x2,count,kind,note\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The sample, trained, with small limits."""
    folder = tmp_path_factory.mktemp("wrong")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        made = start(folder / "sample-repository")
        made.edit("model.toml", "[gates]\n",
                  "[serving]\nmax_body_mib = 1\nmax_rows = 2000\ntimeout_seconds = 120\n\n[gates]\n")  # fmt: skip
        made.must("train", "--force")
        yield made


@pytest.fixture(scope="module")
def caller(project: Project) -> Caller:
    """A caller of its model."""
    return caller_of(service_of(project))


def without(name: str) -> dict[str, Any]:
    """The row without a column."""
    return {key: value for key, value in ROW.items() if key != name}


# the rows, and the problems that are named
BROKEN: dict[str, tuple[list[Any], list[tuple[int | None, str | None, str]]]] = {
    "unknown column": ([{**ROW, "X1": 1}], [(1, "X1", "column is not one of the model's; perhaps you meant 'x1'")]),
    "the target": ([{**ROW, "label": "yes"}], [(1, "label", "column is not one of the model's")]),
    "missing column": ([ROW, without("x1")], [(2, "x1", "column is missing")]),
    "missing column that may be empty": ([without("note")], [(1, "note", "column is missing")]),
    "missing value": ([{**ROW, "x1": None}], [(1, "x1", "must not be missing")]),
    "missing text": ([{**ROW, "kind": None}], [(1, "kind", "must not be missing")]),
    "text in a number": ([ROW, {**ROW, "x1": "abc"}], [(2, "x1", "must be float64")]),
    "a number in quotes": ([{**ROW, "x1": "1.5"}], [(1, "x1", "must be float64")]),
    "a bool in a number": ([{**ROW, "x1": True}], [(1, "x1", "must be float64")]),
    "a number in text": ([{**ROW, "kind": 1}], [(1, "kind", "must be text")]),
    "a fraction in an integer": ([{**ROW, "count": 1.5}], [(1, "count", "must be int64")]),
    "a huge integer": ([{**ROW, "count": 10**30}], [(1, "count", "must be int64")]),
    "a list in a number": ([{**ROW, "x1": [1]}], [(1, "x1", "must be float64")]),
    "an object in text": ([{**ROW, "kind": {"a": 1}}], [(1, "kind", "must be text")]),
    "out of range": ([{**ROW, "x2": 11}], [(1, "x2", "less_than_or_equal_to(10)")]),
    "not allowed": ([{**ROW, "kind": "z"}], [(1, "kind", "isin(['a', 'b', 'c'])")]),
    "several at once": (
        [{**ROW, "x2": -11, "kind": "z"}, {**ROW, "count": -1}],
        [
            (1, "kind", "isin(['a', 'b', 'c'])"),
            (1, "x2", "greater_than_or_equal_to(-10)"),
            (2, "count", "greater_than_or_equal_to(0)"),
        ],
    ),
    "not a row": ([1], [(1, None, "a row must be an object")]),
    "no rows": ([], [(None, None, "needs at least one row")]),
}


@pytest.mark.parametrize(("given", "problems"), BROKEN.values(), ids=BROKEN)
def test_rows_that_break_the_schema_are_named(
    caller: Caller, given: list[Any], problems: list[tuple[int | None, str | None, str]]
) -> None:
    """422 with row, column and rule of everything that is wrong."""
    answer = caller.predict_rows(*given)
    assert answer.status == 422
    assert answer.problems == problems


def test_at_most_fifty_problems_are_listed(caller: Caller) -> None:
    """And the number of the others."""
    error = caller.predict_rows(*[{**ROW, "x2": 11}] * 80).json["error"]
    assert (len(error["problems"]), error["more"]) == (50, 30)


@pytest.mark.parametrize("form", ["columns", "csv", "parquet", "arrow"])
def test_every_form_names_row_column_and_rule(caller: Caller, form: str) -> None:
    """The same broken rows, the same problems."""
    frame = asked(4)
    frame.loc[2, "x2"] = 11.0
    frame.loc[3, "kind"] = "z"
    assert caller.predict(*body_of(frame, form)).problems == [
        (3, "x2", "less_than_or_equal_to(10)"), (4, "kind", "isin(['a', 'b', 'c'])"),
    ]  # fmt: skip
    assert caller.predict(*body_of(frame.drop(columns="x1"), form)).problems == [(None, "x1", "column is missing")]
    assert caller.predict(*body_of(frame.assign(more=1), form)).problems[0][1] == "more"


def parquet(frame: pd.DataFrame, **options: Any) -> bytes:
    """Rows as Parquet, written somehow."""
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), out, **options)
    return out.getvalue()


def arrow(given: dict[str, Any]) -> bytes:
    """An Arrow stream, compressed as far as it goes, with some columns as they are given and no value in the others."""
    rows = len(next(iter(given.values())))
    table, out = pa.table({name: given.get(name, pa.nulls(rows)) for name in ROW}), io.BytesIO()
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(table)
    return out.getvalue()


def test_a_compressed_stream_is_read(caller: Caller) -> None:
    """As long as it is not too large inside."""
    whole = {name: asked(3)[name].to_numpy() for name in ROW}
    assert caller.predict(arrow(whole), ARROW).status == 200


GOOD = {form: body_of(asked(3), form)[0] for form in ("rows", "csv", "parquet", "arrow")}
WRONG: dict[str, tuple[bytes, str, int]] = {
    "nothing": (b"", JSON, 400),
    "half of JSON": (GOOD["rows"][:40], JSON, 400),
    "not UTF-8": (b'{"rows": [{"x1": "\xff"}]}', JSON, 400),
    "NaN": (GOOD["rows"].replace(b"null", b"NaN"), JSON, 400),
    "JSON as deep as a well": (b"[" * 100_000, JSON, 400),
    "half a surrogate": (b'{"rows": [{"kind": "\\ud800"}]}', JSON, 400),
    "an integer of a hundred thousand digits": (b'{"rows": [{"x1": ' + b"9" * 100_000 + b"}]}", JSON, 400),
    "infinity": (GOOD["rows"].replace(b"null", b"1e999"), JSON, 422),
    "a list": (b"[]", JSON, 422),
    "neither rows nor columns": (b"{}", JSON, 422),
    "both": (b'{"rows": [], "columns": {}}', JSON, 422),
    "columns of different lengths": (
        json.dumps({"columns": {name: [value] * (2 if name == "x1" else 1) for name, value in ROW.items()}}).encode(),
        JSON, 422,
    ),
    "columns that are no lists": (json.dumps({"columns": ROW}).encode(), JSON, 422),
    "CSV with a row too long": ((HEADER + "1,1,1,a,1,9,9\n").encode(), CSV, 400),
    "CSV with a text in a number": ((HEADER + "hello,1,1,a,1\n").encode(), CSV, 422),
    "CSV with a column twice": (b"x1,x1,x2,count,kind,note\n1,1,1,1,a,1\n", CSV, 422),
    "CSV with a header alone": (HEADER.encode(), CSV, 422),
    "CSV that is not UTF-8": (HEADER.encode() + b"1,1,1,\xff,1\n", CSV, 400),
    "CSV with an open quote": ((HEADER + '1,1,1,"a,1\n').encode(), CSV, 400),
    "CSV with a zero byte": ((HEADER + "1,1,1,a\0b,1\n").encode(), CSV, 422),
    "half of Parquet": (GOOD["parquet"][:-30], PARQUET, 400),
    "Parquet that is CSV": (GOOD["csv"], PARQUET, 400),
    "half of Arrow": (GOOD["arrow"][: len(GOOD["arrow"]) // 2], ARROW, 400),
    "Arrow that is CSV": (GOOD["csv"], ARROW, 400),
    "Parquet with lists": (parquet(asked(2).assign(x1=pd.Series([[1.0], [2.0]]))), PARQUET, 422),
    "too many rows": (body_of(asked(2001), "columns")[0], JSON, 413),
    "too many rows of CSV": (body_of(asked(2001), "csv")[0], CSV, 413),
    "too many rows of Parquet": (body_of(asked(2001), "parquet")[0], PARQUET, 413),
    "too many rows of Arrow": (body_of(asked(2001), "arrow")[0], ARROW, 413),
    "too large": (b" " * (2**20 + 1), JSON, 413),
    "Parquet that is much larger inside": (
        parquet(asked(1000).assign(kind="x" * 30_000), compression="zstd", use_dictionary=False), PARQUET, 413,
    ),
    "Parquet that may be anything inside": (parquet(asked(3), compression="zstd"), PARQUET, 413),
    "Parquet with one large text, a thousand times": (parquet(asked(1000).assign(kind="x" * 30_000)), PARQUET, 413),
    "Arrow that is much larger inside": (arrow({"kind": ["x" * 5_000_000] * 3}), ARROW, 413),
    "Arrow that has too many rows inside": (arrow({"x1": np.zeros(2_000_000)}), ARROW, 413),
    "Arrow with one large text, a thousand times": (
        arrow({"kind": pa.DictionaryArray.from_arrays(np.zeros(1000, dtype="int32"), ["x" * 30_000])}), ARROW, 413,
    ),
    "Arrow with texts that share their bytes": (arrow({"kind": pa.array(["a"], pa.string_view())}), ARROW, 422),
    "an unknown content type": (GOOD["rows"], "application/xml", 415),
    "no content type": (GOOD["rows"], "", 415),
}  # fmt: skip


@pytest.mark.parametrize(("body", "kind", "status"), WRONG.values(), ids=WRONG)
def test_a_body_that_cannot_be_read_is_refused(caller: Caller, body: bytes, kind: str, status: int) -> None:
    """400, 413, 415 or 422, and always the same shape."""
    answer = caller.predict(body, kind)
    assert answer.status == status, answer.body
    assert list(answer.json) == ["error"]
    assert set(answer.json["error"]) == {"code", "message", "problems", "more", "request_id"}


def test_a_compressed_body_is_not_unpacked(caller: Caller) -> None:
    """It could be a thousand times larger inside."""
    assert caller.predict(gzip.compress(GOOD["rows"]), content_encoding="gzip").status == 415


def test_a_body_that_is_too_large_is_not_read_whole(caller: Caller) -> None:
    """Neither where the length is told, nor in chunks without one."""
    told = caller.predict([b" " * 2**16] * 100, content_length=str(2**21))
    assert (told.status, len(caller.taken)) == (413, 0)
    chunked = caller.predict([b" " * 2**16] * 100)
    assert (chunked.status, len(caller.taken)) == (413, 17)


@pytest.mark.parametrize("said", ["1", "True", "yes", "", "true%0a", "x" * 1000])
def test_explain_is_true_or_false(caller: Caller, said: str) -> None:
    """Whatever else is said there is no answer to either."""
    answer = caller.predict(GOOD["rows"], query=f"?explain={said}")
    assert (answer.status, answer.json["error"]["code"]) == (422, "unknown_option")
    assert caller.predict(GOOD["rows"], query="?explain=false").status == 200


def test_reasons_of_many_rows_are_refused(caller: Caller) -> None:
    """A hundred at once; and rows that break the schema are named as ever."""
    asks = [caller.predict(*body_of(asked(number), "csv"), query="?explain=true") for number in (100, 101)]
    assert [answer.status for answer in asks] == [200, 413]
    assert "At most 100 rows are explained" in asks[1].json["error"]["message"]
    assert caller.predict(HEADER.encode() + b"x,1,1,a,1\n", CSV, query="?explain=true").problems == [
        (1, "x1", "must be float64")
    ]


def test_a_row_so_far_out_that_its_reasons_are_no_numbers_has_none(project: Project) -> None:
    """Its prediction may still be one."""
    service = service_of(project)
    service.model.named_steps["estimator"].coef_ *= 10.0
    far = {**ROW, "x1": 1e308}
    asks = caller_of(service)
    assert asks.predict_rows(far).status == 200
    answer = asks.predict(json.dumps({"rows": [ROW, far]}).encode(), query="?explain=true")
    assert (answer.status, answer.json["error"]["code"]) == (422, "no_reasons")
    assert answer.problems == [(2, None, "what its columns add is no finite number")]


def hasty(project: Project) -> Service:
    """Its model, where a request may take two seconds."""
    service = service_of(project)
    config = service.repository.config
    short = config.model_copy(update={"serving": config.serving.model_copy(update={"timeout_seconds": 2})})
    return replace(service, repository=replace(service.repository, config=short))


@pytest.mark.slow
def test_a_body_that_never_ends_is_not_waited_for(project: Project) -> None:
    """408 after `timeout_seconds`."""
    answer = caller_of(hasty(project)).ask("/predict", [b"{"], "POST", stall=True, content_type=JSON)
    assert (answer.status, answer.json["error"]["code"]) == (408, "too_slow")


@pytest.mark.slow
def test_a_prediction_that_takes_too_long_is_given_up(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """504 after `timeout_seconds`; the next request is answered."""
    service = hasty(project)
    slow = caller_of(service)
    with monkeypatch.context() as patch:
        patch.setattr(service, "answer", lambda kind, body: time.sleep(3))
        assert slow.predict(GOOD["rows"]).status == 504
    assert slow.predict(GOOD["rows"]).status == 200


def test_a_token_is_needed_where_one_is_set(project: Project) -> None:
    """For predictions and for metrics; health and documentation are open."""
    locked = caller_of(service_of(project), "s3cret")
    for given in ("", "s3cret", "Bearer wrong", "Bearer ", "Basic s3cret", "Bearer s3crets", "Bearer é"):
        answer = locked.predict(GOOD["rows"], authorization=given)
        assert answer.status == 401, given
        assert answer.headers["www-authenticate"] == "Bearer"
        assert locked.ask("/metrics", authorization=given).status == 401
    assert locked.predict(GOOD["rows"], authorization="Bearer s3cret").status == 200
    assert locked.ask("/metrics", authorization="bearer s3cret").status == 200
    for path in ("/health/live", "/health/ready", "/openapi.json"):
        assert locked.ask(path).status == 200
    assert locked.ask("/openapi.json").json["paths"]["/predict"]["post"]["security"] == [{"token": []}]


def test_a_path_or_a_method_that_is_not_there_has_the_same_shape(caller: Caller) -> None:
    """404 names the paths, 405 what is allowed."""
    assert "/predict" in caller.ask("/predictions").json["error"]["message"]
    answer = caller.ask("/predict")
    assert (answer.status, answer.json["error"]["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


def test_a_bug_says_nothing_of_the_data(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 in the same shape, with the id under which the log says where it was."""
    service = service_of(project)

    def fail(kind: str, body: bytes) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(service, "answer", fail)
    answer = caller_of(service).predict(GOOD["rows"], x_request_id="mine")
    assert (answer.status, answer.json["error"]["code"]) == (500, "bug")
    assert answer.json["error"]["request_id"] == "mine"
    assert b"secret" not in answer.body


@pytest.mark.parametrize("error", [TypeError, KeyError, AttributeError, IndexError, ZeroDivisionError, ValueError])
def test_a_row_that_the_pipeline_trips_over_is_the_rows_fault(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    """It keeps the schema, and yours cannot answer it: 422 with the id; the log says where, and nothing of the data."""
    service = service_of(project)

    def stumble(rows: pd.DataFrame) -> None:
        raise error("a secret")

    monkeypatch.setattr(service.model, "predict", stumble)
    logging.getLogger("gitops_ml.serving").propagate = True
    with caplog.at_level(logging.INFO, "gitops_ml.serving"):
        answer = caller_of(service).predict(GOOD["rows"], x_request_id="mine")
    assert (answer.status, answer.json["error"]["code"]) == (422, "rows_refused")
    assert answer.json["error"]["request_id"] == "mine"
    assert answer.problems == [(None, None, "the model cannot answer these rows, though they keep the schema")]
    (line,) = (json.loads(record.getMessage()) for record in caplog.records)
    assert (line["id"], line["failure"].split(" < ")[0].split(":")[0]) == (
        "mine", f"{error.__name__} at test_wrong_requests.py",
    )  # fmt: skip
    assert "secret" not in answer.body.decode() + caplog.text


def test_what_is_no_fault_of_the_rows_is_none_of_the_callers(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that ran out, or a file that is gone: asking otherwise would not help, so it is no 4xx."""
    service = service_of(project)

    def fail(rows: pd.DataFrame) -> None:
        raise MemoryError

    monkeypatch.setattr(service.model, "predict", fail)
    assert caller_of(service).predict(GOOD["rows"]).status == 500


def test_dates_and_yes_or_no_have_their_types_too(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A date is text that is one, a bool is no text and no number; both are found one by one."""
    folder = tmp_path_factory.mktemp("types")
    prepare_environment(monkeypatch, folder)
    made = start(folder / "sample-repository")
    made.edit("src/sample/schema.py", "    label: str", "    when: pa.DateTime\n    sure: bool\n    label: str")
    made.data(rows().assign(when="2026-01-31", sure=True))
    made.must("train", "--force")
    asks = caller_of(service_of(made))
    good = {**ROW, "when": "2026-01-31", "sure": False}
    assert asks.predict_rows(good, {**good, "when": "2026-01-31T12:00:00"}).status == 200
    frame = pd.DataFrame([good] * 2).assign(when=pd.Timestamp("2026-01-31"))
    for form in ("csv", "parquet", "arrow"):
        assert asks.predict(*body_of(frame, form)).status == 200
    said = asks.ask("/openapi.json").json["components"]["schemas"]["Row"]["properties"]
    assert (said["when"], said["sure"]) == ({"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}"}, {"type": "boolean"})
    bad: list[dict[str, Any]] = [
        {"when": "soon"},
        {"when": 5},
        {"when": "9999-01-01"},
        {"when": "2026-01-31T00:00:00Z"},
        {"when": None},
        {"sure": "yes"},
        {"sure": 1},
        {"sure": None},
    ]
    answer = asks.predict_rows(*({**good, **one} for one in bad))
    assert answer.status == 422
    assert [(row, column) for row, column, _ in answer.problems] == [
        (number, next(iter(one))) for number, one in enumerate(bad, 1)
    ]
