"""Slices on which the challenger loses: declared in model.toml, made by the values of a column, or found by a tree.

The tree is shallow, and finds where the losses of the two models differ.

The tree is fitted on one half of the holdout and its slices are measured on the other half, and vice versa, since a
slice chosen on some rows is biased on these rows (cross-fitting: V. Chernozhukov et al., "Double/debiased machine
learning for treatment and structural parameters", Econometrics Journal 21, 2018). Every slice's interval is widened for
the number of slices (Bonferroni).
"""

import hashlib
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t
from sklearn.tree import DecisionTreeRegressor

from gitops_ml.errors import ConfigError
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput
from gitops_ml.training.row_losses import measure_row_losses
from gitops_ml.training.slices import Mask, split_by_value, split_column

WORST = 5


class SliceLoss(Document):
    """Loss of the challenger, compared with the champion, on a slice.

    Attributes:
        name: Condition of the slice.
        rows: Number of rows.
        loss: Mean loss of a row: between 0 and 1 for labels, in standard deviations of the target for numbers.
        low: Lower end of the loss's interval, widened for the number of slices.
        high: Upper end of the loss's interval.
    """

    name: str
    rows: int
    loss: float
    low: float
    high: float


class SliceLosses(Document):
    """Losses on all slices.

    Attributes:
        measured: Number of slices.
        worst: Slices with the highest lower ends of their intervals, at most five.
    """

    measured: int
    worst: tuple[SliceLoss, ...]


def measure_slice_losses(inputs: ComparisonInput) -> SliceLosses | None:
    """Measure the loss on every slice.

    Args:
        inputs: Versions to compare.

    Returns:
        The losses; None without a champion, or if some predictions are not finite.

    Raises:
        ConfigError: A declared slice is not a condition on the columns.
    """
    declared = _declared(inputs)
    champion, gates = inputs.champion, inputs.config.gates
    if champion is None or inputs.challenger.predictions.not_finite_count or champion.predictions.not_finite_count:
        return None
    row_losses, before = (measure_row_losses(inputs.labels, each.predictions) for each in (inputs.challenger, champion))
    row_losses = row_losses - before
    masks = {**declared, **_by_column(inputs), **_by_tree(inputs, row_losses)}
    large = {name: mask for name, mask in masks.items() if gates.slices.minimum_rows <= mask.sum() < len(row_losses)}
    level = 1 - (1 - gates.confidence) / max(1, len(large))
    found = [_loss(name, row_losses[mask], level) for name, mask in large.items()]
    worst = sorted(found, key=lambda each: (-each.low, each.name))[:WORST]
    return SliceLosses(measured=len(found), worst=tuple(worst))


def _loss(name: str, row_losses: "np.ndarray[Any, Any]", level: float) -> SliceLoss:
    """Return the mean loss with the interval of Student's t distribution."""
    mean, error = float(row_losses.mean()), float(row_losses.std(ddof=1)) / np.sqrt(len(row_losses))
    margin = float(t.ppf((1 + level) / 2, len(row_losses) - 1)) * float(error)
    return SliceLoss(name=name, rows=len(row_losses), loss=mean, low=mean - margin, high=mean + margin)


def _declared(inputs: ComparisonInput) -> dict[str, Mask]:
    held_out, found = inputs.prepared.held_out, {}
    for name, condition in inputs.config.slices.items():
        try:
            mask = np.asarray(held_out.eval(condition, engine="python", parser="pandas", local_dict={}, global_dict={}))
        except Exception as error:  # pandas raises many kinds of exceptions for a condition that it cannot read
            raise ConfigError(
                f"model.toml: [slices] {name!r}: {condition!r} cannot be read: {error}.",
                "Write a condition on columns, such as \"age < 30 and sex == 'f'\".",
            ) from error
        if mask.dtype != bool or mask.shape != (len(held_out),):
            raise ConfigError(
                f"model.toml: [slices] {name!r}: {condition!r} does not give true or false for each row.",
                "Write a condition on columns, such as \"age < 30 and sex == 'f'\".",
            )
        found[name] = mask
    return found


def _by_column(inputs: ComparisonInput) -> dict[str, Mask]:
    features = inputs.features
    return {
        f"{name} {condition}": mask for name in features.columns for condition, mask in split_column(features[name])
    }


def _by_tree(inputs: ComparisonInput, row_losses: "np.ndarray[Any, Any]") -> dict[str, Mask]:
    """Return the leaves of a tree that predicts the loss, each with the rows of the half that it was not fitted on."""
    gates, features = inputs.config.gates.slices, _as_numbers(inputs.features)
    if features.shape[1] == 0:
        return {}
    half = _hash_half(inputs)
    found: dict[str, Mask] = {}
    for seen in (half, ~half):
        if seen.sum() < 2 * gates.minimum_rows or (~seen).sum() < 2 * gates.minimum_rows:
            continue
        tree = DecisionTreeRegressor(max_depth=gates.depth, min_samples_leaf=gates.minimum_rows, random_state=0)
        tree.fit(features[seen].to_numpy(), row_losses[seen])
        leaves = tree.apply(features.to_numpy())
        for leaf, condition in _paths(tree, list(features.columns)).items():
            found[condition] = found.get(condition, np.zeros(len(row_losses), dtype=bool)) | (~seen & (leaves == leaf))
    return found


def _hash_half(inputs: ComparisonInput) -> Mask:
    """Return the mask of one half of the holdout, which depends on the keys only."""
    keys = inputs.prepared.held_out[inputs.config.data.key].astype(str)
    return np.array([hashlib.sha256(f"half {key}".encode()).digest()[0] % 2 == 1 for key in keys])


def _as_numbers(features: pd.DataFrame) -> pd.DataFrame:
    """Return columns that a tree can split: numbers, and one indicator for each value of a column with few values."""
    found = {}
    for name in features.columns:
        column = features[name]
        if pd.api.types.is_numeric_dtype(column):
            numbers = column.to_numpy(dtype=float, na_value=np.nan)
            found[str(name)] = np.where(np.isinf(numbers), np.nan, numbers).astype(np.float32)
        else:
            for value, mask in split_by_value(column):
                found[f"{name} = {value}"] = mask.astype(np.float32)
    return pd.DataFrame(found, index=features.index)


def _paths(tree: DecisionTreeRegressor, names: list[str]) -> dict[int, str]:
    """Return the condition of each leaf as text; nothing for a tree without splits."""
    nodes = tree.tree_
    found: dict[int, str] = {}

    def walk(node: int, condition: tuple[str, ...]) -> None:
        left, right = int(nodes.children_left[node]), int(nodes.children_right[node])
        if left == right:
            found[node] = " and ".join(condition)
            return
        name, threshold = names[nodes.feature[node]], float(nodes.threshold[node])
        left_condition, right_condition = (
            (f"not {name}", name) if " = " in name else (f"{name} ≤ {threshold:.4g}", f"{name} > {threshold:.4g}")
        )
        walk(left, (*condition, left_condition))
        walk(right, (*condition, right_condition))

    walk(0, ())
    return {leaf: condition for leaf, condition in found.items() if condition}
