"""Counters of servers: they equal the counts of training, for any split of the rows into requests or servers."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from gitops_ml import counters
from gitops_ml.bins import bin_counts, bin_labels
from gitops_ml.config import find_repository
from gitops_ml.predictions import Predictions, predict
from gitops_ml.serving.histograms import ReferenceHistograms
from gitops_ml.serving.server_metrics import ServerMetrics
from gitops_ml.serving.service import Service
from gitops_ml.training.reference import reference
from gitops_ml.training.split import holdout_mask
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
from unit.sample import Project, create_project, make_rows, prepare_environment

Bins = Counter[tuple[str, str, str]]


def bins_of(text: str) -> Bins:
    """Return the counts at /metrics by column ("" for the prediction), bin, and label of the bin."""
    counts: Bins = Counter()
    for family in text_string_to_metric_families(text):
        if family.name in {counters.FEATURES, counters.PREDICTIONS}:
            for sample in family.samples:
                key = (sample.labels.get("column", ""), sample.labels["bin"], sample.labels[counters.WITHIN])
                counts[key] = int(sample.value)
    return counts


def reference_bins(content: dict[str, Any]) -> Bins:
    """Return the counts of a reference in the same form."""
    parts = {**content["columns"], "": content["prediction"]}
    return Counter(
        {
            (name, str(index), within): number
            for name, part in parts.items()
            for index, (within, number) in enumerate(zip(bin_labels(part), bin_counts(part), strict=True))
        }
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Return the trained sample."""
    folder = tmp_path_factory.mktemp("counting")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        project = create_project(folder / "sample-repository")
        project.must("train", "--force")
        yield project


@pytest.fixture
def service(project: Project) -> Service:
    """Return the service of its model."""
    return start_service(project)


def many_kinds(number: int = 400) -> pd.DataFrame:
    """Return columns of all types that a schema may have."""
    rng = np.random.default_rng(3)
    whole = pd.Series(rng.integers(0, 9, number))
    days = pd.to_datetime("2026-01-01") + pd.to_timedelta(rng.integers(0, 5, number), unit="D")
    return pd.DataFrame({
        "number": np.where(rng.random(number) < 0.1, np.nan, rng.normal(size=number)),
        "whole": whole,
        "whole or missing": whole.astype("Int64").mask(rng.random(number) < 0.2),
        "flag": rng.random(number) < 0.3,
        "flag or missing": pd.Series(rng.random(number) < 0.3).astype("boolean").mask(rng.random(number) < 0.2),
        "kind": pd.Series(rng.choice(np.array(["a", "b", None], dtype=object), number), dtype="str"),
        "name": [f"name {row}" for row in range(number)],
        "never": np.full(number, np.nan),
        "day": days,
        "time": days + pd.to_timedelta(rng.integers(0, 2, number) * 12, unit="h"),
        "time in UTC": pd.Series(days).dt.tz_localize("UTC"),
        "mixed": pd.Series(rng.choice(np.array(["a", 1, True, None], dtype=object), number), dtype=object),
    })  # fmt: skip


PREDICTIONS = {
    "two classes": lambda rng, number: Predictions(rng.choice(["no", "yes"], number), rng.random((number, 2)),
                                                   ("no", "yes")),
    "three classes": lambda rng, number: Predictions(rng.choice(["a", "b", "c"], number), rng.random((number, 3)),
                                                     ("a", "b", "c")),
    "regression": lambda rng, number: Predictions(rng.normal(size=number), None, ()),
    "whole labels": lambda rng, number: Predictions(rng.integers(0, 2, number), None, (0, 1)),
}  # fmt: skip


@pytest.mark.parametrize("predict_rows", PREDICTIONS.values(), ids=PREDICTIONS.keys())
@pytest.mark.parametrize("part", [pytest.param(1, marks=pytest.mark.slow), 37, 400])
def test_training_rows_have_same_counts_as_in_training(
    predict_rows: Callable[[np.random.Generator, int], Predictions], part: int
) -> None:
    """Covers numbers, integers, booleans, categories, free text, dates and missing values, in parts of any size."""
    frame = many_kinds()
    predictions = predict_rows(np.random.default_rng(4), len(frame))
    described = json.loads(json.dumps(reference(frame, pd.Series(frame["number"]).fillna(0), predictions, "yes")))
    histograms = ReferenceHistograms(
        described, {str(name): str(kind) for name, kind in frame.dtypes.items()}, "yes", "1"
    )
    for first in range(0, len(frame), part):
        chosen = np.arange(first, min(first + part, len(frame)))
        histograms.add(frame.iloc[chosen], predictions.take(chosen))
    assert {name: histogram.counts.tolist() for name, histogram in histograms.columns.items()} == {
        name: bin_counts(described["columns"][name]) for name in frame
    }
    assert histograms.prediction.counts.tolist() == bin_counts(described["prediction"])


def test_values_unknown_to_training_are_counted() -> None:
    """Count a new category as "anything else", numbers beyond all edges in the outer bins, and NaN as missing."""
    frame = many_kinds()
    predictions = PREDICTIONS["regression"](np.random.default_rng(4), len(frame))
    described = reference(frame, frame["whole"], predictions, None)
    histograms = ReferenceHistograms(
        described, {str(name): str(kind) for name, kind in frame.dtypes.items()}, None, "1"
    )
    new = frame.head(3).assign(kind=pd.Series(["z", "a", None], dtype="str"), number=[1e9, np.nan, -1e9])
    histograms.add(new, predictions.take(np.arange(3)))
    kind, number = histograms.columns["kind"], histograms.columns["number"]
    assert dict(zip(kind.labels, kind.counts.tolist(), strict=True)) == {
        "= a": 1, "= b": 0, "is anything else": 1, "is missing": 1,
    }  # fmt: skip
    assert [number.counts[index] for index in (0, -2, -1)] == [1, 1, 1]


@pytest.mark.slow
def test_metrics_of_training_rows_equal_reference(project: Project, service: Service) -> None:
    """Hold for single rows and for many at once; the reference holds the predictions of the held-out rows."""
    frame = make_rows()[~holdout_mask(find_repository(project.root), make_rows())].drop(columns=["id", "label"])
    caller = make_caller(service)
    for row in to_records(frame.head(70)):
        assert caller.predict_rows(row).status == 200
    assert caller.predict(*encode_body(frame.iloc[70:], "csv")).status == 200
    counts, expected = bins_of(caller.request("/metrics").body.decode()), reference_bins(service.reference)
    columns = [key for key in expected if key[0]]
    assert {key: counts[key] for key in columns} == {key: expected[key] for key in columns}
    assert sum(number for key, number in counts.items() if not key[0]) == len(frame)
    assert predict(service.model, frame).values.size == service.reference["rows"]


def test_all_bins_exist_from_start(service: Service) -> None:
    """Export empty bins too, because a counter that appears with its first row has no rate."""
    counts = bins_of(make_caller(service).request("/metrics").body.decode())
    assert set(counts) == set(reference_bins(service.reference))
    assert set(counts.values()) == {0}


@pytest.mark.parametrize(("rows", "requests_until_due"), [(1, 64), (20, 50), (400, 3), (1000, 1)])
def test_count_is_due_after_64_requests_or_1000_rows(service: Service, rows: int, requests_until_due: int) -> None:
    """Count when either limit is reached, and then start again from zero."""
    metrics, frame = ServerMetrics(service), request_rows(1).iloc[np.zeros(rows, dtype=int)]
    predictions = predict(service.model, frame)
    is_due = [metrics.record_predictions(frame, predictions) for _ in range(2 * requests_until_due)]
    assert [number for number, due in enumerate(is_due, 1) if due] == [requests_until_due, 2 * requests_until_due]


def test_refused_rows_are_not_counted(service: Service) -> None:
    """Do not count rows that break the schema."""
    caller = make_caller(service)
    assert caller.predict_rows({**to_records(request_rows(1))[0], "kind": "z"}).status == 422
    assert sum(bins_of(caller.request("/metrics").body.decode()).values()) == 0


def test_model_that_changes_its_rows_does_not_change_counts(at_stage: Callable[[str], Project]) -> None:
    """Count the rows of the request."""
    project = at_stage("trained")
    service = start_service(project)
    original = service.model.predict_proba

    def predict_and_change(rows: pd.DataFrame) -> Any:
        probabilities = original(rows)
        rows["x1"] = 1e9
        return probabilities

    service.model.predict_proba = predict_and_change
    caller = make_caller(service)
    assert caller.predict(*encode_body(request_rows(30), "csv")).status == 200
    counts = bins_of(caller.request("/metrics").body.decode())
    assert sum(number for (column, *_), number in counts.items() if column == "x1") == 30
    assert counts["x1", "9", f"≥ {service.reference['columns']['x1']['edges'][-1]:.4g}"] < 30


@pytest.mark.slow
def test_sum_of_three_servers_equals_one_server(project: Project) -> None:
    """Send a third of the rows to each of three servers, and all rows to a fourth."""
    run = project.root / ".gitops" / "run"
    environment = {**os.environ, "GITOPS_RUN": str(run), "GITOPS_DIGEST": manifest_digest(run)}
    parts = [request_rows(90).iloc[number::3] for number in range(3)]
    with ExitStack() as stack:
        projects = [Project(_link_repository(project, number)) for number in range(4)]
        servers = [stack.enter_context(run_server(each, environment)) for each in projects]
        for server, address in servers:
            wait_until_ready(address, server)
        for (_, own_address), part in zip(servers[:3], parts, strict=True):
            for row in to_records(part):
                for address in (own_address, servers[3][1]):
                    assert requests.post(f"{address}/predict", json={"rows": [row]}, timeout=60).ok
        counts = [bins_of(requests.get(f"{address}/metrics", timeout=60).text) for _, address in servers]
    total: Bins = Counter()
    for each in counts[:3]:
        total.update(each)
    assert total == counts[3]
    assert sum(number for (column, *_), number in counts[3].items() if column == "") == 90


def _link_repository(project: Project, number: int) -> Path:
    """Return a link to the repository in its own folder, so that each server has its own output file."""
    link = project.root.parent / str(number) / "repository"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(project.root)
    return link
