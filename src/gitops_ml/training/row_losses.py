"""The loss of single rows."""

from typing import Any

import numpy as np

from gitops_ml.predictions import Predictions

Array = np.ndarray[Any, Any]


def measure_row_losses(labels: Array, predictions: Predictions) -> Array:
    """Return the loss of each row.

    For probabilities it is the Brier score divided by two, so that it lies between 0 and 1 (G. Brier, "Verification of
    forecasts expressed in terms of probability", Monthly Weather Review 78, 1950); for labels it is 1 if the label is
    wrong; for numbers it is the absolute error in standard deviations of the target.

    Args:
        labels: True values, shape (n,).
        predictions: Predictions of the same rows.
    """
    if not predictions.classes:
        return np.asarray(np.abs(predictions.values - labels) / (float(np.std(labels.astype(float))) or 1.0))
    if predictions.probabilities is None:
        return np.asarray(predictions.values != labels, dtype=float)
    one_hot = np.asarray([labels == label for label in predictions.classes], dtype=float).T
    unknown = 1 - one_hot.sum(axis=1)  # a label that the model does not know
    return np.asarray((((predictions.probabilities - one_hot) ** 2).sum(axis=1) + unknown) / 2)
