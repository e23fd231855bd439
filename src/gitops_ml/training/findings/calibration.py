"""Calibration of the predicted probabilities."""

from typing import Any

import numpy as np

from gitops_ml.predictions import Predictions
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput
from gitops_ml.training.gain import Interval, gain

BINS = 10


class Calibration(Document):
    """Calibration of champion and challenger.

    Attributes:
        ece: Expected calibration error of the challenger, in [0, 1].
        champion: Expected calibration error of the champion; None without a champion.
        brier: Gain in Brier score over the champion, with its interval; None without a champion.
    """

    ece: float
    champion: float | None
    brier: Interval | None


def measure_calibration(inputs: ComparisonInput) -> Calibration | None:
    """Measure the calibration of champion and challenger.

    Args:
        inputs: Versions to compare.

    Returns:
        The calibration; None if the challenger has no probabilities, or some that are not finite.
    """
    predictions = inputs.challenger.predictions
    if predictions.probabilities is None or predictions.not_finite_count:
        return None
    champion = inputs.champion.predictions if inputs.champion else None
    comparable = champion is not None and champion.probabilities is not None and not champion.not_finite_count
    evaluation = inputs.config.evaluation.model_copy(update={"metric": "brier"})
    config = inputs.config.model_copy(update={"evaluation": evaluation})
    return Calibration(
        ece=expected_calibration_error(inputs.labels, predictions),
        champion=expected_calibration_error(inputs.labels, champion) if champion is not None and comparable else None,
        brier=gain(config, inputs.labels, predictions, champion) if champion is not None and comparable else None,
    )


def expected_calibration_error(labels: "np.ndarray[Any, Any]", predictions: Predictions) -> float:
    """Return the expected calibration error of the predicted labels, over ten bins with equal numbers of rows.

    M. Naeini, G. Cooper and M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.

    Args:
        labels: True values; shape (n,).
        predictions: Predictions with probabilities for the same rows.
    """
    assert predictions.probabilities is not None  # noqa: S101 (the caller asks)
    confidence = predictions.probabilities.max(axis=1)
    classes = np.asarray(predictions.classes, dtype=object)
    correct = classes[predictions.probabilities.argmax(axis=1)] == labels.astype(object)
    # Rows with equal confidence share a bin; otherwise the order of the rows would decide.
    edges = np.unique(np.quantile(confidence, np.linspace(0, 1, BINS + 1)[1:-1]))
    bins = np.searchsorted(edges, confidence, side="right")
    masks = [bins == bin_number for bin_number in np.unique(bins)]
    return float(sum(mask.sum() * abs(confidence[mask].mean() - correct[mask].mean()) for mask in masks) / len(labels))
