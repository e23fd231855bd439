"""Slices on which the challenger loses: those that model.toml declares, those that the values of a column make, and
those that a shallow tree finds where the two models differ.

The tree looks at one half of the holdout and its slices are judged on the other, and the reverse: what is found by
looking at rows is true of those rows by chance (cross-fitting: V. Chernozhukov et al., "Double/debiased machine
learning", Econometrics Journal, 2018). Every slice's interval is widened for the number of slices (Bonferroni).
"""

import hashlib
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t
from sklearn.tree import DecisionTreeRegressor

from gitops_ml.errors import ConfigError
from gitops_ml.predictions import Predictions
from gitops_ml.run import Document
from gitops_ml.training.slices import Mask, few_values, parts
from gitops_ml.training.trial import Trial

WORST = 5


class Loss(Document):
    """How much worse than the champion the challenger is on a slice.

    Attributes:
        name: The condition that its rows meet.
        rows: How many were judged.
        loss: How much a row loses on average: between 0 and 1 for labels, in standard deviations for numbers.
        low: Lower end of its interval, widened for the number of slices.
        high: Upper end.
    """

    name: str
    rows: int
    loss: float
    low: float
    high: float


class Losses(Document):
    """All slices.

    Attributes:
        measured: How many.
        worst: Those whose loss is surest, at most five.
    """

    measured: int
    worst: tuple[Loss, ...]


def losses(trial: Trial) -> Losses | None:
    """Judge every slice; None where there is no champion, or one of the two says what is no number.

    Raises:
        ConfigError: A declared slice is no condition on the columns.
    """
    declared = _declared(trial)
    champion, rules = trial.champion, trial.config.gates
    if champion is None or trial.challenger.predictions.not_finite or champion.predictions.not_finite:
        return None
    lost = _row_loss(trial, trial.challenger.predictions) - _row_loss(trial, champion.predictions)
    masks = {**declared, **_by_column(trial), **_by_tree(trial, lost)}
    large = {name: mask for name, mask in masks.items() if rules.slices.minimum_rows <= mask.sum() < len(lost)}
    level = 1 - (1 - rules.confidence) / max(1, len(large))
    found = [_loss(name, lost[mask], level) for name, mask in large.items()]
    worst = sorted(found, key=lambda each: (-each.low, each.name))[:WORST]
    return Losses(measured=len(found), worst=tuple(worst))


def _row_loss(trial: Trial, said: Predictions) -> "np.ndarray[Any, Any]":
    """The Brier score of each row, halved so that it lies between 0 and 1; without probabilities, whether it is wrong;
    of numbers, the absolute error in standard deviations of the target."""
    truth = trial.truth
    if not said.classes:
        return np.asarray(np.abs(said.values - truth) / (float(np.std(truth.astype(float))) or 1.0))
    if said.probabilities is None:
        return np.asarray(said.values != truth, dtype=float)
    hits = np.asarray([truth == label for label in said.classes], dtype=float).T
    unknown = 1 - hits.sum(axis=1)  # a label that the model does not know
    return np.asarray((((said.probabilities - hits) ** 2).sum(axis=1) + unknown) / 2)


def _loss(name: str, lost: "np.ndarray[Any, Any]", level: float) -> Loss:
    """The mean with Student's interval."""
    mean, error = float(lost.mean()), float(lost.std(ddof=1)) / np.sqrt(len(lost))
    reach = float(t.ppf((1 + level) / 2, len(lost) - 1)) * float(error)
    return Loss(name=name, rows=len(lost), loss=mean, low=mean - reach, high=mean + reach)


def _declared(trial: Trial) -> dict[str, Mask]:
    held, found = trial.prepared.held_out, {}
    for name, condition in trial.config.slices.items():
        try:
            mask = np.asarray(held.eval(condition, engine="python", parser="pandas", local_dict={}, global_dict={}))
        except Exception as error:  # pandas raises nearly everything for a condition that it cannot read
            raise ConfigError(
                f"model.toml: [slices] {name!r}: {condition!r} cannot be read: {error}.",
                "Write a condition on columns, such as \"age < 30 and sex == 'f'\".",
            ) from error
        if mask.dtype != bool or mask.shape != (len(held),):
            raise ConfigError(
                f"model.toml: [slices] {name!r}: {condition!r} does not say yes or no of each row.",
                "Write a condition on columns, such as \"age < 30 and sex == 'f'\".",
            )
        found[name] = mask
    return found


def _by_column(trial: Trial) -> dict[str, Mask]:
    inputs = trial.inputs
    return {f"{name} {words}": mask for name in inputs.columns for words, mask in parts(inputs[name])}


def _by_tree(trial: Trial, lost: "np.ndarray[Any, Any]") -> dict[str, Mask]:
    """The leaves of a tree that predicts the loss, each on the half that the tree has not seen."""
    rules, inputs = trial.config.gates.slices, _numbers(trial.inputs)
    if inputs.shape[1] == 0:
        return {}
    half = _halves(trial)
    found: dict[str, Mask] = {}
    for seen in (half, ~half):
        if seen.sum() < 2 * rules.minimum_rows or (~seen).sum() < 2 * rules.minimum_rows:
            continue
        tree = DecisionTreeRegressor(max_depth=rules.depth, min_samples_leaf=rules.minimum_rows, random_state=0)
        tree.fit(inputs[seen].to_numpy(), lost[seen])
        leaves = tree.apply(inputs.to_numpy())
        for leaf, words in _paths(tree, list(inputs.columns)).items():
            found[words] = found.get(words, np.zeros(len(lost), dtype=bool)) | (~seen & (leaves == leaf))
    return found


def _halves(trial: Trial) -> Mask:
    """The same half for ever, whatever the split hashed."""
    keys = trial.prepared.held_out[trial.config.data.key].astype(str)
    return np.array([hashlib.sha256(f"half {key}".encode()).digest()[0] % 2 == 1 for key in keys])


def _numbers(inputs: pd.DataFrame) -> pd.DataFrame:
    """Columns that a tree can cut: numbers, and yes or no for each of few values."""
    found = {}
    for name in inputs.columns:
        column = inputs[name]
        if pd.api.types.is_numeric_dtype(column):
            numbers = column.to_numpy(dtype=float, na_value=np.nan)
            found[str(name)] = np.where(np.isinf(numbers), np.nan, numbers).astype(np.float32)
        else:
            for value, mask in few_values(column):
                found[f"{name} = {value}"] = mask.astype(np.float32)
    return pd.DataFrame(found, index=inputs.index)


def _paths(tree: DecisionTreeRegressor, names: list[str]) -> dict[int, str]:
    """The condition of each leaf, in words; no leaf where nothing was cut."""
    inner = tree.tree_
    found: dict[int, str] = {}

    def walk(node: int, words: tuple[str, ...]) -> None:
        left, right = int(inner.children_left[node]), int(inner.children_right[node])
        if left == right:
            found[node] = " and ".join(words)
            return
        name, edge = names[inner.feature[node]], float(inner.threshold[node])
        less, more = (f"not {name}", name) if " = " in name else (f"{name} ≤ {edge:.4g}", f"{name} > {edge:.4g}")
        walk(left, (*words, less))
        walk(right, (*words, more))

    walk(0, ())
    return {leaf: words for leaf, words in found.items() if words}
