"""Outcomes: accepted with the right token, whole or not at all, and only if the queue has space."""

import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from gitops_ml import prediction_log
from unit.http_caller import (
    Caller,
    Response,
    make_caller,
    manifest_digest,
    request_rows,
    run_server,
    start_service,
    to_records,
    wait_until_ready,
)
from unit.logged_service import logging_to, read
from unit.sample import Project, create_project, prepare_environment
from unit.task_variants import regression

GOOD = {"request_id": "a.1", "row": 0, "outcome": "yes"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Project]]:
    """Return the sample, trained as a classification and as a regression."""
    folder = tmp_path_factory.mktemp("outcomes")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        projects = {"classes": create_project(folder / "classes"), "numbers": create_project(folder / "numbers")}
        regression(projects["numbers"])
        for project in projects.values():
            project.must("train", "--force")
        yield projects


@pytest.fixture
def sink() -> str:
    """Return an address that no other test uses."""
    return f"memory://{uuid.uuid4().hex}/log"


def send_outcomes(caller: Caller, *outcomes: Any, token: str = "truth", **headers: str) -> Response:  # noqa: S107
    """Send outcomes as JSON."""
    body = json.dumps({"outcomes": list(outcomes)}).encode()
    headers = {"content_type": "application/json", "authorization": f"Bearer {token}" if token else "", **headers}
    return caller.request("/outcomes", body, "POST", stall=False, **headers)


def test_outcomes_can_be_joined_to_predictions(trained: dict[str, Project], sink: str) -> None:
    """Join by request id and row number."""
    with logging_to(trained["classes"], sink) as (caller, _):
        predicted = caller.predict_rows(*to_records(request_rows(3))).json
        sent = [{"request_id": predicted["request_id"], "row": row, "outcome": "no"} for row in (2, 0)]
        response = send_outcomes(caller, *sent)
        assert (response.status, response.json["accepted"]) == (202, 2)
    outcomes = read(sink, "outcomes")
    assert list(outcomes) == [prediction_log.REQUEST, prediction_log.ROW, prediction_log.TIME, prediction_log.OUTCOME]
    assert outcomes[prediction_log.OUTCOME].tolist() == ["no", "no"]
    joined = read(sink).merge(outcomes, on=[prediction_log.REQUEST, prediction_log.ROW])
    assert joined["x1"].tolist() == [request_rows(3)["x1"][0], request_rows(3)["x1"][2]]


def test_outcome_of_regression_must_be_number(trained: dict[str, Project], sink: str) -> None:
    """Accept integers and floats; refuse text, booleans and numbers that are not finite."""
    with logging_to(trained["numbers"], sink) as (caller, _):
        assert send_outcomes(caller, {**GOOD, "outcome": 3}, {**GOOD, "outcome": -1.5}).status == 202
        for wrong in ("3", True, None, 10**400):
            response = send_outcomes(caller, {**GOOD, "outcome": 1.0}, {**GOOD, "outcome": wrong})
            assert (response.status, response.problems) == (422, [(2, "outcome", "must be a finite number")])
        for infinite in (float("nan"), float("inf")):
            assert send_outcomes(caller, {**GOOD, "outcome": infinite}).status in {400, 422}
    assert read(sink, "outcomes")[prediction_log.OUTCOME].tolist() == [3.0, -1.5]


ROW_RULE = ("row", "must be the number of a row in the request to /predict; the first row is 0")
WRONG: dict[str, tuple[Any, tuple[str | None, str]]] = {
    "unknown class": ({**GOOD, "outcome": "perhaps"}, ("outcome", "must be one of no, yes")),
    "a missing outcome": ({**GOOD, "outcome": None}, ("outcome", "must be one of no, yes")),
    "a list": ({**GOOD, "outcome": ["yes"]}, ("outcome", "must be one of no, yes")),
    "a negative row": ({**GOOD, "row": -1}, ROW_RULE),
    "a row as text": ({**GOOD, "row": "0"}, ROW_RULE),
    "a boolean row": ({**GOOD, "row": True}, ROW_RULE),
    "a huge row": ({**GOOD, "row": 2**70}, ROW_RULE),
    "an invalid id": ({**GOOD, "request_id": "a b"}, ("request_id", "must be the id that /predict returned")),
    "an id of surrogates": ({**GOOD, "request_id": "\ud800"}, ("request_id", "must be the id that /predict returned")),
    "an id that is a number": ({**GOOD, "request_id": 1}, ("request_id", "must be the id that /predict returned")),
    "an additional field": ({**GOOD, "x": 1}, (None, "must have request_id, row, outcome, and nothing else")),
    "missing fields": ({"row": 0}, (None, "must have request_id, row, outcome, and nothing else")),
    "not an object": (1, (None, "must have request_id, row, outcome, and nothing else")),
}


@pytest.mark.parametrize(("wrong", "problem"), WRONG.values(), ids=WRONG.keys())
def test_invalid_outcome_is_named_and_none_is_accepted(
    trained: dict[str, Project], sink: str, wrong: Any, problem: tuple[str | None, str]
) -> None:
    """Name its position, the field and the rule."""
    with logging_to(trained["classes"], sink) as (caller, _):
        response = send_outcomes(caller, GOOD, wrong)
        assert response.status in {400, 422} if "\\ud800" in json.dumps(wrong) else response.status == 422
        if response.status == 422:
            assert response.problems == [(2, *problem)]
    assert read(sink, "outcomes").empty


def test_the_rules_that_outcomes_break_are_counted_up_to_a_limit(trained: dict[str, Project], sink: str) -> None:
    """Report the number of broken rules, or that there are more than 1,000; list the first fifty."""
    with logging_to(trained["classes"], sink) as (caller, _):
        for count, text in ((1_000, "break 1000 rule(s)"), (2_000, "break more than 1000 rule(s)")):
            response = send_outcomes(caller, *[{**GOOD, "row": -1}] * count)
            assert (response.status, len(response.problems)) == (422, 50)
            assert text in response.json["error"]["message"]


BODIES = {
    b"": 400, b"{": 400, b"[]": 422, b'{"outcomes": {}}': 422, b'{"outcomes": []}': 422,
    b'{"outcomes": [], "more": 1}': 422,
}  # fmt: skip


@pytest.mark.parametrize(("body", "status"), BODIES.items(), ids=[str(body) for body in BODIES])
def test_invalid_body_is_refused(trained: dict[str, Project], sink: str, body: bytes, status: int) -> None:
    """Refuse invalid JSON, wrong keys, no outcomes, and other content types."""
    with logging_to(trained["classes"], sink) as (caller, _):
        sent = {"content_type": "application/json", "authorization": "Bearer truth"}
        assert caller.request("/outcomes", body, "POST", stall=False, **sent).status == status
        assert (
            caller.request("/outcomes", body, "POST", stall=False, **{**sent, "content_type": "text/csv"}).status == 415
        )


def test_outcomes_need_their_own_token(trained: dict[str, Project], sink: str) -> None:
    """Refuse the callers' token; refuse all outcomes if no token is configured, because forged ones change training."""
    with logging_to(trained["classes"], sink) as (caller, log):
        for token in ("", "wrong"):
            response = send_outcomes(caller, GOOD, token=token)
            assert (response.status, response.headers["www-authenticate"]) == (401, "Bearer")
        unconfigured = make_caller(start_service(trained["classes"]), "callers", None, log)
        for token in ("", "callers"):
            response = send_outcomes(unconfigured, GOOD, token=token)
            assert (response.status, response.json["error"]["code"]) == (403, "forbidden")
            assert "GITOPS_OUTCOMES_TOKEN is not set" in response.json["error"]["message"]
        assert caller.predict_rows(to_records(request_rows(1))[0]).status == 200
    assert read(sink, "outcomes").empty


def test_outcomes_need_prediction_log(trained: dict[str, Project]) -> None:
    """Respond with 409 and the key to set."""
    response = send_outcomes(make_caller(start_service(trained["classes"]), outcomes="truth"), GOOD)
    assert (response.status, response.json["error"]["code"]) == (409, "no_log")
    assert "`sink` under [log]" in response.json["error"]["message"]


def test_outcomes_are_refused_if_queue_is_full(trained: dict[str, Project], sink: str) -> None:
    """Respond with 503 and Retry-After; with 413 if there are more outcomes than the queue holds."""
    settings: dict[str, Any] = {"queue_rows": 5, "batch_rows": 100, "flush_seconds": 600}
    with logging_to(trained["classes"], sink, **settings) as (caller, _):
        assert [send_outcomes(caller, *[GOOD] * 3).status for _ in range(2)] == [202, 503]
        assert send_outcomes(caller, *[GOOD] * 3).headers["retry-after"] == "600"
        assert send_outcomes(caller, *[GOOD] * 6).status == 413
    assert len(read(sink, "outcomes")) == 3


def test_openapi_describes_outcomes(trained: dict[str, Project], sink: str) -> None:
    """Contain an example that is accepted unchanged."""
    with logging_to(trained["classes"], sink) as (caller, _):
        document = caller.request("/openapi.json").json
        endpoint = document["paths"]["/outcomes"]["post"]
        example = endpoint["requestBody"]["content"]["application/json"]["examples"]["one"]["value"]
        assert send_outcomes(caller, *example["outcomes"]).status == 202
        assert endpoint["security"] == [{"outcomes": []}]
        assert "outcomes" in document["components"]["securitySchemes"]
        assert set(endpoint["responses"]) >= {"202", "401", "403", "409", "422", "503"}


@pytest.mark.slow
def test_server_accepts_outcomes_and_hides_secrets(at_stage: Callable[[str], Project]) -> None:
    """Remove tokens and key from the environment before user code is imported; lose nothing on SIGTERM."""
    project = at_stage("trained")
    project.edit("model.toml", "[gates]\n", '[log]\nsink = "log"\nhashed = ["kind"]\n\n[gates]\n')
    seen = project.root / "seen"
    project.write("src/sample/__init__.py", f"import os\nfrom pathlib import Path\n"
                  f"Path({str(seen)!r}).write_text(' '.join(os.environ))\n")  # fmt: skip
    run = project.root / ".gitops" / "run"
    secrets = {"GITOPS_TOKEN": "a", "GITOPS_OUTCOMES_TOKEN": "b", "GITOPS_LOG_KEY": "c"}
    environment = {**os.environ, "GITOPS_RUN": str(run), "GITOPS_DIGEST": manifest_digest(run), **secrets}
    with run_server(project, environment) as (server, address):
        wait_until_ready(address, server)
        callers, truth = {"Authorization": "Bearer a"}, {"Authorization": "Bearer b"}
        body = {"rows": to_records(request_rows(2))}
        predicted = requests.post(f"{address}/predict", json=body, headers=callers, timeout=60).json()
        sent = {"outcomes": [{"request_id": predicted["request_id"], "row": 1, "outcome": "yes"}]}
        assert requests.post(f"{address}/outcomes", json=sent, headers=callers, timeout=60).status_code == 401
        assert requests.post(f"{address}/outcomes", json=sent, headers=truth, timeout=60).status_code == 202
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    sink = str(project.root / "log")
    assert read(sink, "outcomes")[prediction_log.ROW].tolist() == [1]
    assert read(sink)["kind"].str.fullmatch("[0-9a-f]{64}").all()
    assert not set(secrets) & set(Path(seen).read_text().split())
