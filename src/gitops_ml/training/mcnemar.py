"""McNemar's test: whether two classifiers differ in how often they are right.

The test is exact: it uses the binomial distribution instead of the chi-squared approximation of the paper.

Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages", Psychometrika
12, 1947.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from gitops_ml.predictions import Predictions


@dataclass(frozen=True)
class McNemar:
    """Counts of rows on which only one of two classifiers is right.

    Attributes:
        better: Number of rows on which only the challenger is right.
        worse: Number of rows on which only the other classifier is right.
        p_value: Two-sided probability of a split at least this uneven if both were right equally often.
    """

    better: int
    worse: int
    p_value: float


def mcnemar(labels: "np.ndarray[Any, Any]", challenger: Predictions, other: Predictions) -> McNemar | None:
    """Return McNemar's test of two classifiers; None for regression.

    Args:
        labels: True values; shape (n,).
        challenger: The challenger's predictions for the same rows.
        other: The other version's predictions for the same rows.
    """
    if not challenger.classes:
        return None
    challenger_right, other_right = challenger.values == labels, other.values == labels
    better, worse = int((challenger_right & ~other_right).sum()), int((other_right & ~challenger_right).sum())
    p_value = float(binomtest(better, better + worse).pvalue) if better + worse else 1.0
    return McNemar(better, worse, p_value)
