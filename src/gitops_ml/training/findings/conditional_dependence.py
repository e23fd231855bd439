"""Dependence of columns on each other among rows with the same target.

An honest column describes the same thing as other columns, such as the size of a tumour, or it is a cause of the target
beside other causes. In both cases it depends on other columns even among rows with the same target. A column that is
written from the target, with some noise of its own, does not.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gitops_ml.training.findings.single_columns import EncodedTarget, as_float32, views_of_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS, LEVEL_SHARE = 8, 0.02
DEGREE = 5
# Outliers in standard deviations: a value that only a few rows of a label have must not decide.
CLIP = 3.0
# A column is independent if chance explains its dependence with at least this probability, or if the other columns
# explain a smaller share of its variance than NEGLIGIBLE: in many rows, the smallest dependence is no chance.
CHANCE, NEGLIGIBLE = 0.01, 0.02
RANK = 1e-6


@dataclass(frozen=True)
class Dependence:
    """Dependence of one column on other columns, among rows with the same target.

    Attributes:
        share: Share of the column's variance that the other columns explain, less what they explain by chance.
        p_value: Probability of so large a share if the column is independent of the others.
    """

    share: float
    p_value: float

    @property
    def is_independent(self) -> bool:
        """True if the other columns say nothing about the column, given the target."""
        return self.p_value >= CHANCE or self.share < NEGLIGIBLE


@dataclass(frozen=True)
class Columns:
    """Columns without what the target explains.

    Attributes:
        rest: Numbers with mean 0 and variance 1; shape (n, parts).
        owners: Name of the column that each part belongs to.
        lost: Number of degrees of freedom that the target took.
    """

    rest: "NDArray[Any]"
    owners: tuple[str, ...]
    lost: int

    @cached_property
    def _correlations(self) -> "NDArray[Any]":
        correlations: NDArray[Any] = self.rest.T @ self.rest / len(self.rest)
        return correlations

    def measure(self, name: str, among: Collection[str]) -> Dependence:
        """Return the dependence of a column on others.

        The F-test of a linear regression finds many small correlations; the test of the largest correlation finds a
        single one among many columns.

        Args:
            name: Name of the column.
            among: Names of the other columns.
        """
        from scipy.stats import f as f_distribution
        from scipy.stats import norm

        varies = self._correlations.diagonal() > 0
        own, others = (
            np.flatnonzero(
                varies & [owner != name and owner in among if other else owner == name for owner in self.owners]
            )
            for other in (False, True)
        )
        if not len(own) or not len(others):
            return Dependence(0.0, 1.0)
        between = self._correlations[np.ix_(others, others)]
        inverse, number = np.linalg.pinv(between, rcond=RANK, hermitian=True), _rank(between)
        left = max(len(self.rest) - number - self.lost, 1)
        results = []
        for part in own:
            correlations = self._correlations[part, others] / np.sqrt(self._correlations[part, part])
            explained = min(float(correlations @ inverse @ correlations), 1 - 1e-12)
            joint = f_distribution.sf(explained / number / ((1 - explained) / left), number, left)
            largest = 2 * len(others) * norm.sf(np.sqrt(len(self.rest)) * np.abs(correlations).max())
            p_value = min(len(own) * float(min(joint, largest)), 1.0)
            results.append(Dependence(1 - (1 - explained) * (left + number) / left, p_value))
        return min(results, key=lambda result: result.p_value)


def _rank(matrix: "NDArray[Any]") -> int:
    values = np.linalg.eigvalsh(matrix)
    return int((values > RANK * values.max()).sum())


def remove_target(features: pd.DataFrame, target: EncodedTarget) -> Columns:
    """Return columns without what the target explains: the mean of each label, or a polynomial in a number.

    Numbers are replaced by normal scores of their ranks, text by indicators of its most frequent values, and missing
    values have an indicator too. Among the rows of a label, each column has the same variance: otherwise a column that
    varies for one label only, such as a flag, would seem to depend on all columns that vary more for that label.

    Args:
        features: Columns without key and target; shape (n, columns).
        target: The target of the same rows.
    """
    parts = {str(name): _to_numbers(features[name]) for name in features.columns}
    owners = tuple(name for name, part in parts.items() for _ in range(part.shape[1]))
    columns = np.hstack(list(parts.values()))
    rest = _residuals(columns, target)
    # Outliers are cut off, which leaves something of the target again.
    rest = _residuals(np.clip(rest, -CLIP, CLIP), target)
    return Columns(rest, owners, DEGREE + 1 if target.task == "regression" else len(target.classes))


def _residuals(columns: "NDArray[Any]", target: EncodedTarget) -> "NDArray[Any]":
    """Return columns without what the target explains, with variance 1."""
    if target.task == "regression":
        basis, _ = np.linalg.qr(np.vander(_normal_scores(target.codes), DEGREE + 1))
        return _scale(columns - basis @ (basis.T @ columns), columns.std(axis=0))
    rest = np.zeros_like(columns)
    for code in range(len(target.classes)):
        rows = target.codes == code
        rest[rows] = _scale(columns[rows] - columns[rows].mean(axis=0), columns.std(axis=0))
    return _scale(rest, np.ones(columns.shape[1]))


def _to_numbers(column: pd.Series) -> "NDArray[Any]":
    """Return a column as one or more columns of numbers; shape (n, parts)."""
    missing = column.isna().to_numpy()
    if pd.api.types.is_numeric_dtype(column):
        parts = [_normal_scores(as_float32(column))]
    else:
        levels = [level for codes in views_of_text(column)[:2] for level in _frequent_levels(codes)]
        parts = levels or [np.zeros(len(column))]
    return np.column_stack([*parts, missing.astype(float)] if missing.any() else parts)


def _frequent_levels(codes: "NDArray[Any]") -> "list[NDArray[Any]]":
    """Return an indicator of each frequent code, the most frequent first."""
    counts = np.bincount(codes)
    frequent = [code for code in np.argsort(-counts)[:LEVELS] if counts[code] >= LEVEL_SHARE * len(codes)]
    return [(codes == code).astype(float) for code in frequent]


def _normal_scores(values: "NDArray[Any]") -> "NDArray[Any]":
    """Return the normal quantiles of the ranks; 0, the middle, for a missing value."""
    from scipy.special import ndtri

    ranks = pd.Series(values).rank()
    scores: NDArray[Any] = np.nan_to_num(ndtri(((ranks - 0.5) / max(ranks.count(), 1)).to_numpy()))
    return scores


def _scale(rest: "NDArray[Any]", before: "NDArray[Any]") -> "NDArray[Any]":
    """Return columns with variance 1; a column of which nothing is left is 0."""
    left = rest.std(axis=0)
    return np.where(left > 1e-3 * np.maximum(before, 1e-9), rest / np.where(left > 0, left, 1.0), 0.0)
