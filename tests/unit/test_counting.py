"""Counting: what a server counts is what training would have counted, whoever counts it, and in whatever parts."""

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
from gitops_ml.bins import bins, counted
from gitops_ml.config import find
from gitops_ml.predictions import Predictions, predict
from gitops_ml.serving.service import Service
from gitops_ml.serving.tally import Tallies
from gitops_ml.training.reference import reference
from gitops_ml.training.split import holdout_mask
from unit.sample import Project, prepare_environment, rows, start
from unit.served import asked, body_of, caller_of, digest_of, records, running, service_of, wait_until_ready

Bins = Counter[tuple[str, str, str]]


def bins_of(text: str) -> Bins:
    """The number of each bin that /metrics shows: by column ("" for the prediction), bin, and what it holds."""
    found: Bins = Counter()
    for family in text_string_to_metric_families(text):
        if family.name in {counters.FEATURES, counters.PREDICTIONS}:
            for sample in family.samples:
                place = (sample.labels.get("column", ""), sample.labels["bin"], sample.labels[counters.WITHIN])
                found[place] = int(sample.value)
    return found


def described_bins(described: dict[str, Any]) -> Bins:
    """The same of a reference."""
    parts = {**described["columns"], "": described["prediction"]}
    return Counter({(name, str(place), within): number for name, part in parts.items()
                    for place, (within, number) in enumerate(zip(bins(part), counted(part), strict=True))})  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The sample, trained."""
    folder = tmp_path_factory.mktemp("counting")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        made = start(folder / "sample-repository")
        made.must("train", "--force")
        yield made


@pytest.fixture
def service(project: Project) -> Service:
    """Its model."""
    return service_of(project)


def many_kinds(number: int = 400) -> pd.DataFrame:
    """Columns of every kind that a schema may have."""
    rng = np.random.default_rng(3)
    whole = pd.Series(rng.integers(0, 9, number))
    days = pd.to_datetime("2026-01-01") + pd.to_timedelta(rng.integers(0, 5, number), unit="D")
    return pd.DataFrame({
        "number": np.where(rng.random(number) < 0.1, np.nan, rng.normal(size=number)),
        "whole": whole,
        "whole or missing": whole.astype("Int64").mask(rng.random(number) < 0.2),
        "sure": rng.random(number) < 0.3,
        "sure or missing": pd.Series(rng.random(number) < 0.3).astype("boolean").mask(rng.random(number) < 0.2),
        "kind": pd.Series(rng.choice(np.array(["a", "b", None], dtype=object), number), dtype="str"),
        "name": [f"name {place}" for place in range(number)],
        "never": np.full(number, np.nan),
        "day": days,
        "moment": days + pd.to_timedelta(rng.integers(0, 2, number) * 12, unit="h"),
        "moment in UTC": pd.Series(days).dt.tz_localize("UTC"),
        "mixed": pd.Series(rng.choice(np.array(["a", 1, True, None], dtype=object), number), dtype=object),
    })  # fmt: skip


SAID = {
    "two classes": lambda rng, number: Predictions(rng.choice(["no", "yes"], number), rng.random((number, 2)),
                                                   ("no", "yes")),
    "three classes": lambda rng, number: Predictions(rng.choice(["a", "b", "c"], number), rng.random((number, 3)),
                                                     ("a", "b", "c")),
    "regression": lambda rng, number: Predictions(rng.normal(size=number), None, ()),
    "whole labels": lambda rng, number: Predictions(rng.integers(0, 2, number), None, (0, 1)),
}  # fmt: skip


@pytest.mark.parametrize("said", SAID.values(), ids=SAID.keys())
@pytest.mark.parametrize("part", [pytest.param(1, marks=pytest.mark.slow), 37, 400])
def test_the_training_rows_are_counted_as_training_counted_them(
    said: Callable[[np.random.Generator, int], Predictions], part: int
) -> None:
    """Numbers, whole numbers, yes or no, categories, names, dates, and what is missing; however many at once."""
    frame = many_kinds()
    predictions = said(np.random.default_rng(4), len(frame))
    described = json.loads(json.dumps(reference(frame, pd.Series(frame["number"]).fillna(0), predictions, "yes")))
    tallies = Tallies(described, {str(name): str(kind) for name, kind in frame.dtypes.items()}, "yes", "1")
    for first in range(0, len(frame), part):
        chosen = np.arange(first, min(first + part, len(frame)))
        tallies.add(frame.iloc[chosen], predictions.take(chosen))
    assert {name: tally.counts.tolist() for name, tally in tallies.columns.items()} == {
        name: counted(described["columns"][name]) for name in frame
    }
    assert tallies.prediction.counts.tolist() == counted(described["prediction"])


def test_what_training_never_saw_is_anything_else() -> None:
    """A category that was not there, and a number beyond every edge; a NaN is missing and not the largest number."""
    frame = many_kinds()
    predictions = SAID["regression"](np.random.default_rng(4), len(frame))
    described = reference(frame, frame["whole"], predictions, None)
    tallies = Tallies(described, {str(name): str(kind) for name, kind in frame.dtypes.items()}, None, "1")
    new = frame.head(3).assign(kind=pd.Series(["z", "a", None], dtype="str"), number=[1e9, np.nan, -1e9])
    tallies.add(new, predictions.take(np.arange(3)))
    kind, number = tallies.columns["kind"], tallies.columns["number"]
    assert dict(zip(kind.words, kind.counts.tolist(), strict=True)) == {
        "= a": 1, "= b": 0, "is anything else": 1, "is missing": 1,
    }  # fmt: skip
    assert [number.counts[place] for place in (0, -2, -1)] == [1, 1, 1]


@pytest.mark.slow
def test_a_server_that_is_asked_for_the_training_rows_shows_the_reference(project: Project, service: Service) -> None:
    """One by one and many at once, in every bin of every column; predictions are remembered of the held-out rows."""
    frame = rows()[~holdout_mask(find(project.root), rows())].drop(columns=["id", "label"])
    caller = caller_of(service)
    for row in records(frame.head(70)):
        assert caller.predict_rows(row).status == 200
    assert caller.predict(*body_of(frame.iloc[70:], "csv")).status == 200
    found, wanted = bins_of(caller.ask("/metrics").body.decode()), described_bins(service.reference)
    columns = [name for name in wanted if name[0]]
    assert {name: found[name] for name in columns} == {name: wanted[name] for name in columns}
    assert sum(number for name, number in found.items() if not name[0]) == len(frame)
    assert predict(service.model, frame).values.size == service.reference["rows"]


def test_every_bin_is_there_from_the_beginning(service: Service) -> None:
    """Without rows too, for a counter that appears with its first row has no rate."""
    found = bins_of(caller_of(service).ask("/metrics").body.decode())
    assert set(found) == set(described_bins(service.reference))
    assert set(found.values()) == {0}


def test_what_is_refused_is_not_counted(service: Service) -> None:
    """Rows that break the schema are no rows of production."""
    caller = caller_of(service)
    assert caller.predict_rows({**records(asked(1))[0], "kind": "z"}).status == 422
    assert sum(bins_of(caller.ask("/metrics").body.decode()).values()) == 0


def test_a_model_that_writes_into_its_rows_changes_nothing(at_stage: Callable[[str], Project]) -> None:
    """What is counted is what was asked."""
    project = at_stage("trained")
    service = service_of(project)
    inner = service.model.predict_proba

    def greedy(found: pd.DataFrame) -> Any:
        answer = inner(found)
        found["x1"] = 1e9
        return answer

    service.model.predict_proba = greedy
    caller = caller_of(service)
    assert caller.predict(*body_of(asked(30), "csv")).status == 200
    found = bins_of(caller.ask("/metrics").body.decode())
    assert sum(number for (column, *_), number in found.items() if column == "x1") == 30
    assert found["x1", "9", f"≥ {service.reference['columns']['x1']['edges'][-1]:.4g}"] < 30


@pytest.mark.slow
def test_three_servers_counters_summed_are_those_of_one(project: Project) -> None:
    """Three real servers answer a third each of what a fourth one answers alone."""
    run = project.root / ".gitops" / "run"
    environment = {**os.environ, "GITOPS_RUN": str(run), "GITOPS_DIGEST": digest_of(run)}
    parts = [asked(90).iloc[place::3] for place in range(3)]
    with ExitStack() as stack:
        places = [stack.enter_context(running(Project(_beside(project, place)), environment)) for place in range(4)]
        for server, address in places:
            wait_until_ready(address, server)
        for (_, address), part in zip(places[:3], parts, strict=True):
            for row in records(part):
                for place in (address, places[3][1]):
                    assert requests.post(f"{place}/predict", json={"rows": [row]}, timeout=60).ok
        found = [bins_of(requests.get(f"{address}/metrics", timeout=60).text) for _, address in places]
    together: Bins = Counter()
    for one in found[:3]:
        together.update(one)
    assert together == found[3]
    assert sum(number for (column, *_), number in found[3].items() if column == "") == 90


def _beside(project: Project, place: int) -> Path:
    """A folder of its own for what a server prints."""
    link = project.root.parent / str(place) / "repository"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(project.root)
    return link
