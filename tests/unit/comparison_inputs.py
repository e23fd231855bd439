"""Comparison inputs for small tables of rows, whose figures can be computed by hand."""

from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.config import Config, SplitConfig, parse_config
from gitops_ml.manifest import digest_json
from gitops_ml.predictions import Predictions
from gitops_ml.run import Lineage, Run
from gitops_ml.training.comparison_input import ComparisonInput, ScoredVersion
from gitops_ml.training.reference import reference
from gitops_ml.training.train import PreparedData
from unit.sample import MODEL_TOML

CLASSIFICATION = parse_config(MODEL_TOML)
REGRESSION = parse_config(
    MODEL_TOML.replace('"classification"', '"regression"')
    .replace('"roc_auc"', '"rmse"')
    .replace("roc_auc = 0.6", "rmse = 9")
    .replace('positive = "yes"', "")
)
Array = np.ndarray[Any, Any]


def lineage(data: str = "sha256:d", rows: int = 8, split: SplitConfig = CLASSIFICATION.split) -> Lineage:
    """A lineage of a made-up training."""
    return Lineage(
        commit="c" * 40, dirty=False, data=data, rows=rows, holdout="sha256:h", holdout_rows=4, split=split,
        training="sha256:t", configuration="sha256:c", lock=None, python="3.11.7", libraries={"numpy": "2.0.0"},
    )  # fmt: skip


def label_predictions(values: Any, probabilities: Any = None, classes: tuple[Any, ...] = ("no", "yes")) -> Predictions:
    """A classifier's predictions: labels, and the probability of the last of two classes, or of every class."""
    probabilities = None if probabilities is None else np.asarray(probabilities, dtype=float)
    if probabilities is not None and probabilities.ndim == 1:
        probabilities = np.column_stack([1 - probabilities, probabilities])
    return Predictions(np.asarray(values), probabilities, classes)


def number_predictions(values: Any) -> Predictions:
    """A regressor's predictions."""
    return Predictions(np.asarray(values, dtype=float), None, ())


def scored_version(
    number: str, predictions: Predictions, rows: pd.DataFrame, data: str = "sha256:d", **changes: Any
) -> ScoredVersion:
    """A version that was trained on the rows and has the predictions for the holdout."""
    columns = rows.drop(columns=["id", "label"])
    run = Run(
        model="sample", task="classification", created="2026-01-01", forced=False, key="id", target="label",
        columns={str(name): str(kind) for name, kind in columns.dtypes.items()}, classes=predictions.classes,
        parameters={}, metrics={}, lineage=lineage(data, len(rows)),
    )  # fmt: skip
    histograms = reference(columns, rows["label"], predictions, "yes")
    fields: dict[str, Any] = {"key_sample": [1, 2], "reference": histograms, **changes}
    return ScoredVersion(number, digest_json(number), run, predictions=predictions, own_code=False, **fields)


def comparison_input(
    held_out: pd.DataFrame, challenger: ScoredVersion, champion: ScoredVersion | None = None, *,
    config: Config = CLASSIFICATION, trained: pd.DataFrame | None = None,
) -> ComparisonInput:  # fmt: skip
    """The input of a comparison of one version, or of two."""
    rows = held_out if trained is None else trained
    return ComparisonInput(
        config, PreparedData(rows, held_out, rows["id"], lineage(challenger.run.lineage.data)), challenger, champion
    )


def frame(label: Any, **columns: Any) -> pd.DataFrame:
    """Rows with the keys r0, r1, ..."""
    return pd.DataFrame({"id": [f"r{n}" for n in range(len(label))], **columns, "label": label})
