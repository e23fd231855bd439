"""Held-out rows that are also training rows, under another key."""

from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput
from gitops_ml.training.data import row_hashes

EXAMPLES = 3
NEAR = 0.05


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

    Rows with the same features and another target are other rows: coarse features repeat by chance. Numbers as targets
    count as the same if they differ by less than NEAR standard deviations.

    Args:
        inputs: Versions to compare.

    Returns:
        The number of duplicates, with examples.
    """
    held_out = inputs.prepared.held_out
    if inputs.features.shape[1] == 0:
        return DuplicateRows(count=0, share=0.0, examples=())
    key = inputs.config.data.key
    originals = [_find_originals(inputs, shift) for shift in (0.0, 0.5)]
    original = originals[0].where(originals[0].notna(), originals[1])
    is_duplicate = original.notna().to_numpy()
    pairs = zip(held_out[key][is_duplicate][:EXAMPLES], original[is_duplicate][:EXAMPLES], strict=True)
    return DuplicateRows(
        count=int(is_duplicate.sum()), share=float(is_duplicate.mean()),
        examples=tuple(f"{held} = {trained}" for held, trained in pairs),
    )  # fmt: skip


def _find_originals(inputs: ComparisonInput, shift: float) -> "pd.Series[Any]":
    """Return the key of the first training row that is equal to each held-out row; missing where there is none.

    Numbers as targets are equal if they are in the same interval of twice NEAR standard deviations. With intervals
    that are shifted by half of that, numbers on both sides of an end are equal too.
    """
    config, trained, held_out = inputs.config, inputs.prepared.rows, inputs.prepared.held_out
    target = config.data.target
    if config.project.task == "regression":
        width = 2 * NEAR * float(np.std(trained[target])) or 1.0
        trained, held_out = (rows.assign(**{target: np.floor(rows[target].astype(float) / width + shift)})
                             for rows in (trained, held_out))  # fmt: skip
    ignored = [config.data.key, *config.data.known_later]
    first = pd.Series(trained[config.data.key].to_numpy(), index=row_hashes(trained.drop(columns=ignored)))
    first = first[~first.index.duplicated()].astype(object)
    return first.reindex(row_hashes(held_out.drop(columns=ignored))).reset_index(drop=True)
