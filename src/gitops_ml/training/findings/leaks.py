"""Leaks: columns that predict the target by themselves, because they are recorded after the outcome is known."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.preprocessing import label_binarize
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput

# A small tree finds any strong dependency, on numbers and on codes; a numeric target needs more leaves than labels.
# More rows would only make it slower.
LEAVES = {"classification": 8, "regression": 32}
ROWS = 50_000
MINIMUM_LEAF_ROWS = 5


class Leak(Document):
    """Score of one column as the only feature.

    Attributes:
        column: Name of the column.
        strength: Score of a small tree on the held-out rows: roc_auc (the mean over more than two classes), or r2.
    """

    column: str
    strength: float


def find_leaks(inputs: ComparisonInput) -> tuple[Leak, ...]:
    """Return all columns with their scores, the highest first.

    Args:
        inputs: Versions to compare.
    """
    target = inputs.config.data.target
    training, held_out = inputs.prepared.rows.iloc[:ROWS], inputs.prepared.held_out.iloc[:ROWS]
    if len(np.unique(held_out[target].to_numpy())) < 2 or len(np.unique(training[target].to_numpy())) < 2:
        return ()
    leaks = [
        Leak(column=str(name), strength=_measure_strength(inputs, training, held_out, name))
        for name in inputs.features.columns
    ]  # fmt: skip
    return tuple(sorted(leaks, key=lambda leak: (-leak.strength, leak.column)))


def _measure_strength(inputs: ComparisonInput, training: pd.DataFrame, held_out: pd.DataFrame, name: str) -> float:
    target = inputs.config.data.target
    training_values, held_out_values = _as_numbers(training[name], held_out[name])
    task = inputs.config.project.task
    options: dict[str, Any] = {"random_state": inputs.config.training.seed, "max_leaf_nodes": LEAVES[task],
                            "min_samples_leaf": MINIMUM_LEAF_ROWS}  # fmt: skip
    if task == "regression":
        predictions = DecisionTreeRegressor(**options).fit(training_values, training[target]).predict(held_out_values)
        return float(r2_score(held_out[target], predictions))
    tree = DecisionTreeClassifier(**options).fit(training_values, training[target])
    labels = label_binarize(held_out[target], classes=tree.classes_)
    probabilities = tree.predict_proba(held_out_values)
    labels, probabilities = (labels, probabilities) if labels.shape[1] > 1 else (labels[:, 0], probabilities[:, 1])
    if labels.ndim > 1:
        both_classes = labels.any(axis=0) & ~labels.all(axis=0)
        labels, probabilities = labels[:, both_classes], probabilities[:, both_classes]
    return float(roc_auc_score(labels, probabilities))


def _as_numbers(training: pd.Series, held_out: pd.Series) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """Return a column as numbers; text becomes its frequency rank in the training rows, and unseen text is missing."""
    if pd.api.types.is_numeric_dtype(training):
        columns = [column.to_numpy(dtype=float, na_value=np.nan) for column in (training, held_out)]
    else:
        codes = {value: code for code, value in enumerate(training.astype(str).value_counts().index)}
        columns = [
            column.astype(str).map(codes).to_numpy(dtype=float, na_value=np.nan) for column in (training, held_out)
        ]
    with np.errstate(over="ignore"):  # trees compute with half the digits
        float32 = [np.where(np.isinf(column), np.nan, column).astype(np.float32)[:, None] for column in columns]
    return float32[0], float32[1]
