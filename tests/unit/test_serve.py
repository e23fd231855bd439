"""Tests of `gitops serve`: predictions in every format, readiness, and a graceful shutdown."""

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
from gitops_ml.manifest import write_manifest
from unit.http_caller import (
    Caller,
    encode_body,
    make_caller,
    manifest_digest,
    request_rows,
    run_server,
    start_service,
    to_records,
    wait_until_ready,
)
from unit.sample import Project, create_project, make_rows, prepare_environment
from unit.task_variants import TASK_VARIANTS

MORE = """("scaled", StandardScaler(), ["x1", "x2", "count"]), ("kind", OneHotEncoder(), ["kind"]),
    ("as it is", "passthrough", ["sure"]), ("note", SimpleImputer(add_indicator=True), ["note"])"""
FORMS = ("rows", "columns", "csv", "parquet", "arrow")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Project]]:
    """Train and yield a project of each kind."""
    folder = tmp_path_factory.mktemp("serve")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        made = {}
        for kind, change in TASK_VARIANTS.items():
            made[kind] = create_project(folder / kind.replace(" ", "-"))
            change(made[kind])
            made[kind].must("train", "--force")
        yield made


@pytest.fixture(scope="module")
def caller(trained: dict[str, Project]) -> Caller:
    """Return a caller of the model with two classes."""
    return make_caller(start_service(trained["two classes"]))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", TASK_VARIANTS)
def test_predictions_equal_those_of_score(trained: dict[str, Project], tmp_path: Path, kind: str, form: str) -> None:
    """The same rows as JSON, CSV, Parquet and Arrow get the predictions that `gitops score` writes."""
    project, run = trained[kind], trained[kind].root / ".gitops" / "run"
    request_rows().to_parquet(tmp_path / "rows.parquet", index=False)
    project.must("score", "--run", str(run), "--digest", manifest_digest(run), "--rows", str(tmp_path / "rows.parquet"),
                 "--out", str(tmp_path / "out.parquet"))  # fmt: skip
    scored = pd.read_parquet(tmp_path / "out.parquet")
    response = make_caller(start_service(project)).predict(*encode_body(request_rows(), form)).json
    assert (
        response["predictions"] == pytest.approx(scored["prediction"].tolist())
        if kind == "regression"
        else (response["predictions"] == scored["prediction"].tolist())
    )
    for label, values in response.get("probabilities", {}).items():
        assert values == pytest.approx(scored[f"probability of {label}"].tolist(), rel=1e-12)
    assert len(response.get("probabilities", {})) == {"two classes": 2, "three classes": 3, "regression": 0}[kind]


@pytest.mark.parametrize("form", FORMS)
def test_single_row_gets_same_prediction(caller: Caller, form: str) -> None:
    """A single row is read by a faster path, and gets the same prediction as in a larger request."""
    in_batch = caller.predict(*encode_body(request_rows(), form)).json["probabilities"]["yes"]
    alone = [
        caller.predict(*encode_body(request_rows().iloc[[row]], form)).json["probabilities"]["yes"][0]
        for row in range(3)
    ]
    assert alone == pytest.approx(in_batch[:3], rel=1e-12)


@pytest.mark.parametrize("kind", TASK_VARIANTS)
def test_contributions_sum_to_decision_value(trained: dict[str, Project], kind: str) -> None:
    """`base`, the contributions and `others` sum to the decision value; each column has its value."""
    service = start_service(trained[kind])
    response = make_caller(service).predict(*encode_body(request_rows(), "rows"), query="?explain=true").json
    sums = [one["base"] + one["others"] + sum(each["contribution"] for each in one["contributions"])
             for one in response["reasons"]]  # fmt: skip
    model = service.model
    decision = model.predict(request_rows()) if kind == "regression" else model.decision_function(request_rows())
    assert sums == pytest.approx(decision.max(axis=1) if decision.ndim > 1 else decision, abs=1e-12)
    assert [one["contributions"][0]["value"] for one in response["reasons"]] == request_rows()["x1"].tolist()
    assert {one["unit"] for one in response["reasons"]} == {"label" if kind == "regression" else "log-odds"}
    classes = {"two classes": ["yes"] * 30, "three classes": response["predictions"], "regression": [None] * 30}
    assert [one["of"] for one in response["reasons"]] == classes[kind]
    assert "reasons" not in make_caller(service).predict(*encode_body(request_rows(), "rows")).json


def test_contributions_show_values_of_request(at_stage: Callable[[str], Project]) -> None:
    """Values are text, numbers, booleans or null; the five largest contributions are listed, the others summed."""
    project = at_stage("trained")
    project.edit("src/sample/schema.py", "    label: str", "    sure: bool\n    label: str")
    project.write_data(make_rows().assign(sure=[True, False] * 250))
    project.edit("src/sample/features.py", '("scaled", StandardScaler(), COLUMNS)', MORE)
    project.edit("src/sample/features.py", "import StandardScaler",
                 "import OneHotEncoder, StandardScaler\nfrom sklearn.impute import SimpleImputer")  # fmt: skip
    project.must("train", "--force")
    row = {**to_records(request_rows(1))[0], "note": None, "sure": True}
    body = json.dumps({"rows": [row]}).encode()
    explanation = make_caller(start_service(project)).predict(body, query="?explain=true").json["reasons"][0]
    values = {one["column"]: one["value"] for one in explanation["contributions"]}
    assert len(values) == 5
    assert values == {key: row[key] for key in values}
    assert explanation["others"] != 0


def test_model_without_explanations_gives_reason(at_stage: Callable[[str], Project]) -> None:
    """The model is not linear, or its run has no explanations; its predictions are served all the same."""
    project = at_stage("trained")
    run = project.root / ".gitops" / "run"
    (run / "reasons.json").unlink()
    (run / "manifest.json").unlink()
    write_manifest(run)
    older = start_service(project)
    project.edit("src/sample/estimator.py", "LogisticRegression(", "RandomForestClassifier(5, ")
    project.edit("src/sample/estimator.py", "linear_model import Logistic", "ensemble import RandomForestClassifier#")
    project.must("train", "--force", "--out", str(project.root / ".gitops" / "forest"))
    forest = start_service(project, project.root / ".gitops" / "forest")
    for service, reason in (
        (older, "trained by a release that did not store explanations"),
        (forest, "the estimator RandomForestClassifier is not linear"),
    ):
        response = make_caller(service).predict(*encode_body(request_rows(1), "rows"), query="?explain=true")
        assert (response.status, response.json["error"]["code"]) == (422, "no_reasons")
        assert reason in response.json["error"]["message"]
        assert make_caller(service).predict(*encode_body(request_rows(1), "rows")).status == 200


def test_parser_of_schema_is_used_for_single_row(at_stage: Callable[[str], Project]) -> None:
    """Parsers of columns and of whole frames are used in serving as in training, also for single rows."""
    column = (
        '    @pa.parser("x1")\n    def near(cls, values: pa.typing.Series[float]):\n        return values.clip(-1, 1)\n'
    )
    whole = (
        "    @pa.dataframe_parser\n    def near(cls, frame):\n        return frame.assign(x1=frame.x1.clip(-1, 1))\n"
    )
    for parser in (column, whole):
        project = at_stage("trained")
        project.edit("src/sample/schema.py", "    class Config:", f"{parser}\n    class Config:")
        # A nullable column would disable the fast path for single rows.
        project.edit("src/sample/schema.py", "    note: float = pa.Field(nullable=True)\n", "")
        project.write_data(make_rows().drop(columns="note"))
        project.must("train", "--force")
        caller = make_caller(start_service(project))
        row = to_records(request_rows(1).drop(columns="note"))[0]
        outside, at_limit = ({**row, "x1": x1} for x1 in (100.0, 1.0))
        probabilities = caller.predict_rows(outside, at_limit).json["probabilities"]["yes"]
        assert probabilities[0] == pytest.approx(probabilities[1], rel=1e-12)
        shutil.rmtree(project.root)


def test_metadata_describes_version(caller: Caller, trained: dict[str, Project]) -> None:
    """The metadata has version, digest, release, lineage, metrics, columns and classes."""
    metadata = caller.request("/metadata").json
    assert (metadata["version"], metadata["release"]) == ("1", "1.0.0")
    assert metadata["digest"] == manifest_digest(trained["two classes"].root / ".gitops" / "run")
    assert list(metadata["columns"]) == ["x1", "x2", "count", "kind", "note"]
    assert metadata["classes"] == ["no", "yes"]
    assert metadata["metrics"]["roc_auc"] > 0.5
    assert metadata["lineage"]["data"].startswith("sha256:")
    assert metadata["library"] == metadata["lineage"]["libraries"]["gitops-ml"] == library.version()


def test_model_with_other_predictions_is_never_ready(trained: dict[str, Project]) -> None:
    """A model that makes other predictions for the recorded rows does not become ready."""
    service = start_service(trained["two classes"])
    service.model.named_steps["estimator"].intercept_ += 1
    service.run_smoke_test()
    changed = make_caller(service)
    assert changed.request("/health/live").status == 200
    assert changed.request("/health/ready").json["error"]["code"] == "unfit"
    assert changed.predict(*encode_body(request_rows(1), "rows")).status == 503


def test_metrics_count_requests(trained: dict[str, Project]) -> None:
    """Requests, rows, errors and predictions by bin are counted, each with the version."""
    fresh = make_caller(start_service(trained["two classes"]))
    fresh.predict(*encode_body(request_rows(30), "csv"))
    fresh.predict(b"{")
    fresh.request("/anything")
    metrics = fresh.request("/metrics").body.decode()
    assert 'gitops_requests_total{path="/predict",status="200",version="1"} 1.0' in metrics
    assert 'gitops_requests_total{path="/predict",status="400",version="1"} 1.0' in metrics
    assert 'gitops_requests_total{path="other",status="404",version="1"} 1.0' in metrics
    assert 'gitops_rows_total{version="1"} 30.0' in metrics
    assert 'gitops_errors_total{code="unreadable",version="1"} 1.0' in metrics
    assert 'gitops_request_seconds_count{path="/predict",version="1"} 2.0' in metrics
    binned = [float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("gitops_predictions_total{")]
    assert len(binned) > 5
    assert sum(binned) == 30


def test_openapi_describes_schema(caller: Caller, trained: dict[str, Project]) -> None:
    """The document has types, ranges, allowed values and nullability of each feature column, and valid examples."""
    document = caller.request("/openapi.json").json
    row = document["components"]["schemas"]["Row"]
    assert row["properties"] == {
        "x1": {"type": "number"},
        "x2": {"type": "number", "minimum": -10, "maximum": 10},
        "count": {"type": "integer", "minimum": 0},
        "kind": {"type": "string", "enum": ["a", "b", "c"]},
        "note": {"type": ["number", "null"]},
    }
    assert row["required"] == list(row["properties"])
    assert row["additionalProperties"] is False
    examples = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    for example in examples.values():
        assert caller.predict(json.dumps(example["value"]).encode()).status == 200


def test_docs_page_loads_only_from_its_server(caller: Caller) -> None:
    """Scripts and styles come from the server itself, so the page opens without access to the internet."""
    page = caller.request("/docs").body.decode()
    parts = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(parts) == 3
    assert "//" not in "".join(parts)
    assert [caller.request(part).status for part in parts] == [200, 200, 200]


def test_valid_request_id_is_kept(caller: Caller) -> None:
    """An invalid request id is replaced, because it is written to the log."""
    assert caller.request("/health/live", x_request_id="a-1.b_2").headers["x-request-id"] == "a-1.b_2"
    for invalid in ("", "a b", "é", "x" * 129, "a\x1b[2J"):
        assert caller.request("/health/live", x_request_id=invalid).headers["x-request-id"].isalnum()
    assert caller.predict(*encode_body(request_rows(1), "rows"), x_request_id="own-id").json["request_id"] == "own-id"
    assert caller.predict(b"", x_request_id="own-id").json["error"]["request_id"] == "own-id"


def test_log_has_one_line_for_each_request_without_data(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """A line has id, path, status, rows and seconds as JSON."""
    log = logging.getLogger("gitops_ml.serving")
    log.propagate = True
    with caplog.at_level(logging.INFO, "gitops_ml.serving"):
        caller.predict(*encode_body(request_rows(2), "rows"), x_request_id="good")
        caller.predict_rows({**to_records(request_rows(1))[0], "kind": "a secret"})
    good, bad = (json.loads(record.getMessage()) for record in caplog.records)
    assert {**good, "time": "", "seconds": 0} == {
        "id": "good", "path": "/predict", "status": 200, "rows": 2, "time": "", "seconds": 0,
    }  # fmt: skip
    assert (bad["status"], bad["code"]) == (422, "rows_refused")
    assert "a secret" not in caplog.text


def test_changed_file_is_not_served(trained: dict[str, Project], at_stage: Callable[[str], Project]) -> None:
    """The command exits with code 11 before it opens a file or a port."""
    project = at_stage("trained")
    run = project.root / ".gitops" / "run"
    digest = manifest_digest(run)
    model = run / "model.skops"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    result = project.gitops("serve", "--run", str(run), "--digest", digest, "--port", "0")
    assert result.code == 11
    assert "model.skops was changed" in result.err


def test_untrusted_type_is_not_served(at_stage: Callable[[str], Project]) -> None:
    """A type that the repository does not trust is refused, even if the digest is right."""
    import skops.io
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    project = at_stage("trained")
    run = project.root / ".gitops" / "run"
    (run / "manifest.json").unlink()
    skops.io.dump(Pipeline([("estimator", FunctionTransformer(os.system))]), run / "model.skops")
    result = project.gitops("serve", "--run", str(run), "--digest", write_manifest(run), "--port", "0")
    assert result.code == 11
    assert "types that are not allowed" in result.err


def test_serve_errors_have_messages(at_stage: Callable[[str], Project]) -> None:
    """Errors are a folder without digest, an invalid port, a missing champion, and a changed schema."""
    project = at_stage("trained")
    run = str(project.root / ".gitops" / "run")
    assert project.gitops("serve", "--run", run).code == 2
    assert project.gitops("serve", "--port", "99999").code == 3
    assert "no champion in production" in project.gitops("serve", "--port", "0").err
    project.edit("src/sample/schema.py", "    x1: float\n", "    x1: float\n    later: float\n")
    result = project.gitops("serve", "--run", run, "--digest", manifest_digest(Path(run)), "--port", "0")
    assert result.code == 3
    assert "these columns differ: later" in result.err


SLOW = '''

class Slow(LogisticRegression):
    """Model that is slow for large values."""

    def predict(self, X):
        import time

        time.sleep(3 * float(X[:, 0].max() > 500))
        return super().predict(X)
'''


@pytest.mark.slow
def test_server_completes_requests_on_sigterm(at_stage: Callable[[str], Project]) -> None:
    """A server responds to health checks while it predicts, completes open requests on SIGTERM, and exits with 0."""
    project = at_stage("promoted")
    project.edit("model.toml", "[gates]\n", '[serving]\ntrusted_types = ["sample.estimator.Slow"]\n\n[gates]\n')
    project.edit("src/sample/estimator.py", "LogisticRegression(random_state=seed)", "Slow(random_state=seed)")
    project.edit("src/sample/estimator.py", "\n\ndef pipeline", SLOW + "\n\ndef pipeline")
    project.edit("src/sample/features.py", '[("scaled", StandardScaler(), COLUMNS)]',
                 '[("scaled", "passthrough", COLUMNS)]')  # fmt: skip
    project.must("train", "--force")
    run = project.root / ".gitops" / "run"
    environment = {**os.environ, "GITOPS_RUN": str(run), "GITOPS_DIGEST": manifest_digest(run), "GITOPS_TOKEN": "t0ken"}
    with run_server(project, environment) as (server, address):
        wait_until_ready(address, server)
        session = requests.Session()
        session.headers = {"Authorization": "Bearer t0ken"}
        row = {**to_records(request_rows(1))[0], "x1": 1000.0}
        statuses: list[int] = []

        def predict() -> None:
            response = requests.post(f"{address}/predict", json={"rows": [row]}, headers=session.headers, timeout=30)
            statuses.append(response.status_code)

        threads = [threading.Thread(target=predict) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        started = time.monotonic()
        assert session.get(f"{address}/health/live", timeout=60).ok
        assert time.monotonic() - started < 2
        server.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(40)
        assert statuses == [200, 200, 200]
        assert server.wait(30) == 0


@pytest.mark.slow
def test_champion_is_downloaded_and_served(at_stage: Callable[[str], Project]) -> None:
    """Without options the version of the record on main is downloaded, verified and served until Ctrl-C."""
    project = at_stage("promoted")
    with run_server(project, dict(os.environ)) as (server, address):
        wait_until_ready(address, server)
        metadata = requests.get(f"{address}/metadata", timeout=60).json()
        record = json.loads((project.root / "registry" / "production.json").read_text())
        assert (metadata["version"], metadata["digest"], metadata["release"]) == ("1", record["digest"], "1.0.0")
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
