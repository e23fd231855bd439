"""Rows that the champion had right and the challenger gets wrong: what people notice first."""

import numpy as np

from gitops_ml.run import Document
from gitops_ml.training.trial import Trial

FAR = 0.5


class Harm(Document):
    """How many there are.

    Attributes:
        rule: What counts, in words.
        count: Held-out rows.
        share: The same as a share of them, in [0, 1].
    """

    rule: str
    count: int
    share: float


def harm(trial: Trial) -> Harm | None:
    """Count the negative flips (S. Yan et al., "Positive-congruent training", CVPR 2021); None without champion."""
    if trial.champion is None:
        return None
    truth, before, after = trial.truth, trial.champion.predictions, trial.challenger.predictions
    if after.classes:
        rule, worse = "the champion's label was right, the challenger's is wrong", (
            (before.values == truth) & (after.values != truth)
        )  # fmt: skip
    else:
        least = FAR * float(np.std(truth.astype(float)))
        rule = f"the error grows by more than {least:.4g}, half of the target's standard deviation"
        worse = np.abs(after.values - truth) - np.abs(before.values - truth) > least
    return Harm(rule=rule, count=int(worse.sum()), share=float(worse.mean()))
