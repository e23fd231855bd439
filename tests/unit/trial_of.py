"""Trials about small tables of rows whose figures can be worked out by hand."""

from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.config import Config, Split, parse
from gitops_ml.manifest import digest_json
from gitops_ml.predictions import Predictions
from gitops_ml.run import Lineage, Run
from gitops_ml.training.reference import reference
from gitops_ml.training.train import Prepared
from gitops_ml.training.trial import Scored, Trial
from unit.sample import MODEL_TOML

CLASSIFICATION = parse(MODEL_TOML)
REGRESSION = parse(
    MODEL_TOML.replace('"classification"', '"regression"')
    .replace('"roc_auc"', '"rmse"')
    .replace("roc_auc = 0.6", "rmse = 9")
    .replace('positive = "yes"', "")
)
Array = np.ndarray[Any, Any]


def lineage(data: str = "sha256:d", rows: int = 8, split: Split = CLASSIFICATION.split) -> Lineage:
    """Of a training that never was."""
    return Lineage(
        commit="c" * 40, dirty=False, data=data, rows=rows, holdout="sha256:h", holdout_rows=4, split=split,
        training="sha256:t", configuration="sha256:c", lock=None, python="3.11.7", libraries={"numpy": "2.0.0"},
    )  # fmt: skip


def labels(values: Any, probabilities: Any = None, classes: tuple[Any, ...] = ("no", "yes")) -> Predictions:
    """What a classifier says: its labels, and the probability of the last of two classes, or of every class."""
    given = None if probabilities is None else np.asarray(probabilities, dtype=float)
    if given is not None and given.ndim == 1:
        given = np.column_stack([1 - given, given])
    return Predictions(np.asarray(values), given, classes)


def numbers(values: Any) -> Predictions:
    """What a regressor says."""
    return Predictions(np.asarray(values, dtype=float), None, ())


def version(number: str, said: Predictions, rows: pd.DataFrame, data: str = "sha256:d", **changes: Any) -> Scored:
    """A version that was trained on these rows, and says this of the holdout."""
    columns = rows.drop(columns=["id", "label"])
    run = Run(
        model="sample", task="classification", created="2026-01-01", forced=False, key="id", target="label",
        columns={str(name): str(kind) for name, kind in columns.dtypes.items()}, classes=said.classes, parameters={},
        metrics={}, lineage=lineage(data, len(rows)),
    )  # fmt: skip
    described = reference(columns, rows["label"], said, "yes")
    given: dict[str, Any] = {"sketch": [1, 2], "reference": described, **changes}
    return Scored(number, digest_json(number), run, predictions=said, own_code=False, **given)


def trial(
    held_out: pd.DataFrame, ours: Scored, theirs: Scored | None = None, *, config: Config = CLASSIFICATION,
    trained: pd.DataFrame | None = None,
) -> Trial:  # fmt: skip
    """What a comparison would look at."""
    rows = held_out if trained is None else trained
    return Trial(config, Prepared(rows, held_out, rows["id"], lineage(ours.run.lineage.data)), ours, theirs)


def frame(label: Any, **columns: Any) -> pd.DataFrame:
    """Rows with keys r0, r1, ..."""
    return pd.DataFrame({"id": [f"r{n}" for n in range(len(label))], **columns, "label": label})
