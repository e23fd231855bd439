"""Whether probabilities mean what they say."""

from typing import Any

import numpy as np

from gitops_ml.predictions import Predictions
from gitops_ml.run import Document
from gitops_ml.training.gain import Interval, gain
from gitops_ml.training.trial import Trial

BINS = 10


class Calibration(Document):
    """How honest the probabilities are.

    Attributes:
        ece: Expected calibration error of the challenger, in [0, 1].
        champion: The same of the champion; None where there is none.
        brier: The gain in Brier score over the champion, with its interval; None where there is none.
    """

    ece: float
    champion: float | None
    brier: Interval | None


def calibration(trial: Trial) -> Calibration | None:
    """Measure both; None where the challenger gives no probabilities, or some that are no numbers."""
    said = trial.challenger.predictions
    if said.probabilities is None or said.not_finite:
        return None
    other = trial.champion.predictions if trial.champion else None
    comparable = other is not None and other.probabilities is not None and not other.not_finite
    rules = trial.config.evaluation.model_copy(update={"metric": "brier"})
    config = trial.config.model_copy(update={"evaluation": rules})
    return Calibration(
        ece=expected_error(trial.truth, said),
        champion=expected_error(trial.truth, other) if other is not None and comparable else None,
        brier=gain(config, trial.truth, said, other) if other is not None and comparable else None,
    )


def expected_error(truth: "np.ndarray[Any, Any]", said: Predictions) -> float:
    """The expected calibration error of the answers given, over ten bins of equally many rows (M. Naeini, G. Cooper
    and M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015)."""
    assert said.probabilities is not None  # noqa: S101 (the caller asks)
    sure = said.probabilities.max(axis=1)
    right = np.asarray(said.classes, dtype=object)[said.probabilities.argmax(axis=1)] == truth.astype(object)
    # Rows that are equally sure stay together, or the order of the rows would decide.
    edges = np.unique(np.quantile(sure, np.linspace(0, 1, BINS + 1)[1:-1]))
    places = np.searchsorted(edges, sure, side="right")
    parts = [places == place for place in np.unique(places)]
    return float(sum(part.sum() * abs(sure[part].mean() - right[part].mean()) for part in parts) / len(truth))
