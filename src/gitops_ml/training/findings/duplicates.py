"""Held-out rows that are also training rows, under another key."""

import numpy as np
import pandas as pd

from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput
from gitops_ml.training.data import row_hashes

EXAMPLES = 3


class DuplicateRows(Document):
    """Held-out rows with the content of a training row.

    Attributes:
        count: Number of these rows.
        share: Share of the held-out rows, in [0, 1].
        examples: Keys of some of these rows, each with the key of the first such training row.
    """

    count: int
    share: float
    examples: tuple[str, ...]


def find_duplicates(inputs: ComparisonInput) -> DuplicateRows:
    """Find duplicates by the hashes of their features and target.

    Rows with the same features and another target are other rows: coarse features repeat by chance.

    Args:
        inputs: Versions to compare.

    Returns:
        The number of duplicates, with examples.
    """
    held_out, prepared = inputs.prepared.held_out, inputs.prepared
    if inputs.features.shape[1] == 0:
        return DuplicateRows(count=0, share=0.0, examples=())
    key = inputs.config.data.key
    trained = pd.Series(prepared.rows[key].to_numpy(), index=row_hashes(prepared.rows.drop(columns=key)))
    hashes = row_hashes(held_out.drop(columns=key))
    is_duplicate = np.isin(hashes, trained.index)
    pairs = zip(held_out[key][is_duplicate][:EXAMPLES], hashes[is_duplicate][:EXAMPLES], strict=True)
    return DuplicateRows(
        count=int(is_duplicate.sum()), share=float(is_duplicate.mean()),
        examples=tuple(f"{held} = {trained.loc[[same]].iloc[0]}" for held, same in pairs),
    )  # fmt: skip
