"""Explain predictions of linear models by the exact contribution of each column.

A model is linear if its last step is linear in the features that the earlier steps compute. The contribution of a
column is the sum of coefficient x (value - average) over the features computed from it, where the average is that of
the training rows. The base value plus all contributions is the decision value: the decision function of a classifier,
or the prediction of a regression model.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gitops_ml import run
from gitops_ml.feature_provenance import trace_features
from gitops_ml.run import Document

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

Array = np.ndarray[Any, Any]
# Number of training rows that the linearity of a model is verified with.
CHECKED_ROWS = 1000


class NotExplainable(Exception):
    """The predictions of a model cannot be explained; the message is the reason."""


class AttributionBaseline(Document):
    """Average terms of the columns, which contributions are differences from; stored with the version.

    Attributes:
        unavailable: Reason why predictions cannot be explained, as a clause with a subject; empty if they can.
        unit: "log-odds" if the probabilities are a logistic function of the decision values; "score" for other decision
            values; the target's name for regression.
        columns: Columns that contribute.
        averages: Average term of each column in the decision value over the training rows; shape (classes, columns),
            or (1, columns) for two classes and for regression.
    """

    unavailable: str = ""
    unit: str = ""
    columns: tuple[str, ...] = ()
    averages: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Explanations:
    """Contributions of columns to n predictions.

    Attributes:
        unit: Unit of the base values and contributions.
        classes: Class that positive contributions of each row favour: the second of two classes, the predicted one of
            more; None for regression.
        base: Decision value of an average training row, shape (n,).
        columns: Columns that contribute.
        contributions: Contribution of each column, shape (n, columns).
    """

    unit: str
    classes: tuple[Any, ...]
    base: Array
    columns: tuple[str, ...]
    contributions: Array

    def largest_contributions(self, row: int, limit: int) -> list[tuple[str, float]]:
        """Return the columns with the largest contributions to a row, by absolute value, without zeros.

        Args:
            row: Index of the row.
            limit: Maximum number of columns.
        """
        order = np.argsort(-np.abs(self.contributions[row]), kind="stable")[:limit]
        return [(self.columns[index], float(self.contributions[row, index])) for index in order
                if self.contributions[row, index]]  # fmt: skip


def compute_attribution_baseline(model: "Pipeline", rows: pd.DataFrame, target: str) -> AttributionBaseline:
    """Check that the last step of a fitted pipeline is linear, and compute each column's average term.

    The averages are those over the training rows.

    Args:
        model: Fitted pipeline.
        rows: Training rows, without the target.
        target: Name of the target.

    Returns:
        The average terms, or the reason why predictions cannot be explained.
    """
    name, sample = type(model.steps[-1][1]).__name__, rows.iloc[:CHECKED_ROWS]
    linear = _coefficients(model)
    if linear is None or not _is_linear(model, sample, *linear):
        return AttributionBaseline(unavailable=f"the estimator {name} is not linear")
    features = _transform(model, rows)
    sources = _sources(model, rows, features)
    columns = tuple(dict.fromkeys(sources))
    mean = np.asarray(features.mean(axis=0)).reshape(1, -1)
    averages = np.vstack([mean @ weights for weights in _weights(linear[0], sources, columns)])
    if not np.isfinite(averages).all():
        return AttributionBaseline(unavailable="the average contributions contain values that are not finite")
    return AttributionBaseline(unit=_unit(model, sample, target), columns=columns, averages=averages.tolist())


def read_attribution_baseline(folder: Path) -> AttributionBaseline:
    """Read the average terms of a version.

    Args:
        folder: Folder with the version's files.

    Returns:
        The average terms; for a version that has none, the reason why predictions cannot be explained.
    """
    file = folder / run.ATTRIBUTION_BASELINE
    if not file.is_file():
        return AttributionBaseline(unavailable="this version was trained by a release that did not store explanations")
    return AttributionBaseline.model_validate(json.loads(file.read_bytes()))


def explain(model: "Pipeline", attribution_baseline: AttributionBaseline, rows: pd.DataFrame) -> Explanations:
    """Compute the contributions of columns to the predictions of rows.

    Args:
        model: Fitted pipeline.
        attribution_baseline: Average terms of the version.
        rows: Features of n rows.

    Returns:
        The contributions to the n predictions.

    Raises:
        NotExplainable: The model is not linear, or the feature names differ from those in training.
    """
    if attribution_baseline.unavailable:
        raise NotExplainable(attribution_baseline.unavailable)
    features = _transform(model, rows)
    sources = _sources(model, rows, features)
    linear = _coefficients(model)
    if linear is None or tuple(dict.fromkeys(sources)) != attribution_baseline.columns:
        raise NotExplainable("the feature names differ from those in training")
    coefficients, intercepts = linear
    predicted = np.argmax(features @ coefficients.T + intercepts, axis=1)
    averages, contributions = (
        np.asarray(attribution_baseline.averages),
        np.empty((len(rows), len(attribution_baseline.columns))),
    )
    for index, weights in enumerate(_weights(coefficients, sources, attribution_baseline.columns)):
        mask = predicted == index
        contributions[mask] = _dense(features[mask] @ weights) - averages[index]
    labels = tuple(np.asarray(getattr(model, "classes_", ())).tolist())
    classes = tuple(
        None if not labels else labels[-1] if len(intercepts) == 1 else labels[index] for index in predicted
    )
    base = (intercepts + averages.sum(axis=1))[predicted]
    return Explanations(attribution_baseline.unit, classes, base, attribution_baseline.columns, contributions)


def _transform(model: "Pipeline", rows: pd.DataFrame) -> Any:
    """Return the inputs of the last step, sparse or dense, shape (n, features); (n, 0) if they are not numeric."""
    from scipy.sparse import csr_array, issparse

    features = model[:-1].transform(rows) if len(model.steps) > 1 else rows
    if issparse(features):
        return csr_array(features)
    try:
        return np.asarray(features, dtype=float)
    except (ValueError, TypeError):
        return np.empty((len(rows), 0))


def _coefficients(model: "Pipeline") -> tuple[Array, Array] | None:
    """Return coefficients and intercepts, one row for each class or a single row; None if the last step has none."""
    last = model.steps[-1][1]
    coef, intercepts = getattr(last, "coef_", None), getattr(last, "intercept_", None)
    if coef is None or intercepts is None:
        return None
    coefficients = np.atleast_2d(np.asarray(_dense(coef), dtype=float))
    return coefficients, np.broadcast_to(np.asarray(intercepts, dtype=float).ravel(), len(coefficients))


def _is_linear(model: "Pipeline", rows: pd.DataFrame, coefficients: Array, intercepts: Array) -> bool:
    """Return whether the decision values are linear in the features; those of a Poisson regression are not."""
    features, decisions = _transform(model, rows), _decide(model, rows)
    if decisions is None or features.shape[1] != coefficients.shape[1] or decisions.shape[1] != len(coefficients):
        return False
    return bool(np.allclose(decisions, features @ coefficients.T + intercepts, rtol=1e-6, atol=1e-6))


def _decide(model: "Pipeline", rows: pd.DataFrame) -> Array | None:
    """Return the decision values, one column for each class or a single column; None if the model has none."""
    decision_function = getattr(model, "decision_function" if hasattr(model, "classes_") else "predict", None)
    if decision_function is None:
        return None
    try:
        return np.asarray(decision_function(rows), dtype=float).reshape(len(rows), -1)
    except Exception:  # a user-defined estimator may raise any exception; its predictions cannot be explained
        return None


def _unit(model: "Pipeline", rows: pd.DataFrame, target: str) -> str:
    from scipy.special import expit, softmax

    if not hasattr(model, "classes_"):
        return target
    decisions = _decide(model, rows)
    if decisions is None or not hasattr(model, "predict_proba"):
        return "score"
    multiclass = decisions.shape[1] > 1
    logistic = softmax(decisions, axis=1) if multiclass else np.hstack([1 - expit(decisions), expit(decisions)])
    return "log-odds" if np.allclose(model.predict_proba(rows), logistic) else "score"


def _dense(matrix: Any) -> Any:
    return matrix.toarray() if hasattr(matrix, "toarray") else matrix


def _sources(model: "Pipeline", rows: pd.DataFrame, features: Any) -> list[str]:
    """Return the source column of each feature, or numbered names if they are unknown."""
    names = [str(name) for name in rows.columns]
    sources = trace_features(model[:-1], names) if len(model.steps) > 1 else names
    if sources is None or len(sources) != features.shape[1]:
        return [f"feature {number}" for number in range(1, features.shape[1] + 1)]
    return sources


def _weights(coefficients: Array, sources: list[str], columns: tuple[str, ...]) -> list[Any]:
    """Return for each class a sparse matrix that maps features to the terms of columns; shape (features, columns)."""
    from scipy.sparse import csr_array

    index = {name: number for number, name in enumerate(columns)}
    coordinates = (np.arange(len(sources)), np.array([index[name] for name in sources], dtype=int))
    return [csr_array((row, coordinates), shape=(len(sources), len(columns))) for row in coefficients]
