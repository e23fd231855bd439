"""Whether training twice is training once."""

import numpy as np

from gitops_ml.errors import ConfigError
from gitops_ml.predictions import Predictions, predict
from gitops_ml.run import Document
from gitops_ml.training.search import fit
from gitops_ml.training.train import unfitted
from gitops_ml.training.trial import Trial


class Determinism(Document):
    """What a second training says of the holdout.

    Attributes:
        largest: How far its predictions are off at most; 1 for another label.
        unknown: Why nobody could look; None where somebody did.
    """

    largest: float
    unknown: str | None = None


def determinism(trial: Trial) -> Determinism | None:
    """Train again with the same inputs, and compare; None in a trial of predictions alone."""
    if trial.repository is None or trial.yours is None:
        return None
    if trial.challenger.run.lineage.training != trial.prepared.lineage.training:
        return Determinism(largest=0.0, unknown="it was trained on other data, code or settings than lie here")
    if trial.challenger.own_code:
        return Determinism(largest=0.0, unknown="today's code cannot run it")
    rows = trial.prepared.rows
    try:
        model, _ = fit(trial.repository, unfitted(trial.repository, trial.yours), trial.inputs_of(rows), rows)
    except ConfigError as error:
        return Determinism(largest=1.0, unknown=f"a second training fails: {error.what}")
    return Determinism(largest=_distance(trial.challenger.predictions, predict(model, trial.inputs)))


def _distance(first: Predictions, second: Predictions) -> float:
    if first.classes != second.classes:
        return 1.0
    if first.probabilities is not None and second.probabilities is not None:
        return float(np.nan_to_num(np.abs(first.probabilities - second.probabilities), nan=0.0).max())
    if first.classes:
        return float((first.values != second.values).any())
    scale = float(np.std(first.values)) or 1.0
    return float(np.nan_to_num(np.abs(first.values - second.values), nan=0.0).max()) / scale
