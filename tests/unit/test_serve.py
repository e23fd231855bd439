"""Serving: the answers of `gitops score` in every form, ready only when it is, and an end that loses nothing."""

import json
import logging
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import requests

from gitops_ml import library
from gitops_ml.manifest import seal
from unit.kinds import KINDS
from unit.sample import Project, prepare_environment, rows, start
from unit.served import Caller, asked, body_of, caller_of, digest_of, records, running, service_of, wait_until_ready

MORE = """("scaled", StandardScaler(), ["x1", "x2", "count"]), ("kind", OneHotEncoder(), ["kind"]),
    ("as it is", "passthrough", ["sure"]), ("note", SimpleImputer(add_indicator=True), ["note"])"""
FORMS = ("rows", "columns", "csv", "parquet", "arrow")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Project]]:
    """A trained project of each kind."""
    folder = tmp_path_factory.mktemp("serve")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        made = {}
        for kind, change in KINDS.items():
            made[kind] = start(folder / kind.replace(" ", "-"))
            change(made[kind])
            made[kind].must("train", "--force")
        yield made


@pytest.fixture(scope="module")
def caller(trained: dict[str, Project]) -> Caller:
    """A caller of the model of two classes."""
    return caller_of(service_of(trained["two classes"]))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_is_what_score_says(trained: dict[str, Project], tmp_path: Path, kind: str, form: str) -> None:
    """The same rows as JSON, CSV, Parquet and Arrow get the predictions that `gitops score` writes."""
    project, run = trained[kind], trained[kind].root / ".gitops" / "run"
    asked().to_parquet(tmp_path / "rows.parquet", index=False)
    project.must("score", "--run", str(run), "--digest", digest_of(run), "--rows", str(tmp_path / "rows.parquet"),
                 "--out", str(tmp_path / "out.parquet"))  # fmt: skip
    scored = pd.read_parquet(tmp_path / "out.parquet")
    said = caller_of(service_of(project)).predict(*body_of(asked(), form)).json
    assert (
        said["predictions"] == pytest.approx(scored["prediction"].tolist())
        if kind == "regression"
        else (said["predictions"] == scored["prediction"].tolist())
    )
    for label, values in said.get("probabilities", {}).items():
        assert values == pytest.approx(scored[f"probability of {label}"].tolist(), rel=1e-12)
    assert len(said.get("probabilities", {})) == {"two classes": 2, "three classes": 3, "regression": 0}[kind]


@pytest.mark.parametrize("form", FORMS)
def test_one_row_is_answered_like_many(caller: Caller, form: str) -> None:
    """A row alone, which takes a shorter way, and among others gets the same."""
    many = caller.predict(*body_of(asked(), form)).json["probabilities"]["yes"]
    alone = [caller.predict(*body_of(asked().iloc[[row]], form)).json["probabilities"]["yes"][0] for row in range(3)]
    assert alone == pytest.approx(many[:3], rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_reasons_add_up_to_what_the_model_decides_by(trained: dict[str, Project], kind: str) -> None:
    """`base`, the contributions and `others`; beside each column its value."""
    service = service_of(trained[kind])
    said = caller_of(service).predict(*body_of(asked(), "rows"), query="?explain=true").json
    added = [one["base"] + one["others"] + sum(each["contribution"] for each in one["contributions"])
             for one in said["reasons"]]  # fmt: skip
    model = service.model
    decided = model.predict(asked()) if kind == "regression" else model.decision_function(asked())
    assert added == pytest.approx(decided.max(axis=1) if decided.ndim > 1 else decided, abs=1e-12)
    assert [one["contributions"][0]["value"] for one in said["reasons"]] == asked()["x1"].tolist()
    assert {one["unit"] for one in said["reasons"]} == {"label" if kind == "regression" else "log-odds"}
    of = {"two classes": ["yes"] * 30, "three classes": said["predictions"], "regression": [None] * 30}
    assert [one["of"] for one in said["reasons"]] == of[kind]
    assert "reasons" not in caller_of(service).predict(*body_of(asked(), "rows")).json


def test_values_stand_beside_reasons_as_they_came(at_stage: Callable[[str], Project]) -> None:
    """Text, numbers, yes or no, and what is missing; the five that moved most, and the rest as a sum."""
    project = at_stage("trained")
    project.edit("src/sample/schema.py", "    label: str", "    sure: bool\n    label: str")
    project.data(rows().assign(sure=[True, False] * 250))
    project.edit("src/sample/features.py", '("scaled", StandardScaler(), COLUMNS)', MORE)
    project.edit("src/sample/features.py", "import StandardScaler",
                 "import OneHotEncoder, StandardScaler\nfrom sklearn.impute import SimpleImputer")  # fmt: skip
    project.must("train", "--force")
    row = {**records(asked(1))[0], "note": None, "sure": True}
    body = json.dumps({"rows": [row]}).encode()
    said = caller_of(service_of(project)).predict(body, query="?explain=true").json["reasons"][0]
    values = {one["column"]: one["value"] for one in said["contributions"]}
    assert len(values) == 5
    assert values == {key: row[key] for key in values}
    assert said["others"] != 0


def test_a_model_without_reasons_says_why(at_stage: Callable[[str], Project]) -> None:
    """It is not linear, or was trained before reasons were kept; its predictions are served as ever."""
    project = at_stage("trained")
    run = project.root / ".gitops" / "run"
    (run / "reasons.json").unlink()
    (run / "manifest.json").unlink()
    seal(run)
    older = service_of(project)
    project.edit("src/sample/estimator.py", "LogisticRegression(", "RandomForestClassifier(5, ")
    project.edit("src/sample/estimator.py", "linear_model import Logistic", "ensemble import RandomForestClassifier#")
    project.must("train", "--force", "--out", str(project.root / ".gitops" / "forest"))
    forest = service_of(project, project.root / ".gitops" / "forest")
    for service, why in ((older, "before reasons were kept"), (forest, "RandomForestClassifier is not linear")):
        answer = caller_of(service).predict(*body_of(asked(1), "rows"), query="?explain=true")
        assert (answer.status, answer.json["error"]["code"]) == (422, "no_reasons")
        assert why in answer.json["error"]["message"]
        assert caller_of(service).predict(*body_of(asked(1), "rows")).status == 200


def test_a_parser_of_yours_is_heard_for_one_row_too(at_stage: Callable[[str], Project]) -> None:
    """Of a column or of whole rows: training read its rows through them, so serving does, however few are asked."""
    column = (
        '    @pa.parser("x1")\n    def near(cls, values: pa.typing.Series[float]):\n        return values.clip(-1, 1)\n'
    )
    whole = (
        "    @pa.dataframe_parser\n    def near(cls, found):\n        return found.assign(x1=found.x1.clip(-1, 1))\n"
    )
    for parser in (column, whole):
        project = at_stage("trained")
        project.edit("src/sample/schema.py", "    class Config:", f"{parser}\n    class Config:")
        # A column that may be empty would be looked at all the same.
        project.edit("src/sample/schema.py", "    note: float = pa.Field(nullable=True)\n", "")
        project.data(rows().drop(columns="note"))
        project.must("train", "--force")
        asks = caller_of(service_of(project))
        row = records(asked(1).drop(columns="note"))[0]
        far, at_the_edge = ({**row, "x1": x1} for x1 in (100.0, 1.0))
        said = asks.predict_rows(far, at_the_edge).json["probabilities"]["yes"]
        assert said[0] == pytest.approx(said[1], rel=1e-12)
        shutil.rmtree(project.root)


def test_metadata_says_which_version_answers(caller: Caller, trained: dict[str, Project]) -> None:
    """Version, digest, release, lineage, metrics, columns, classes."""
    said = caller.ask("/metadata").json
    assert (said["version"], said["release"]) == ("1", "1.0.0")
    assert said["digest"] == digest_of(trained["two classes"].root / ".gitops" / "run")
    assert list(said["columns"]) == ["x1", "x2", "count", "kind", "note"]
    assert said["classes"] == ["no", "yes"]
    assert said["metrics"]["roc_auc"] > 0.5
    assert said["lineage"]["data"].startswith("sha256:")
    assert said["library"] == said["lineage"]["libraries"]["gitops-ml"] == library.version()


def test_a_model_that_changed_its_mind_is_never_ready(trained: dict[str, Project]) -> None:
    """The recorded rows are asked again first; a model that says something else answers nobody."""
    service = service_of(trained["two classes"])
    service.model.named_steps["estimator"].intercept_ += 1
    service.rehearse()
    changed = caller_of(service)
    assert changed.ask("/health/live").status == 200
    assert changed.ask("/health/ready").json["error"]["code"] == "unfit"
    assert changed.predict(*body_of(asked(1), "rows")).status == 503


def test_metrics_count_what_was_asked(trained: dict[str, Project]) -> None:
    """Requests by path and status, rows, errors, and predictions in the reference's bins, each with the version."""
    fresh = caller_of(service_of(trained["two classes"]))
    fresh.predict(*body_of(asked(30), "csv"))
    fresh.predict(b"{")
    fresh.ask("/anything")
    said = fresh.ask("/metrics").body.decode()
    assert 'gitops_requests_total{path="/predict",status="200",version="1"} 1.0' in said
    assert 'gitops_requests_total{path="/predict",status="400",version="1"} 1.0' in said
    assert 'gitops_requests_total{path="other",status="404",version="1"} 1.0' in said
    assert 'gitops_rows_total{version="1"} 30.0' in said
    assert 'gitops_errors_total{code="unreadable",version="1"} 1.0' in said
    assert 'gitops_request_seconds_count{path="/predict",version="1"} 2.0' in said
    binned = [float(line.split()[-1]) for line in said.splitlines() if line.startswith("gitops_predictions_total{")]
    assert len(binned) > 5
    assert sum(binned) == 30


def test_openapi_says_what_the_schema_says(caller: Caller, trained: dict[str, Project]) -> None:
    """Types, ranges, allowed values and what may be missing, of every column but key and target; with examples."""
    said = caller.ask("/openapi.json").json
    row = said["components"]["schemas"]["Row"]
    assert row["properties"] == {
        "x1": {"type": "number"},
        "x2": {"type": "number", "minimum": -10, "maximum": 10},
        "count": {"type": "integer", "minimum": 0},
        "kind": {"type": "string", "enum": ["a", "b", "c"]},
        "note": {"type": ["number", "null"]},
    }
    assert row["required"] == list(row["properties"])
    assert row["additionalProperties"] is False
    examples = said["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    for example in examples.values():
        assert caller.predict(json.dumps(example["value"]).encode()).status == 200


def test_the_page_for_people_needs_no_other_server(caller: Caller) -> None:
    """Scripts and styles come from the server itself, so the page also opens where nothing else can be reached."""
    page = caller.ask("/docs").body.decode()
    parts = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(parts) == 3
    assert "//" not in "".join(parts)
    assert [caller.ask(part).status for part in parts] == [200, 200, 200]


def test_a_request_keeps_its_id_if_it_is_well_formed(caller: Caller) -> None:
    """Anything else, which could end up in a log as something else, is replaced."""
    assert caller.ask("/health/live", x_request_id="a-1.b_2").headers["x-request-id"] == "a-1.b_2"
    for wrong in ("", "a b", "é", "x" * 129, "a\x1b[2J"):
        assert caller.ask("/health/live", x_request_id=wrong).headers["x-request-id"].isalnum()
    assert caller.predict(*body_of(asked(1), "rows"), x_request_id="mine").json["request_id"] == "mine"
    assert caller.predict(b"", x_request_id="mine").json["error"]["request_id"] == "mine"


def test_the_log_has_one_line_a_request_and_never_the_data(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """Id, path, status, rows and seconds, as JSON."""
    log = logging.getLogger("gitops_ml.serving")
    log.propagate = True
    with caplog.at_level(logging.INFO, "gitops_ml.serving"):
        caller.predict(*body_of(asked(2), "rows"), x_request_id="good")
        caller.predict_rows({**records(asked(1))[0], "kind": "a secret"})
    good, bad = (json.loads(record.getMessage()) for record in caplog.records)
    assert {**good, "time": "", "seconds": 0} == {
        "id": "good", "path": "/predict", "status": 200, "rows": 2, "time": "", "seconds": 0,
    }  # fmt: skip
    assert (bad["status"], bad["code"]) == (422, "rows_refused")
    assert "a secret" not in caplog.text


def test_a_file_that_was_changed_is_not_served(trained: dict[str, Project], at_stage: Callable[[str], Project]) -> None:
    """Exit code 11, before anything is opened or listens."""
    project = at_stage("trained")
    run = project.root / ".gitops" / "run"
    digest = digest_of(run)
    model = run / "model.skops"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    result = project.gitops("serve", "--run", str(run), "--digest", digest, "--port", "0")
    assert result.code == 11
    assert "model.skops was changed" in result.err


def test_a_type_that_is_not_trusted_is_not_served(at_stage: Callable[[str], Project]) -> None:
    """The digest is right, and still the repository's own list decides."""
    import skops.io
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    project = at_stage("trained")
    run = project.root / ".gitops" / "run"
    (run / "manifest.json").unlink()
    skops.io.dump(Pipeline([("estimator", FunctionTransformer(os.system))]), run / "model.skops")
    result = project.gitops("serve", "--run", str(run), "--digest", seal(run), "--port", "0")
    assert result.code == 11
    assert "types that are not allowed" in result.err


def test_what_cannot_be_served_is_a_sentence(at_stage: Callable[[str], Project]) -> None:
    """A folder without its digest, a port that is taken, a schema of another time, no champion."""
    project = at_stage("trained")
    run = str(project.root / ".gitops" / "run")
    assert project.gitops("serve", "--run", run).code == 2
    assert project.gitops("serve", "--port", "99999").code == 3
    assert "no champion in production yet" in project.gitops("serve", "--port", "0").err
    project.edit("src/sample/schema.py", "    x1: float\n", "    x1: float\n    later: float\n")
    result = project.gitops("serve", "--run", run, "--digest", digest_of(Path(run)), "--port", "0")
    assert result.code == 3
    assert "other columns than schema.py has now: later" in result.err


SLOW = '''

class Slow(LogisticRegression):
    """Takes its time for a row that asks for it."""

    def predict(self, X):
        import time

        time.sleep(3 * float(X[:, 0].max() > 500))
        return super().predict(X)
'''


@pytest.mark.slow
def test_it_answers_as_the_champion_until_it_is_ended_and_loses_nothing(at_stage: Callable[[str], Project]) -> None:
    """A real server: ready, health while it predicts, and SIGTERM under load: what was asked is answered, exit 0."""
    project = at_stage("promoted")
    project.edit("model.toml", "[gates]\n", '[serving]\ntrusted_types = ["sample.estimator.Slow"]\n\n[gates]\n')
    project.edit("src/sample/estimator.py", "LogisticRegression(random_state=seed)", "Slow(random_state=seed)")
    project.edit("src/sample/estimator.py", "\n\ndef pipeline", SLOW + "\n\ndef pipeline")
    project.edit("src/sample/features.py", '[("scaled", StandardScaler(), COLUMNS)]',
                 '[("scaled", "passthrough", COLUMNS)]')  # fmt: skip
    project.must("train", "--force")
    run = project.root / ".gitops" / "run"
    environment = {**os.environ, "GITOPS_RUN": str(run), "GITOPS_DIGEST": digest_of(run), "GITOPS_TOKEN": "t0ken"}
    with running(project, environment) as (server, address):
        wait_until_ready(address, server)
        session = requests.Session()
        session.headers = {"Authorization": "Bearer t0ken"}
        row = {**records(asked(1))[0], "x1": 1000.0}
        answers: list[int] = []

        def ask() -> None:
            said = requests.post(f"{address}/predict", json={"rows": [row]}, headers=session.headers, timeout=30)
            answers.append(said.status_code)

        askers = [threading.Thread(target=ask) for _ in range(3)]
        for asker in askers:
            asker.start()
        time.sleep(1)
        began = time.monotonic()
        assert session.get(f"{address}/health/live", timeout=60).ok
        assert time.monotonic() - began < 2
        server.send_signal(signal.SIGTERM)
        for asker in askers:
            asker.join(40)
        assert answers == [200, 200, 200]
        assert server.wait(30) == 0


@pytest.mark.slow
def test_the_champion_comes_from_the_store(at_stage: Callable[[str], Project]) -> None:
    """Without options, what the record on main names is fetched, verified and served; Ctrl-C ends it."""
    project = at_stage("promoted")
    with running(project, dict(os.environ)) as (server, address):
        wait_until_ready(address, server)
        said = requests.get(f"{address}/metadata", timeout=60).json()
        record = json.loads((project.root / "registry" / "production.json").read_text())
        assert (said["version"], said["digest"], said["release"]) == ("1", record["digest"], "1.0.0")
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
