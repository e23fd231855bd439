"""Columns that are the mean target of the rows that share a value, such as an encoded identifier.

Such a column contains each row's own target. Its values repeat within a group, and the mean target of the rows with a
value is exactly that value.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-6
# Values that more than one row has; with fewer, or fewer rows, equality could be chance.
VALUES, ROWS = 3, 30


def is_group_mean(column: pd.Series, target: pd.Series) -> bool:
    """Return whether a column is the mean of the target, or of one label's indicator, over the rows with its value.

    Args:
        column: Values; shape (n,).
        target: Values of the target; shape (n,).
    """
    if not pd.api.types.is_float_dtype(column):
        return False
    values, codes = np.unique(column.to_numpy(dtype=float, na_value=np.nan), return_inverse=True)
    counts = np.bincount(codes)
    repeated = (counts > 1) & np.isfinite(values)
    if repeated.sum() < VALUES or counts[repeated].sum() < max(ROWS, 0.5 * len(column)):
        return False
    return any(_equals_means(values[repeated], np.bincount(codes, weights=numbers)[repeated] / counts[repeated])
               for numbers in _as_numbers(target))  # fmt: skip


def _as_numbers(target: pd.Series) -> "list[NDArray[Any]]":
    numeric = [target.to_numpy(dtype=float)] if pd.api.types.is_numeric_dtype(target) else []
    labels = target.unique()
    return numeric + ([(target == label).to_numpy(dtype=float) for label in labels] if len(labels) <= ROWS else [])


def _equals_means(values: "NDArray[Any]", means: "NDArray[Any]") -> bool:
    return bool(np.allclose(values, means, rtol=TOLERANCE, atol=TOLERANCE)) and np.ptp(values) > TOLERANCE
