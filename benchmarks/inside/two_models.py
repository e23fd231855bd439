"""Simulate the predictions of two models of known quality, for rows that are drawn at random.

A model gives each row a normal score with a higher mean for positive rows (the binormal model of ROC analysis; Dorfman
and Alf, Journal of Mathematical Psychology 6, 1969), so that its true accuracy and its true area under the ROC curve
follow from the distance of the two means. Within a class, the scores of the two models have a correlation of 0.8, as
those of a forest and of boosted trees have on scikit-learn's data of breast cancer and of digits (0.77 and 0.86, out of
fold; the correlation is lower between a linear model and trees, and nearly one between two linear models).
"""

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from gitops_ml.config import Config, Repository
from gitops_ml.predictions import Predictions

CORRELATION = 0.8
CLASSES = ("no", "yes")


def configured(repository: Repository, metric: str) -> Config:
    """Return the repository's configuration with this metric, and with the policy `improve` only."""
    config = repository.config
    champion = config.gates.champion.model_copy(update={"policies": ("improve",)})
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"positive": "yes"}),
            "evaluation": config.evaluation.model_copy(update={"metric": metric}),
            "gates": config.gates.model_copy(update={"champion": champion}),
        }
    )


def draw(metric: str, qualities: tuple[float, ...], rows: int, seed: int) -> tuple[Any, list[Predictions]]:
    """Draw labels, and the predictions of models of known quality.

    Args:
        metric: "accuracy" or "roc_auc": the metric of the qualities.
        qualities: True quality of each model.
        rows: Number of rows; about half of them are positive.
        seed: Seed of the draw.

    Returns:
        The labels of the rows, and the predictions of each model.
    """
    rng = np.random.default_rng([rows, seed])  # another stream than that of the gate's resamples
    positive = rng.random(rows) < 0.5
    shared = math.sqrt(CORRELATION) * rng.normal(size=rows)
    predictions = list[Predictions]()
    for quality in qualities:
        distance = (2 if metric == "accuracy" else math.sqrt(2)) * NormalDist().inv_cdf(quality)
        score = distance * positive + shared + math.sqrt(1 - CORRELATION) * rng.normal(size=rows)
        yes = 1 / (
            1 + np.exp(-distance * (score - distance / 2))
        )  # probability of the positive class given the score, by Bayes' rule
        predictions.append(Predictions(np.where(yes > 0.5, "yes", "no"), np.column_stack([1 - yes, yes]), CLASSES))
    return np.where(positive, "yes", "no"), predictions
