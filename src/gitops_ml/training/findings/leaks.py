"""Columns that predict the target alone: what nobody can know beforehand is not a feature."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.preprocessing import label_binarize
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from gitops_ml.run import Document
from gitops_ml.training.trial import Trial

# A small tree finds any dependency that matters, on numbers and on codes; a number needs more steps than a label. More
# rows would only make it slower.
LEAVES = {"classification": 8, "regression": 32}
ROWS = 50_000
FEWEST_IN_A_LEAF = 5


class Leak(Document):
    """How well one column predicts the held-out target, alone.

    Attributes:
        column: Its name.
        strength: roc_auc (of several classes: their mean), or r2, of a small tree on the training rows.
    """

    column: str
    strength: float


def leaks(trial: Trial) -> tuple[Leak, ...]:
    """Every column by its strength, the strongest first."""
    target = trial.config.data.target
    fitted, judged = trial.prepared.rows.iloc[:ROWS], trial.prepared.held_out.iloc[:ROWS]
    if len(np.unique(judged[target].to_numpy())) < 2 or len(np.unique(fitted[target].to_numpy())) < 2:
        return ()
    found = [
        Leak(column=str(name), strength=_strength(trial, fitted, judged, name))
        for name in trial.inputs.columns
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda leak: (-leak.strength, leak.column)))


def _strength(trial: Trial, fitted: pd.DataFrame, judged: pd.DataFrame, name: str) -> float:
    target = trial.config.data.target
    known, asked = _numbers(fitted[name], judged[name])
    task = trial.config.project.task
    seed: dict[str, Any] = {"random_state": trial.config.training.seed, "max_leaf_nodes": LEAVES[task],
                            "min_samples_leaf": FEWEST_IN_A_LEAF}  # fmt: skip
    if task == "regression":
        said = DecisionTreeRegressor(**seed).fit(known, fitted[target]).predict(asked)
        return float(r2_score(judged[target], said))
    tree = DecisionTreeClassifier(**seed).fit(known, fitted[target])
    truth = label_binarize(judged[target], classes=tree.classes_)
    shares = tree.predict_proba(asked)
    truth, shares = (truth, shares) if truth.shape[1] > 1 else (truth[:, 0], shares[:, 1])
    if truth.ndim > 1:
        there = truth.any(axis=0) & ~truth.all(axis=0)
        truth, shares = truth[:, there], shares[:, there]
    return float(roc_auc_score(truth, shares))


def _numbers(fitted: pd.Series, judged: pd.Series) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """A column as numbers; other values by how often the training rows have them, what those lack as missing."""
    if pd.api.types.is_numeric_dtype(fitted):
        sides = [side.to_numpy(dtype=float, na_value=np.nan) for side in (fitted, judged)]
    else:
        codes = {value: code for code, value in enumerate(fitted.astype(str).value_counts().index)}
        sides = [side.astype(str).map(codes).to_numpy(dtype=float, na_value=np.nan) for side in (fitted, judged)]
    with np.errstate(over="ignore"):  # trees compute with half the digits
        small = [np.where(np.isinf(side), np.nan, side).astype(np.float32)[:, None] for side in sides]
    return small[0], small[1]
