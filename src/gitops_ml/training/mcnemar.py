"""McNemar's exact test: do two classifiers differ in how often they are right? (McNemar, Psychometrika 12, 1947.)"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from gitops_ml.predictions import Predictions


@dataclass(frozen=True)
class McNemar:
    """What the rows say on which one of the two alone is right.

    Attributes:
        better: Rows on which the challenger alone is right.
        worse: Rows on which the other alone is right.
        p_value: How often so uneven a split, to either side, would come about by chance if both were equally good.
    """

    better: int
    worse: int
    p_value: float


def mcnemar(truth: "np.ndarray[Any, Any]", ours: Predictions, theirs: Predictions) -> McNemar | None:
    """The test for two classifiers; None for regression, where no answer is simply right.

    Args:
        truth: Shape (n,).
        ours: The challenger's, of the same rows.
        theirs: The other's.
    """
    if not ours.classes:
        return None
    right, other = ours.values == truth, theirs.values == truth
    better, worse = int((right & ~other).sum()), int((other & ~right).sum())
    p_value = float(binomtest(better, better + worse).pvalue) if better + worse else 1.0
    return McNemar(better, worse, p_value)
