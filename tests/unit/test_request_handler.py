"""Requests that the gate LATENCY measures take the path of the server."""

from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa
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
    run = scored_version("1", label_predictions(["no"] * 3), rows).run
    repository, package = Repository(tmp_path, CLASSIFICATION), UserPackage(SCHEMA, lambda seed: model)
    validated: list[float] = []
    read_rows = RowValidator.read_rows

    def record(self: RowValidator, *arguments: Any) -> pd.DataFrame:
        result = read_rows(self, *arguments)
        validated.append(float(result["x"].iloc[0]))
        return result

    monkeypatch.setattr(RowValidator, "read_rows", record)
    answer: Any = open_request_handler(repository, package, run, model, tmp_path, features)
    assert answer is not None
    assert [list(answer(number).predictions.values) for number in range(4)] == [["no"]] * 4
    assert validated[-4:] == [0.5, 1.5, 2.5, 0.5]
    for refused in (features.assign(x="text"), features.assign(x=["0.5", "text", "2.5"])):
        assert open_request_handler(repository, package, run, model, tmp_path, refused) is None


def test_cells_are_read_as_model_toml_declares(tmp_path: Path) -> None:
    """An empty text is a value if `missing` does not list it: a row of the data is not refused."""
    rows = frame(["yes", "no"], x=["", "a"])
    model: Any = DummyClassifier().fit(rows[["x"]], rows["label"])
    run = scored_version("1", label_predictions(["no"] * 2), rows).run
    data = CLASSIFICATION.data.model_copy(update={"missing": ("NA",)})
    repository = Repository(tmp_path, CLASSIFICATION.model_copy(update={"data": data}))
    package = UserPackage(pa.DataFrameSchema({"x": pa.Column(str)}), lambda seed: model)
    assert open_request_handler(repository, package, run, model, tmp_path, rows[["x"]]) is not None
