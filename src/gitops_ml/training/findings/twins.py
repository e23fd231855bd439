"""Held-out rows that stand among the training rows too, under another key."""

import numpy as np

from gitops_ml.run import Document
from gitops_ml.training.data import row_hashes
from gitops_ml.training.trial import Trial

EXAMPLES = 3


class Twins(Document):
    """How many there are.

    Attributes:
        count: Held-out rows of which all columns but the key are those of a training row.
        share: The same as a share of the held-out rows, in [0, 1].
        examples: Keys of some.
    """

    count: int
    share: float
    examples: tuple[str, ...]


def twins(trial: Trial) -> Twins:
    """Look for them by hashes of what a model sees."""
    held, prepared = trial.prepared.held_out, trial.prepared
    ours = trial.inputs
    if ours.shape[1] == 0:
        return Twins(count=0, share=0.0, examples=())
    twin = np.isin(row_hashes(ours), row_hashes(trial.inputs_of(prepared.rows)))
    keys = held[trial.config.data.key][twin]
    return Twins(count=int(twin.sum()), share=float(twin.mean()), examples=tuple(map(str, keys[:EXAMPLES])))
