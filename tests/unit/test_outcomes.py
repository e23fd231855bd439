"""Outcomes: the truth that comes later is taken from who bears the token, whole or not at all, or not acknowledged."""

import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from gitops_ml import logged
from unit.kinds import regression
from unit.logs import logging_to, read
from unit.sample import Project, prepare_environment, start
from unit.served import Answer, Caller, asked, caller_of, digest_of, records, running, service_of, wait_until_ready

GOOD = {"request_id": "a.1", "row": 0, "outcome": "yes"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Project]]:
    """The sample, trained to tell classes and to tell numbers."""
    folder = tmp_path_factory.mktemp("outcomes")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        made = {"classes": start(folder / "classes"), "numbers": start(folder / "numbers")}
        regression(made["numbers"])
        for project in made.values():
            project.must("train", "--force")
        yield made


@pytest.fixture
def sink() -> str:
    """A place of its own."""
    return f"memory://{uuid.uuid4().hex}/log"


def tell(caller: Caller, *outcomes: Any, token: str = "truth", **headers: str) -> Answer:  # noqa: S107
    """Tell outcomes, as JSON."""
    body = json.dumps({"outcomes": list(outcomes)}).encode()
    headers = {"content_type": "application/json", "authorization": f"Bearer {token}" if token else "", **headers}
    return caller.ask("/outcomes", body, "POST", stall=False, **headers)


def test_outcomes_lie_beside_the_predictions_that_they_are_about(trained: dict[str, Project], sink: str) -> None:
    """A request's id and the number of a row in it find the row again."""
    with logging_to(trained["classes"], sink) as (caller, _):
        said = caller.predict_rows(*records(asked(3))).json
        told = [{"request_id": said["request_id"], "row": row, "outcome": "no"} for row in (2, 0)]
        answer = tell(caller, *told)
        assert (answer.status, answer.json["accepted"]) == (202, 2)
    outcomes = read(sink, "outcomes")
    assert list(outcomes) == [logged.REQUEST, logged.ROW, logged.TIME, logged.OUTCOME]
    assert outcomes[logged.OUTCOME].tolist() == ["no", "no"]
    joined = read(sink).merge(outcomes, on=[logged.REQUEST, logged.ROW])
    assert joined["x1"].tolist() == [asked(3)["x1"][0], asked(3)["x1"][2]]


def test_an_outcome_of_a_model_of_numbers_is_a_number(trained: dict[str, Project], sink: str) -> None:
    """Whole ones too; no text, no yes or no, nothing that is not finite."""
    with logging_to(trained["numbers"], sink) as (caller, _):
        assert tell(caller, {**GOOD, "outcome": 3}, {**GOOD, "outcome": -1.5}).status == 202
        for wrong in ("3", True, None, 10**400):
            answer = tell(caller, {**GOOD, "outcome": 1.0}, {**GOOD, "outcome": wrong})
            assert (answer.status, answer.problems) == (422, [(2, "outcome", "must be a finite number")])
        for endless in (float("nan"), float("inf")):
            assert tell(caller, {**GOOD, "outcome": endless}).status in {400, 422}
    assert read(sink, "outcomes")[logged.OUTCOME].tolist() == [3.0, -1.5]


WRONG: dict[str, tuple[Any, tuple[str | None, str]]] = {
    "no class": ({**GOOD, "outcome": "perhaps"}, ("outcome", "must be one of no, yes")),
    "a missing outcome": ({**GOOD, "outcome": None}, ("outcome", "must be one of no, yes")),
    "a list": ({**GOOD, "outcome": ["yes"]}, ("outcome", "must be one of no, yes")),
    "a negative row": ({**GOOD, "row": -1}, ("row", "must be the number of a row in that request, from 0")),
    "a row in quotes": ({**GOOD, "row": "0"}, ("row", "must be the number of a row in that request, from 0")),
    "a row that is true": ({**GOOD, "row": True}, ("row", "must be the number of a row in that request, from 0")),
    "an enormous row": ({**GOOD, "row": 2**70}, ("row", "must be the number of a row in that request, from 0")),
    "no id": ({**GOOD, "request_id": "a b"}, ("request_id", "must be the id that /predict returned")),
    "an id of surrogates": ({**GOOD, "request_id": "\ud800"}, ("request_id", "must be the id that /predict returned")),
    "an id that is a number": ({**GOOD, "request_id": 1}, ("request_id", "must be the id that /predict returned")),
    "a field too many": ({**GOOD, "x": 1}, (None, "must have request_id, row, outcome, and nothing else")),
    "a field too few": ({"row": 0}, (None, "must have request_id, row, outcome, and nothing else")),
    "no object": (1, (None, "must have request_id, row, outcome, and nothing else")),
}


@pytest.mark.parametrize(("wrong", "problem"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_outcome_is_named_and_nothing_is_taken(
    trained: dict[str, Project], sink: str, wrong: Any, problem: tuple[str | None, str]
) -> None:
    """Its place, its field, and the rule."""
    with logging_to(trained["classes"], sink) as (caller, _):
        answer = tell(caller, GOOD, wrong)
        assert answer.status in {400, 422} if "\\ud800" in json.dumps(wrong) else answer.status == 422
        if answer.status == 422:
            assert answer.problems == [(2, *problem)]
    assert read(sink, "outcomes").empty


BODIES = {
    b"": 400, b"{": 400, b"[]": 422, b'{"outcomes": {}}': 422, b'{"outcomes": []}': 422,
    b'{"outcomes": [], "more": 1}': 422,
}  # fmt: skip


@pytest.mark.parametrize(("body", "status"), BODIES.items(), ids=[str(body) for body in BODIES])
def test_a_body_that_is_none_is_refused(trained: dict[str, Project], sink: str, body: bytes, status: int) -> None:
    """With the shape that it must have."""
    with logging_to(trained["classes"], sink) as (caller, _):
        sent = {"content_type": "application/json", "authorization": "Bearer truth"}
        assert caller.ask("/outcomes", body, "POST", stall=False, **sent).status == status
        assert caller.ask("/outcomes", body, "POST", stall=False, **{**sent, "content_type": "text/csv"}).status == 415


def test_who_does_not_bear_the_token_tells_nothing(trained: dict[str, Project], sink: str) -> None:
    """The callers' own token is not it; and where none is configured nobody may, for forged outcomes steer training."""
    with logging_to(trained["classes"], sink) as (caller, log):
        for token in ("", "wrong"):
            answer = tell(caller, GOOD, token=token)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        nobody = caller_of(service_of(trained["classes"]), "callers", None, log)
        for token in ("", "callers"):
            answer = tell(nobody, GOOD, token=token)
            assert (answer.status, answer.json["error"]["code"]) == (403, "forbidden")
            assert "nobody could tell forged ones" in answer.json["error"]["message"]
        assert caller.predict_rows(records(asked(1))[0]).status == 200
    assert read(sink, "outcomes").empty


def test_without_a_log_outcomes_have_no_place(trained: dict[str, Project]) -> None:
    """409, and where to name one."""
    answer = tell(caller_of(service_of(trained["classes"]), outcomes="truth"), GOOD)
    assert (answer.status, answer.json["error"]["code"]) == (409, "no_log")
    assert "`sink` under [log]" in answer.json["error"]["message"]


def test_what_finds_no_room_is_not_acknowledged(trained: dict[str, Project], sink: str) -> None:
    """503, and when to come again; more than could ever wait is too large."""
    settings: dict[str, Any] = {"queue_rows": 5, "batch_rows": 100, "flush_seconds": 600}
    with logging_to(trained["classes"], sink, **settings) as (caller, _):
        assert [tell(caller, *[GOOD] * 3).status for _ in range(2)] == [202, 503]
        assert tell(caller, *[GOOD] * 3).headers["retry-after"] == "600"
        assert tell(caller, *[GOOD] * 6).status == 413
    assert len(read(sink, "outcomes")) == 3


def test_the_document_says_how_to_tell(trained: dict[str, Project], sink: str) -> None:
    """With an example that is taken as it stands."""
    with logging_to(trained["classes"], sink) as (caller, _):
        said = caller.ask("/openapi.json").json
        told = said["paths"]["/outcomes"]["post"]
        example = told["requestBody"]["content"]["application/json"]["examples"]["one"]["value"]
        assert tell(caller, *example["outcomes"]).status == 202
        assert told["security"] == [{"outcomes": []}]
        assert "outcomes" in said["components"]["securitySchemes"]
        assert set(told["responses"]) >= {"202", "401", "403", "409", "422", "503"}


@pytest.mark.slow
def test_a_real_server_takes_outcomes_and_your_code_sees_no_secret(at_stage: Callable[[str], Project]) -> None:
    """Its tokens and its key are gone from the environment before your code is opened; SIGTERM loses nothing."""
    project = at_stage("trained")
    project.edit("model.toml", "[gates]\n", '[log]\nsink = "log"\nhashed = ["kind"]\n\n[gates]\n')
    seen = project.root / "seen"
    project.write("src/sample/__init__.py", f"import os\nfrom pathlib import Path\n"
                  f"Path({str(seen)!r}).write_text(' '.join(os.environ))\n")  # fmt: skip
    run = project.root / ".gitops" / "run"
    secrets = {"GITOPS_TOKEN": "a", "GITOPS_OUTCOMES_TOKEN": "b", "GITOPS_LOG_KEY": "c"}
    environment = {**os.environ, "GITOPS_RUN": str(run), "GITOPS_DIGEST": digest_of(run), **secrets}
    with running(project, environment) as (server, address):
        wait_until_ready(address, server)
        callers, truth = {"Authorization": "Bearer a"}, {"Authorization": "Bearer b"}
        body = {"rows": records(asked(2))}
        said = requests.post(f"{address}/predict", json=body, headers=callers, timeout=60).json()
        told = {"outcomes": [{"request_id": said["request_id"], "row": 1, "outcome": "yes"}]}
        assert requests.post(f"{address}/outcomes", json=told, headers=callers, timeout=60).status_code == 401
        assert requests.post(f"{address}/outcomes", json=told, headers=truth, timeout=60).status_code == 202
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    sink = str(project.root / "log")
    assert read(sink, "outcomes")[logged.ROW].tolist() == [1]
    assert read(sink)["kind"].str.fullmatch("[0-9a-f]{64}").all()
    assert not set(secrets) & set(Path(seen).read_text().split())
