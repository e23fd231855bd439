"""Invalid requests: each is refused with its own status, in one format that names row, column and rule."""

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
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from gitops_ml.serving.refused_rows import locate_problem
from gitops_ml.serving.service import Service
from unit.http_caller import (
    ARROW,
    CSV,
    JSON,
    PARQUET,
    Caller,
    encode_body,
    make_caller,
    request_rows,
    start_service,
    to_records,
)
from unit.sample import Project, create_project, make_rows, prepare_environment

ROW = to_records(request_rows(1))[0]
HEADER = "x1,x2,count,kind,note\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Return the trained sample with small limits."""
    folder = tmp_path_factory.mktemp("wrong")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        project = create_project(folder / "sample-repository")
        project.edit("model.toml", "[gates]\n",
                     "[serving]\nmax_body_mib = 1\nmax_rows = 2000\ntimeout_seconds = 120\n\n[gates]\n")  # fmt: skip
        project.must("train", "--force")
        yield project


@pytest.fixture(scope="module")
def caller(project: Project) -> Caller:
    """Return a caller of its model."""
    return make_caller(start_service(project))


def without(name: str) -> dict[str, Any]:
    """Return the row without a column."""
    return {key: value for key, value in ROW.items() if key != name}


# The rows, and the problems of the response.
BROKEN: dict[str, tuple[list[Any], list[tuple[int | None, str | None, str]]]] = {
    "unknown column": ([{**ROW, "X1": 1}], [(None, "X1", "column is not one of the model's; perhaps you meant 'x1'")]),
    "the target": ([{**ROW, "label": "yes"}], [(None, "label", "column is not one of the model's")]),
    "missing column": ([ROW, without("x1")], [(2, "x1", "column is missing")]),
    "missing column that may be empty": ([without("note")], [(None, "note", "column is missing")]),
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


@pytest.mark.parametrize(("rows", "problems"), BROKEN.values(), ids=BROKEN)
def test_rows_that_break_schema_are_named(
    caller: Caller, rows: list[Any], problems: list[tuple[int | None, str | None, str]]
) -> None:
    """Respond with 422 and the row, column and rule of each problem."""
    response = caller.predict_rows(*rows)
    assert response.status == 422
    assert response.problems == problems


def test_at_most_fifty_problems_are_listed(caller: Caller) -> None:
    """State the number of the others."""
    error = caller.predict_rows(*[{**ROW, "x2": 11}] * 80).json["error"]
    assert (len(error["problems"]), error["more"]) == (50, 30)


@pytest.mark.parametrize("form", ["columns", "csv", "parquet", "arrow"])
def test_all_formats_name_row_column_and_rule(caller: Caller, form: str) -> None:
    """List the same problems for the same rows in each format."""
    frame = request_rows(4)
    frame.loc[2, "x2"] = 11.0
    frame.loc[3, "kind"] = "z"
    assert caller.predict(*encode_body(frame, form)).problems == [
        (3, "x2", "less_than_or_equal_to(10)"), (4, "kind", "isin(['a', 'b', 'c'])"),
    ]  # fmt: skip
    assert caller.predict(*encode_body(frame.drop(columns="x1"), form)).problems == [(None, "x1", "column is missing")]
    assert caller.predict(*encode_body(frame.assign(more=1), form)).problems[0][1] == "more"


def parquet(frame: pd.DataFrame, **options: Any) -> bytes:
    """Return rows as Parquet, written with these options."""
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), out, **options)
    return out.getvalue()


def arrow(columns: dict[str, Any]) -> bytes:
    """Return a compressed Arrow stream with these columns; the others have no values."""
    rows = len(next(iter(columns.values())))
    table, out = pa.table({name: columns.get(name, pa.nulls(rows)) for name in ROW}), io.BytesIO()
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(table)
    return out.getvalue()


def test_compressed_stream_is_read(caller: Caller) -> None:
    """Accept a compressed Arrow stream whose unpacked size is within the limit."""
    columns = {name: request_rows(3)[name].to_numpy() for name in ROW}
    assert caller.predict(arrow(columns), ARROW).status == 200


def test_a_list_of_rows_or_one_row_is_a_body_too(caller: Caller) -> None:
    """As people send them; a column that every row has is a problem of the request."""
    expected = caller.predict(json.dumps({"rows": [ROW]}).encode(), JSON).json["predictions"]
    for body in ([ROW], ROW):
        assert caller.predict(json.dumps(body).encode(), JSON).json["predictions"] == expected
    refused = caller.predict(json.dumps({**ROW, "colour": 1}).encode(), JSON)
    assert [problem[:2] for problem in refused.problems] == [(None, "colour")]


GOOD = {form: encode_body(request_rows(3), form)[0] for form in ("rows", "csv", "parquet", "arrow")}
INVALID: dict[str, tuple[bytes, str, int]] = {
    "nothing": (b"", JSON, 400),
    "half of JSON": (GOOD["rows"][:40], JSON, 400),
    "not UTF-8": (b'{"rows": [{"x1": "\xff"}]}', JSON, 400),
    "NaN": (GOOD["rows"].replace(b"null", b"NaN"), JSON, 400),
    "deeply nested JSON": (b"[" * 100_000, JSON, 400),
    "half a surrogate": (b'{"rows": [{"kind": "\\ud800"}]}', JSON, 400),
    "an integer of a hundred thousand digits": (b'{"rows": [{"x1": ' + b"9" * 100_000 + b"}]}", JSON, 400),
    "infinity": (GOOD["rows"].replace(b"null", b"1e999"), JSON, 422),
    "a list": (b"[]", JSON, 422),
    "neither rows nor columns": (b"{}", JSON, 422),
    "an object without any column": (b'{"row": 1}', JSON, 422),
    "a number": (b"1", JSON, 422),
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
    "Parquet with lists": (parquet(request_rows(2).assign(x1=pd.Series([[1.0], [2.0]]))), PARQUET, 422),
    "too many rows": (encode_body(request_rows(2001), "columns")[0], JSON, 413),
    "too many rows of CSV": (encode_body(request_rows(2001), "csv")[0], CSV, 413),
    "too many rows of Parquet": (encode_body(request_rows(2001), "parquet")[0], PARQUET, 413),
    "too many rows of Arrow": (encode_body(request_rows(2001), "arrow")[0], ARROW, 413),
    "too large": (b" " * (2**20 + 1), JSON, 413),
    "Parquet that is much larger unpacked": (
        parquet(request_rows(1000).assign(kind="x" * 30_000), compression="zstd", use_dictionary=False), PARQUET, 413,
    ),
    "Parquet with an unlimited unpacked size": (parquet(request_rows(3), compression="zstd"), PARQUET, 413),
    "Parquet with one large text, a thousand times": (
        parquet(request_rows(1000).assign(kind="x" * 30_000)), PARQUET, 413,
    ),
    "Arrow that is much larger unpacked": (arrow({"kind": ["x" * 5_000_000] * 3}), ARROW, 413),
    "Arrow that has too many rows unpacked": (arrow({"x1": np.zeros(2_000_000)}), ARROW, 413),
    "Arrow with one large text, a thousand times": (
        arrow({"kind": pa.DictionaryArray.from_arrays(np.zeros(1000, dtype="int32"), ["x" * 30_000])}), ARROW, 413,
    ),
    "Arrow with texts that share their bytes": (arrow({"kind": pa.array(["a"], pa.string_view())}), ARROW, 422),
    "an unknown content type": (GOOD["rows"], "application/xml", 415),
    "no content type": (GOOD["rows"], "", 415),
}  # fmt: skip


@pytest.mark.parametrize(("body", "kind", "status"), INVALID.values(), ids=INVALID)
def test_invalid_body_is_refused(caller: Caller, body: bytes, kind: str, status: int) -> None:
    """Respond with 400, 413, 415 or 422, always in the same format."""
    response = caller.predict(body, kind)
    assert response.status == status, response.body
    assert list(response.json) == ["error"]
    assert set(response.json["error"]) == {"code", "message", "problems", "more", "request_id"}


def test_compressed_body_is_not_unpacked(caller: Caller) -> None:
    """Refuse Content-Encoding, because the unpacked body could be a thousand times larger."""
    assert caller.predict(gzip.compress(GOOD["rows"]), content_encoding="gzip").status == 415


def test_large_body_is_not_read_completely(caller: Caller) -> None:
    """Stop reading, with a Content-Length and in chunks without one."""
    declared = caller.predict([b" " * 2**16] * 100, content_length=str(2**21))
    assert (declared.status, len(caller.received)) == (413, 0)
    chunked = caller.predict([b" " * 2**16] * 100)
    assert (chunked.status, len(caller.received)) == (413, 17)


@pytest.mark.parametrize("option", ["1", "True", "yes", "", "true%0a", "x" * 1000])
def test_explain_is_true_or_false(caller: Caller, option: str) -> None:
    """Refuse other values."""
    response = caller.predict(GOOD["rows"], query=f"?explain={option}")
    assert (response.status, response.json["error"]["code"]) == (422, "unknown_option")
    assert caller.predict(GOOD["rows"], query="?explain=false").status == 200


def test_explanations_of_many_rows_are_refused(caller: Caller) -> None:
    """Explain at most a hundred rows; name rows that break the schema as usual."""
    responses = [
        caller.predict(*encode_body(request_rows(number), "csv"), query="?explain=true") for number in (100, 101)
    ]
    assert [response.status for response in responses] == [200, 413]
    assert "at most 100 rows are explained" in responses[1].json["error"]["message"]
    assert caller.predict(HEADER.encode() + b"x,1,1,a,1\n", CSV, query="?explain=true").problems == [
        (1, "x1", "must be float64")
    ]


def test_row_with_infinite_contributions_is_not_explained(project: Project) -> None:
    """Predict the row without explanations."""
    service = start_service(project)
    service.model.named_steps["estimator"].coef_ *= 10.0
    extreme = {**ROW, "x1": 1e308}
    caller = make_caller(service)
    assert caller.predict_rows(extreme).status == 200
    response = caller.predict(json.dumps({"rows": [ROW, extreme]}).encode(), query="?explain=true")
    assert (response.status, response.json["error"]["code"]) == (422, "no_reasons")
    assert response.problems == [(2, None, "the contributions of its columns are not finite")]


def service_with_short_timeout(project: Project) -> Service:
    """Return a service whose requests may take two seconds."""
    service = start_service(project)
    config = service.repository.config
    changed = config.model_copy(update={"serving": config.serving.model_copy(update={"timeout_seconds": 2})})
    return replace(service, repository=replace(service.repository, config=changed))


@pytest.mark.slow
def test_body_that_never_ends_times_out(project: Project) -> None:
    """Respond with 408 after `timeout_seconds`."""
    response = make_caller(service_with_short_timeout(project)).request(
        "/predict", [b"{"], "POST", stall=True, content_type=JSON
    )
    assert (response.status, response.json["error"]["code"]) == (408, "too_slow")


@pytest.mark.slow
def test_slow_prediction_times_out(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Respond with 504 after `timeout_seconds`, and answer the next request."""
    service = service_with_short_timeout(project)
    caller = make_caller(service)
    with monkeypatch.context() as patch:
        patch.setattr(service, "predict", lambda kind, body: time.sleep(3))
        assert caller.predict(GOOD["rows"]).status == 504
    assert caller.predict(GOOD["rows"]).status == 200


def test_token_is_required_if_set(project: Project) -> None:
    """Require it for predictions and metrics, and not for health and documentation."""
    caller = make_caller(start_service(project), "s3cret")
    for header in ("", "s3cret", "Bearer wrong", "Bearer ", "Basic s3cret", "Bearer s3crets", "Bearer é"):
        response = caller.predict(GOOD["rows"], authorization=header)
        assert response.status == 401, header
        assert response.headers["www-authenticate"] == "Bearer"
        assert caller.request("/metrics", authorization=header).status == 401
    assert caller.predict(GOOD["rows"], authorization="Bearer s3cret").status == 200
    assert caller.request("/metrics", authorization="bearer s3cret").status == 200
    for path in ("/health/live", "/health/ready", "/openapi.json"):
        assert caller.request(path).status == 200
    assert caller.request("/openapi.json").json["paths"]["/predict"]["post"]["security"] == [{"token": []}]


def test_unknown_path_or_method_has_error_format(caller: Caller) -> None:
    """Respond with 404 and the paths, or with 405 and the allowed method."""
    assert "/predict" in caller.request("/predictions").json["error"]["message"]
    response = caller.request("/predict")
    assert (response.status, response.json["error"]["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_response_of_bug_has_no_data(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Respond with 500 in the same format, with the request id that the log has too."""
    service = start_service(project)

    def fail(kind: str, body: bytes) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(service, "predict", fail)
    response = make_caller(service).predict(GOOD["rows"], x_request_id="mine")
    assert (response.status, response.json["error"]["code"]) == (500, "bug")
    assert response.json["error"]["request_id"] == "mine"
    assert b"secret" not in response.body


@pytest.mark.parametrize("error", [TypeError, KeyError, AttributeError, IndexError, ZeroDivisionError, ValueError])
def test_error_of_pipeline_is_refusal_of_row(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    """Respond with 422 if the model cannot predict a valid row; log the place of the error without the data."""
    service = start_service(project)

    def fail(rows: pd.DataFrame) -> None:
        raise error("a secret")

    monkeypatch.setattr(service.model, "predict", fail)
    logging.getLogger("gitops_ml.serving").propagate = True
    with caplog.at_level(logging.INFO, "gitops_ml.serving"):
        response = make_caller(service).predict(GOOD["rows"], x_request_id="mine")
    assert (response.status, response.json["error"]["code"]) == (422, "rows_refused")
    assert response.json["error"]["request_id"] == "mine"
    assert response.problems == [(1, None, "the model cannot predict this row, although the schema allows it")]
    (line,) = (json.loads(record.getMessage()) for record in caplog.records)
    assert (line["id"], line["failure"].split(" < ")[0].split(":")[0]) == (
        "mine", f"{error.__name__} at test_wrong_requests.py",
    )  # fmt: skip
    assert "secret" not in response.body.decode() + caplog.text


def test_error_of_server_is_no_client_error(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Respond with 500 if memory is exhausted, because other rows would fail too."""
    service = start_service(project)

    def fail(rows: pd.DataFrame) -> None:
        raise MemoryError

    monkeypatch.setattr(service.model, "predict", fail)
    assert make_caller(service).predict(GOOD["rows"]).status == 500


def test_dates_and_booleans_are_validated(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accept a date as text in ISO 8601, and a boolean as such or as 0 or 1; name each invalid value."""
    folder = tmp_path_factory.mktemp("types")
    prepare_environment(monkeypatch, folder)
    project = create_project(folder / "sample-repository")
    project.edit("src/sample/schema.py", "    label: str", "    when: pa.DateTime\n    flag: bool\n    label: str")
    project.write_data(make_rows().assign(when="2026-01-31", flag=True))
    project.must("train", "--force")
    caller = make_caller(start_service(project))
    good = {**ROW, "when": "2026-01-31", "flag": False}
    assert caller.predict_rows(good, {**good, "when": "2026-01-31T12:00:00"}, {**good, "flag": 0}).status == 200
    frame = pd.DataFrame([good] * 2).assign(when=pd.Timestamp("2026-01-31"))
    for form in ("csv", "parquet", "arrow"):
        assert caller.predict(*encode_body(frame, form)).status == 200
    row_schema = caller.request("/openapi.json").json["components"]["schemas"]["Row"]["properties"]
    assert (row_schema["when"], row_schema["flag"]) == (
        {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}"},
        {"type": "boolean"},
    )
    bad: list[dict[str, Any]] = [
        {"when": "soon"},
        {"when": 5},
        {"when": "9999-01-01"},
        {"when": "2026-01-31T00:00:00Z"},
        {"when": None},
        {"flag": "yes"},
        {"flag": 2},
        {"flag": None},
    ]
    response = caller.predict_rows(*({**good, **values} for values in bad))
    assert response.status == 422
    assert [(row, column) for row, column, _ in response.problems] == [
        (number, next(iter(values))) for number, values in enumerate(bad, 1)
    ]


CATEGORIES: dict[str, tuple[list[str | None], list[float], tuple[int | None, str | None]]] = {
    "the first of many rows": (["new", *"abc" * 30], [1.0] * 91, (1, "kind")),
    "the last of many rows": ([*"abc" * 30, "new"], [1.0] * 91, (91, "kind")),
    "one row": (["new"], [1.0], (1, "kind")),
    "two values of one row": (["a", "new"], [1.0, np.nan], (2, None)),
    "the first of two rows": (["a", "b", "new", "new"], [1.0] * 4, (3, "kind")),
}


@pytest.mark.parametrize(("kinds", "numbers", "place"), CATEGORIES.values(), ids=CATEGORIES)
def test_a_value_that_the_pipeline_refuses_is_located(
    kinds: list[str | None], numbers: list[float], place: tuple[int | None, str | None]
) -> None:
    """An encoder of categories refuses one that it was not fitted on, with an error that names no row."""
    known = pd.DataFrame({"number": [1.0, 2.0, 3.0], "kind": ["a", "b", "c"]})
    model = make_pipeline(make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough"), Ridge())
    model.fit(known, [1.0, 2.0, 3.0])
    rows = pd.DataFrame({"number": numbers, "kind": kinds})
    problem = locate_problem(model.predict, rows, {"number": 1.0, "kind": "a"})
    assert (problem.row, problem.column) == place


def test_rows_that_fail_together_only_are_not_located() -> None:
    """The message is about all of them."""

    def predict(rows: pd.DataFrame) -> None:
        if len(rows) > 1:
            raise ValueError

    problem = locate_problem(predict, pd.DataFrame({"number": [1.0, 2.0]}), {"number": 1.0})
    assert (problem.row, problem.column) == (None, None)
