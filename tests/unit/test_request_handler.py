"""Requests that the gate LATENCY measures take the path of the server."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.dummy import DummyClassifier

from gitops_ml.commands.request_handler import open_request_handler
from gitops_ml.config import Repository
from gitops_ml.serving.row_validator import RowValidator
from gitops_ml.user_package import UserPackage
from unit.comparison_inputs import CLASSIFICATION, frame, label_predictions, scored_version
from unit.test_findings import SCHEMA


def test_a_request_is_validated_and_predicted(tmp_path: Path, monkeypatch: Any) -> None:
    """Each of the rows is sent in turn; a row that the server refuses is not measured."""
    rows = frame(["yes", "no", "no"], x=[0.5, 1.5, 2.5], y=[1.0, 2.0, 3.0])
    features = rows[["x", "y"]]
    model: Any = DummyClassifier().fit(features, rows["label"])
    version = replace(scored_version("1", label_predictions(["no"] * 3), rows), model=model, folder=tmp_path)
    repository, package = Repository(tmp_path, CLASSIFICATION), UserPackage(SCHEMA, lambda seed: model)
    validated: list[float] = []
    read_rows = RowValidator.read_rows

    def record(self: RowValidator, *arguments: Any) -> pd.DataFrame:
        result = read_rows(self, *arguments)
        validated.append(float(result["x"].iloc[0]))
        return result

    monkeypatch.setattr(RowValidator, "read_rows", record)
    answer: Any = open_request_handler(repository, package, version, model, features)
    assert answer is not None
    assert [list(answer(number).predictions.values) for number in range(4)] == [["no"]] * 4
    assert validated[-4:] == [0.5, 1.5, 2.5, 0.5]
    refused = features.assign(x="text")
    assert open_request_handler(repository, package, version, model, refused) is None
