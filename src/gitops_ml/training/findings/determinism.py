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
        unknown: Reason why the training was not repeated; None if it was.
        failure: Error of the second training, which is given the training rows and can read no others; None if it
            succeeded.
        repeats: True if a third training gives the predictions of the second; None if the second gives those of the
            registered version, so that no third was needed.
    """

    largest: float
    unknown: str | None = None
    failure: str | None = None
    repeats: bool | None = None


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
        second = inputs.code.train_again(rows, inputs.challenger.predictions.classes).predict(inputs.features)
    except ConfigError as error:
        return Determinism(largest=1.0, failure=error.problem)
    largest = _largest_difference(inputs.challenger.predictions, second)
    tolerance = inputs.config.gates.determinism.tolerance
    if largest <= tolerance:
        return Determinism(largest=largest)
    # Does it differ by chance, or because it was trained where it could read more than the training rows?
    third = inputs.code.train_again(rows, inputs.challenger.predictions.classes).predict(inputs.features)
    return Determinism(largest=largest, repeats=_largest_difference(second, third) <= tolerance)


def _largest_difference(first: Predictions, second: Predictions) -> float:
    if first.classes != second.classes:
        return 1.0
    if first.probabilities is not None and second.probabilities is not None:
        return float(np.nan_to_num(np.abs(first.probabilities - second.probabilities), nan=0.0).max())
    if first.classes:
        return float((first.values != second.values).any())
    scale = float(np.std(first.values)) or 1.0
    return float(np.nan_to_num(np.abs(first.values - second.values), nan=0.0).max()) / scale
