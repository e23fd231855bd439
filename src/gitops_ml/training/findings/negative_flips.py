"""Negative flips: rows that the champion predicts correctly and the challenger does not."""

import numpy as np

from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput

MINIMUM_GROWTH = 0.5


class NegativeFlips(Document):
    """Negative flips on the holdout.

    Attributes:
        rule: Definition of a negative flip, as text.
        count: Number of negative flips.
        share: Share of the held-out rows, in [0, 1].
    """

    rule: str
    count: int
    share: float


def find_negative_flips(inputs: ComparisonInput) -> NegativeFlips | None:
    """Return the negative flips; None without a champion.

    S. Yan et al., "Positive-congruent training: towards regression-free model updates", CVPR 2021.

    Args:
        inputs: Versions to compare.
    """
    if inputs.champion is None:
        return None
    labels, champion, challenger = inputs.labels, inputs.champion.predictions, inputs.challenger.predictions
    if challenger.classes:
        rule, worse = "the champion's label is right, the challenger's is wrong", (
            (champion.values == labels) & (challenger.values != labels)
        )  # fmt: skip
    else:
        minimum = MINIMUM_GROWTH * float(np.std(labels.astype(float)))
        rule = (
            f"the error grows by more than {minimum:.4g}, half of the target's standard deviation in the held-out rows"
        )
        worse = np.abs(challenger.values - labels) - np.abs(champion.values - labels) > minimum
    return NegativeFlips(rule=rule, count=int(worse.sum()), share=float(worse.mean()))
