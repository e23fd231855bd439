"""Reasons: what moved a prediction, exactly, for models that are linear in their transformed features.

A column contributes the sum of coefficient x (value - average value) over the features that stem from it; the average
is that of the training rows. Contributions and base value add up to what the model decides by.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gitops_ml import run
from gitops_ml.origins import origins
from gitops_ml.run import Document

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

Array = np.ndarray[Any, Any]
# How many training rows must bear out that a model is linear.
CHECKED = 1000


class NoReasons(Exception):
    """There are none, and why."""


class Basis(Document):
    """What contributions are counted from; it travels with the model.

    Attributes:
        unavailable: Why there are no reasons; empty where there are.
        unit: "log-odds" where the model turns its decision into probabilities by them; "score" for another decision;
            the target's name for a number.
        columns: What contributes.
        averages: What each of them adds for an average training row; a row for each class, or the only one.
    """

    unavailable: str = ""
    unit: str = ""
    columns: tuple[str, ...] = ()
    averages: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Reasons:
    """What moved n predictions.

    Attributes:
        unit: Of all figures.
        of: The class that each row's figures speak for: the last of two, the predicted one of more; None for a number.
        base: What an average training row would get; shape (n,).
        columns: What contributes.
        contributions: Shape (n, columns).
    """

    unit: str
    of: tuple[Any, ...]
    base: Array
    columns: tuple[str, ...]
    contributions: Array

    def largest(self, row: int, most: int) -> list[tuple[str, float]]:
        """The columns that moved a row most, either way; none that did not move it."""
        order = np.argsort(-np.abs(self.contributions[row]), kind="stable")[:most]
        return [(self.columns[place], float(self.contributions[row, place])) for place in order
                if self.contributions[row, place]]  # fmt: skip


def basis(model: "Pipeline", rows: pd.DataFrame, target: str) -> Basis:
    """Look whether a fitted pipeline is linear at its end, and average its training rows.

    Args:
        model: The pipeline.
        rows: Without the target.
        target: What it is called.
    """
    name, few = type(model.steps[-1][1]).__name__, rows.iloc[:CHECKED]
    found = _coefficients(model)
    if found is None or not _straight(model, few, *found):
        return Basis(unavailable=f"{name} is not linear")
    features = _transformed(model, rows)
    named = _origins(model, rows, features)
    columns = tuple(dict.fromkeys(named))
    middle = np.asarray(features.mean(axis=0)).reshape(1, -1)
    averages = np.vstack([middle @ weights for weights in _weights(found[0], named, columns)])
    if not np.isfinite(averages).all():
        return Basis(unavailable="not all of its coefficients are finite numbers")
    return Basis(unit=_unit(model, few, target), columns=columns, averages=averages.tolist())


def read(folder: Path) -> Basis:
    """What a version's files hold."""
    file = folder / run.REASONS
    if not file.is_file():
        return Basis(unavailable="it was trained before reasons were kept with a version")
    return Basis.model_validate(json.loads(file.read_bytes()))


def explain(model: "Pipeline", known: Basis, rows: pd.DataFrame) -> Reasons:
    """What moved the predictions of rows.

    Raises:
        NoReasons: The model is not linear, or its columns have other names today.
    """
    if known.unavailable:
        raise NoReasons(known.unavailable)
    features = _transformed(model, rows)
    named = _origins(model, rows, features)
    found = _coefficients(model)
    if found is None or tuple(dict.fromkeys(named)) != known.columns:
        raise NoReasons("its features have other names than when it was trained")
    coefficients, intercepts = found
    chosen = np.argmax(features @ coefficients.T + intercepts, axis=1)
    averages, moved = np.asarray(known.averages), np.empty((len(rows), len(known.columns)))
    for place, weights in enumerate(_weights(coefficients, named, known.columns)):
        mine = chosen == place
        moved[mine] = _dense(features[mine] @ weights) - averages[place]
    classes = tuple(np.asarray(getattr(model, "classes_", ())).tolist())
    of = [None if not classes else classes[-1] if len(intercepts) == 1 else classes[place] for place in chosen]
    return Reasons(known.unit, tuple(of), (intercepts + averages.sum(axis=1))[chosen], known.columns, moved)


def _transformed(model: "Pipeline", rows: pd.DataFrame) -> Any:
    """What the last step sees: a sparse matrix, or an array of numbers; nothing where it sees something else."""
    from scipy.sparse import csr_array, issparse

    features = model[:-1].transform(rows) if len(model.steps) > 1 else rows
    if issparse(features):
        return csr_array(features)
    try:
        return np.asarray(features, dtype=float)
    except (ValueError, TypeError):
        return np.empty((len(rows), 0))


def _coefficients(model: "Pipeline") -> tuple[Array, Array] | None:
    """Of each class, or of the only one, with the intercepts; None where the last step has none."""
    last = model.steps[-1][1]
    found, intercepts = getattr(last, "coef_", None), getattr(last, "intercept_", None)
    if found is None or intercepts is None:
        return None
    coefficients = np.atleast_2d(np.asarray(_dense(found), dtype=float))
    return coefficients, np.broadcast_to(np.asarray(intercepts, dtype=float).ravel(), len(coefficients))


def _straight(model: "Pipeline", rows: pd.DataFrame, coefficients: Array, intercepts: Array) -> bool:
    """Whether the coefficients say what the model decides by; those of a Poisson regression, for one, do not."""
    features, decided = _transformed(model, rows), _decided(model, rows)
    if decided is None or features.shape[1] != coefficients.shape[1] or decided.shape[1] != len(coefficients):
        return False
    return bool(np.allclose(decided, features @ coefficients.T + intercepts, rtol=1e-6, atol=1e-6))


def _decided(model: "Pipeline", rows: pd.DataFrame) -> Array | None:
    """What the model decides by, a column for each class, or the only one; None where it cannot say so."""
    decide = getattr(model, "decision_function" if hasattr(model, "classes_") else "predict", None)
    if decide is None:
        return None
    try:
        return np.asarray(decide(rows), dtype=float).reshape(len(rows), -1)
    except Exception:  # whatever an estimator of yours raises: it predicts all the same, and has no reasons
        return None


def _unit(model: "Pipeline", rows: pd.DataFrame, target: str) -> str:
    from scipy.special import expit, softmax

    if not hasattr(model, "classes_"):
        return target
    decided = _decided(model, rows)
    if decided is None or not hasattr(model, "predict_proba"):
        return "score"
    odds = softmax(decided, axis=1) if decided.shape[1] > 1 else np.hstack([1 - expit(decided), expit(decided)])
    return "log-odds" if np.allclose(model.predict_proba(rows), odds) else "score"


def _dense(matrix: Any) -> Any:
    return matrix.toarray() if hasattr(matrix, "toarray") else matrix


def _origins(model: "Pipeline", rows: pd.DataFrame, features: Any) -> list[str]:
    names = [str(name) for name in rows.columns]
    found = origins(model[:-1], names) if len(model.steps) > 1 else names
    if found is None or len(found) != features.shape[1]:
        return [f"feature {number}" for number in range(1, features.shape[1] + 1)]
    return found


def _weights(coefficients: Array, named: list[str], columns: tuple[str, ...]) -> list[Any]:
    """Of each class a sparse matrix that turns features into what columns add."""
    from scipy.sparse import csr_array

    place = {name: number for number, name in enumerate(columns)}
    where = (np.arange(len(named)), np.array([place[name] for name in named], dtype=int))
    return [csr_array((row, where), shape=(len(named), len(columns))) for row in coefficients]
