"""A small summary of a set of rows that tells which share of another set is new.

The k smallest hashes of a set are a uniform sample of it, the same sample wherever the rows are seen again
(A. Broder, "On the resemblance and containment of documents", 1997). Exact up to k rows; beyond that the share's
standard error is at most sqrt(0.25 / k), 1.6 points here.
"""

import pandas as pd

from gitops_ml.training.data import row_hashes

SIZE = 1024


def sketch(keys: pd.Series) -> list[int]:
    """The smallest hashes of the keys, ascending; at most 1024."""
    return sorted(int(value) for value in row_hashes(keys.to_frame()))[:SIZE]


def share_new(current: list[int], seen: list[int]) -> float:
    """Which share of the current rows was not among the rows seen, in [0, 1]; what cannot be told is not new."""
    limit = seen[-1] if len(seen) == SIZE else 2**64
    comparable = [value for value in current if value <= limit]
    if not comparable:
        return 0.0
    return len(set(comparable) - set(seen)) / len(comparable)
