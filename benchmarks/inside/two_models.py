"""What two models say whose true quality is known, for rows that are drawn anew each time.

Each gives a row a normal score that is higher where the row is positive (the binormal model of ROC analysis; Dorfman
and Alf, Journal of Mathematical Psychology 6, 1969), so its true accuracy and its true area under the ROC curve follow
from the distance of the two means. What is hard for one is hard for the other: within a class their scores have a
correlation of 0.8, as those of a forest and of boosted trees have on scikit-learn's data of breast cancer and of digits
(0.77 and 0.86, out of fold; a linear model and trees have less, two linear models nearly one).
"""

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from gitops_ml.config import Config, Repository
from gitops_ml.predictions import Predictions

ALIKE = 0.8
CLASSES = ("no", "yes")


def configured(repository: Repository, metric: str) -> Config:
    """The generated repository's own configuration; a challenger must be better, newer data alone will not do."""
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
    """The truth of so many rows, half of them positive, and what models of these qualities say of them.

    Args:
        metric: "accuracy" or "roc_auc", which the qualities are true values of.
        qualities: Of each model.
        rows: How many.
        seed: Of the draw.
    """
    rng = np.random.default_rng([rows, seed])  # not the stream that the gate resamples by
    positive = rng.random(rows) < 0.5
    shared = math.sqrt(ALIKE) * rng.normal(size=rows)
    said = list[Predictions]()
    for quality in qualities:
        distance = (2 if metric == "accuracy" else math.sqrt(2)) * NormalDist().inv_cdf(quality)
        score = distance * positive + shared + math.sqrt(1 - ALIKE) * rng.normal(size=rows)
        yes = 1 / (1 + np.exp(-distance * (score - distance / 2)))  # by Bayes: how likely it is with this score
        said.append(Predictions(np.where(yes > 0.5, "yes", "no"), np.column_stack([1 - yes, yes]), CLASSES))
    return np.where(positive, "yes", "no"), said
