"""Explanations of predictions: exact contributions of columns, for models that are linear in transformed features.

The contribution of a column is the sum of coefficient x (value - average value) over the features that are made from
it; averages are those of the training rows. The contributions and the base value add up to the model's decision value:
its decision function, or its prediction in regression.
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


class Attribution(Document):
    """Averages that contributions are measured from; a file of the version.

    Attributes:
        unavailable: Reason why predictions cannot be explained; empty if they can.
        unit: "log-odds" if the probabilities are a logistic function of the decision values; "score" for other decision
            values; the target's name for regression.
        columns: Columns that contribute.
        averages: Average of each column's part of the decision value over the training rows; one row for each class,
            or a single row.
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
        classes: Class that each row's contributions speak for: the second of two classes, the predicted one of more;
            None for regression.
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


def compute_attribution(model: "Pipeline", rows: pd.DataFrame, target: str) -> Attribution:
    """Verify that the last step of a fitted pipeline is linear, and average its training rows.

    Args:
        model: Fitted pipeline.
        rows: Training rows, without the target.
        target: Name of the target.

    Returns:
        The averages, or the reason why the predictions cannot be explained.
    """
    name, sample = type(model.steps[-1][1]).__name__, rows.iloc[:CHECKED_ROWS]
    linear = _coefficients(model)
    if linear is None or not _is_linear(model, sample, *linear):
        return Attribution(unavailable=f"{name} is not linear")
    features = _transform(model, rows)
    sources = _sources(model, rows, features)
    columns = tuple(dict.fromkeys(sources))
    mean = np.asarray(features.mean(axis=0)).reshape(1, -1)
    averages = np.vstack([mean @ weights for weights in _weights(linear[0], sources, columns)])
    if not np.isfinite(averages).all():
        return Attribution(unavailable="not all of its coefficients are finite numbers")
    return Attribution(unit=_unit(model, sample, target), columns=columns, averages=averages.tolist())


def read_attribution(folder: Path) -> Attribution:
    """Read the averages of a version.

    Args:
        folder: Folder with the version's files.

    Returns:
        The averages; for a version that was trained without them, the reason why predictions cannot be explained.
    """
    file = folder / run.ATTRIBUTION
    if not file.is_file():
        return Attribution(unavailable="it was trained before explanations were part of a version")
    return Attribution.model_validate(json.loads(file.read_bytes()))


def explain(model: "Pipeline", attribution: Attribution, rows: pd.DataFrame) -> Explanations:
    """Compute the contributions of columns to the predictions of rows.

    Args:
        model: Fitted pipeline.
        attribution: Averages of the version.
        rows: Features of n rows.

    Returns:
        The contributions to the n predictions.

    Raises:
        NotExplainable: The model is not linear, or its features have other names than in training.
    """
    if attribution.unavailable:
        raise NotExplainable(attribution.unavailable)
    features = _transform(model, rows)
    sources = _sources(model, rows, features)
    linear = _coefficients(model)
    if linear is None or tuple(dict.fromkeys(sources)) != attribution.columns:
        raise NotExplainable("its features have other names than when it was trained")
    coefficients, intercepts = linear
    predicted = np.argmax(features @ coefficients.T + intercepts, axis=1)
    averages, contributions = np.asarray(attribution.averages), np.empty((len(rows), len(attribution.columns)))
    for index, weights in enumerate(_weights(coefficients, sources, attribution.columns)):
        mask = predicted == index
        contributions[mask] = _dense(features[mask] @ weights) - averages[index]
    labels = tuple(np.asarray(getattr(model, "classes_", ())).tolist())
    classes = tuple(
        None if not labels else labels[-1] if len(intercepts) == 1 else labels[index] for index in predicted
    )
    base = (intercepts + averages.sum(axis=1))[predicted]
    return Explanations(attribution.unit, classes, base, attribution.columns, contributions)


def _transform(model: "Pipeline", rows: pd.DataFrame) -> Any:
    """Return the inputs of the last step: a sparse matrix or an array of numbers; no columns for other inputs."""
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
    """Return whether decision values are linear in the features, which those of a Poisson regression are not."""
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
    except Exception:  # your own estimator may raise any exception; its predictions cannot be explained
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
    """Return for each class a sparse matrix (features, columns) that maps features to the parts of their columns."""
    from scipy.sparse import csr_array

    index = {name: number for number, name in enumerate(columns)}
    coordinates = (np.arange(len(sources)), np.array([index[name] for name in sources], dtype=int))
    return [csr_array((row, coordinates), shape=(len(sources), len(columns))) for row in coefficients]
