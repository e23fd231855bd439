"""Predict the target from one column alone, by cross-fitting on all rows.

Each third of the rows is predicted by a fit on the other two thirds, so every row has a prediction that its own target
did not influence. This is steadier than a single score on the held-out rows, of which a small table has few.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 3
# A small tree finds any strong dependency on numbers; a numeric target needs more leaves than labels.
LEAVES = {"classification": 8, "regression": 32}
MINIMUM_LEAF_ROWS = 5
PRIOR_ROWS = 1.0
# A region of a column counts as pure if this share of its rows has one label; the region needs so many rows.
PURE, PURE_ROWS = 0.95, 10
CONFIDENT, COMMON = 0.9, 0.9
NUMBER = r"(\d+)"


@dataclass(frozen=True)
class EncodedTarget:
    """The target in the form that the columns are compared with.

    Attributes:
        task: "classification" or "regression".
        classes: Labels in the order of `codes`; empty for regression.
        codes: Index of each row's label, or the number itself; shape (n,).
        columns: One indicator of each label, or the number as one column; shape (n, classes).
        folds: Number of each row's fold; shape (n,).
    """

    task: str
    classes: tuple[Any, ...]
    codes: "NDArray[Any]"
    columns: "NDArray[Any]"
    folds: "NDArray[Any]"


@dataclass(frozen=True)
class Strength:
    """Quality of the predictions from one column alone.

    Attributes:
        score: Score: roc_auc (the mean over more than two classes), or r2.
        best: Score (roc_auc) of the label that the column separates best from all others; for regression, the score.
        label: Label whose rows the column marks best without marking others; None for regression, or without any.
        marked: Share of the rows with that label that the column marks.
    """

    score: float
    best: float
    label: Any = None
    marked: float = 0.0


def encode_target(target: pd.Series, task: str, seed: int) -> EncodedTarget:
    """Return the target with random folds, in which each label has its share.

    Args:
        target: Values of the target; shape (n,).
        task: "classification" or "regression".
        seed: Seed of the folds.
    """
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(target))
    folds = np.empty(len(target), dtype=int)
    if task == "regression":
        folds[shuffled] = np.arange(len(target)) % FOLDS
        numbers = target.to_numpy(dtype=float)
        return EncodedTarget(task, (), numbers, numbers[:, None], folds)
    classes, codes = np.unique(target.to_numpy(), return_inverse=True)
    folds[shuffled[np.argsort(codes[shuffled], kind="stable")]] = np.arange(len(target)) % FOLDS
    return EncodedTarget(task, tuple(classes), codes, np.eye(len(classes))[codes], folds)


def measure_strength(column: pd.Series, target: EncodedTarget) -> Strength:
    """Return the score of predictions from one column.

    Args:
        column: Values; shape (n,).
        target: The target of the same rows.
    """
    if pd.api.types.is_numeric_dtype(column):
        return _assess(_cross_fit_tree(as_float32(column), target), target)
    strengths = [_assess(_cross_fit_means(view, target), target) for view in views_of_text(column)]
    numbers = pd.to_numeric(column.astype(str).str.extract(NUMBER, expand=False), errors="coerce")
    if numbers.nunique() > 1:
        strengths.append(_assess(_cross_fit_tree(as_float32(numbers), target), target))
    return max(strengths, key=lambda strength: strength.best)


def views_of_text(column: pd.Series) -> "list[NDArray[Any]]":
    """Return the codes of a text column's values, and of what an identifier may encode: its beginning and its length.

    Args:
        column: Values that are not numbers; shape (n,).
    """
    text = column.astype(str)
    views: list[pd.Series] = [text, text.str[0], text.str[:3], text.str[-1], text.str.len()]
    return [np.unique(view.astype(str).to_numpy(str), return_inverse=True)[1] for view in views]


def as_float32(column: pd.Series) -> "NDArray[Any]":
    """Return a numeric column as trees read it; a missing or infinite value is NaN.

    Args:
        column: Numeric values; shape (n,).
    """
    values = column.to_numpy(dtype=float, na_value=np.nan)
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    return np.where(np.isfinite(single), single, np.float32(np.nan))


def measure_scores(predictions: "NDArray[Any]", target: EncodedTarget) -> "NDArray[Any]":
    """Return the roc_auc of each label, of the second of two, or r2 alone.

    Args:
        predictions: Probability of each label, or a number; shape (n, classes) or (n, 1).
        target: The target of the same rows.
    """
    if target.task == "regression":
        spread = float(np.square(target.codes - target.codes.mean()).sum())
        return np.array([1.0 - float(np.square(target.codes - predictions[:, 0]).sum()) / spread])
    ranks = pd.DataFrame(predictions).rank().to_numpy()
    positives = target.columns.sum(axis=0)
    areas: NDArray[Any] = (ranks * target.columns).sum(axis=0) - positives * (positives + 1) / 2
    areas /= positives * (len(ranks) - positives)
    return areas[-1:] if len(areas) == 2 else areas


def _cross_fit_tree(values: "NDArray[Any]", target: EncodedTarget) -> "NDArray[Any]":
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    estimator: Any = DecisionTreeRegressor if target.task == "regression" else DecisionTreeClassifier
    rows = values[:, None]
    predictions = np.zeros_like(target.columns, dtype=float)
    for fold in range(FOLDS):
        held = target.folds == fold
        tree = estimator(max_leaf_nodes=LEAVES[target.task], min_samples_leaf=MINIMUM_LEAF_ROWS, random_state=0)
        tree.fit(rows[~held], target.codes[~held])
        if target.task == "regression":
            predictions[held, 0] = tree.predict(rows[held])
        else:
            predictions[np.ix_(held, tree.classes_)] = tree.predict_proba(rows[held])
    return predictions


def _cross_fit_means(codes: "NDArray[Any]", target: EncodedTarget) -> "NDArray[Any]":
    """Return for each row the mean target of the other folds' rows with its code, drawn towards the mean of all."""
    predictions = np.empty_like(target.columns, dtype=float)
    for fold in range(FOLDS):
        held = target.folds == fold
        mean = target.columns[~held].mean(axis=0)
        rows = np.bincount(codes[~held], minlength=codes.max() + 1)[:, None]
        sums = np.zeros((len(rows), target.columns.shape[1]))
        np.add.at(sums, codes[~held], target.columns[~held])
        predictions[held] = ((sums + PRIOR_ROWS * mean) / (rows + PRIOR_ROWS))[codes[held]]
    return predictions


def _assess(predictions: "NDArray[Any]", target: EncodedTarget) -> Strength:
    scores = measure_scores(predictions, target)
    best: tuple[float, Any] = (0.0, None)
    for number, label in enumerate(target.classes):
        is_label = target.columns[:, number] > 0
        region = predictions[:, number] >= CONFIDENT
        if is_label.mean() <= COMMON and region.sum() >= PURE_ROWS and is_label[region].mean() >= PURE:
            best = max(best, (float(is_label[region].sum() / is_label.sum()), label), key=lambda pair: pair[0])
    return Strength(float(scores.mean()), float(scores.max()), best[1], best[0])
