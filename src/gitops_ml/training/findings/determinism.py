"""Determinism: whether a second training gives the same predictions."""

import numpy as np

from gitops_ml.errors import ConfigError
from gitops_ml.predictions import Predictions
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput


class Determinism(Document):
    """Result of a second training.

    Attributes:
        largest: Largest difference between the predictions; 1 for another label.
        unknown: Reason why the training could not be repeated; None if it could.
    """

    largest: float
    unknown: str | None = None


def check_determinism(inputs: ComparisonInput) -> Determinism | None:
    """Train again with the same inputs and compare the predictions.

    Args:
        inputs: Versions to compare.

    Returns:
        The largest difference; None if only predictions are compared.
    """
    if inputs.code is None:
        return None
    if inputs.challenger.run.lineage.training != inputs.prepared.lineage.training:
        return Determinism(
            largest=0.0, unknown="it was trained with other data, code or settings than the current ones"
        )
    if inputs.challenger.own_code:
        return Determinism(largest=0.0, unknown="the current code cannot run it")
    rows = inputs.prepared.rows
    try:
        model = inputs.code.train_again(rows, inputs.challenger.predictions.classes)
    except ConfigError as error:
        return Determinism(largest=1.0, unknown=f"the second training failed: {error.problem}")
    return Determinism(largest=_largest_difference(inputs.challenger.predictions, model.predict(inputs.features)))


def _largest_difference(first: Predictions, second: Predictions) -> float:
    if first.classes != second.classes:
        return 1.0
    if first.probabilities is not None and second.probabilities is not None:
        return float(np.nan_to_num(np.abs(first.probabilities - second.probabilities), nan=0.0).max())
    if first.classes:
        return float((first.values != second.values).any())
    scale = float(np.std(first.values)) or 1.0
    return float(np.nan_to_num(np.abs(first.values - second.values), nan=0.0).max()) / scale
