"""Differences in how the model treats the groups that model.toml declares, measured by fairlearn.

Equal opportunity and equalized odds: M. Hardt, E. Price and N. Srebro, "Equality of opportunity in supervised
learning", NeurIPS 2016.
"""

from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.errors import ConfigError
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput

MAXIMUM_GROUPS = 20


class Disparity(Document):
    """Largest difference of one measure between two groups of one column.

    Attributes:
        attribute: Column that defines the groups.
        measure: Name of the measure, and of the key with its threshold under [gates.fairness]: "demographic_parity",
            "equal_opportunity" or "equalized_odds"; for regression "error".
        value: Difference, in [0, 1]; for regression, the difference of the mean absolute errors as a multiple of the
            target's standard deviation.
        groups: Number of rows of each measured group, at least `minimum_rows`.
        small_groups: Number of rows of each group that has fewer rows, and is not measured.
    """

    attribute: str
    measure: str
    value: float
    groups: dict[str, int]
    small_groups: dict[str, int] = {}


def measure_disparities(inputs: ComparisonInput) -> tuple[Disparity, ...]:
    """Measure how differently the challenger treats the groups of every declared attribute.

    Args:
        inputs: The comparison, of which only the challenger and the held-out rows are used.

    Returns:
        The disparities; none for an attribute with fewer than two groups of `minimum_rows` rows, and none at all if
        some predictions are not finite.

    Raises:
        ConfigError: An attribute is not a column, or has too many values.
    """
    return tuple(each for name in inputs.config.gates.fairness.attributes for each in _disparities_of(inputs, name))


def _disparities_of(inputs: ComparisonInput, name: str) -> list[Disparity]:
    held_out, minimum = inputs.prepared.held_out, inputs.config.gates.fairness.minimum_rows
    if name not in held_out.columns:
        raise ConfigError(
            f"model.toml: [gates.fairness] attributes names {name!r}, which is not a column of the data.",
            f"Perhaps one of these: {', '.join(map(str, held_out.columns))}.",
        )
    groups = held_out[name].astype(str).where(held_out[name].notna(), "missing")
    sizes = groups.value_counts()
    if len(sizes) > MAXIMUM_GROUPS:
        raise ConfigError(
            f"model.toml: [gates.fairness] attributes: {name!r} has {len(sizes)} values, more than {MAXIMUM_GROUPS}.",
            "Declare a column with few values, such as an age group instead of an age.",
        )
    large = {str(group): int(size) for group, size in sizes.items() if size >= minimum}
    small = {str(group): int(size) for group, size in sizes.items() if size < minimum}
    if len(large) < 2 or inputs.challenger.predictions.not_finite_count:
        return []
    is_measured = groups.isin(large).to_numpy()
    return [
        Disparity(attribute=name, measure=measure, value=value, groups=large, small_groups=small)
        for measure, value in _measure(inputs, is_measured, groups[is_measured]).items()
    ]


def _measure(inputs: ComparisonInput, is_measured: "np.ndarray[Any, Any]", groups: pd.Series) -> dict[str, float]:
    """Return the measures by name; those of a classifier are about one label, the positive one or else the last."""
    from fairlearn.metrics import (
        MetricFrame,
        demographic_parity_difference,
        equal_opportunity_difference,
        equalized_odds_difference,
    )
    from sklearn.metrics import mean_absolute_error

    predictions = inputs.challenger.predictions.take(np.flatnonzero(is_measured))
    actual = inputs.labels[is_measured]
    if not predictions.classes:
        frame = MetricFrame(
            metrics=mean_absolute_error, y_true=actual, y_pred=predictions.values, sensitive_features=groups
        )
        return {"error": float(frame.difference()) / (float(np.std(inputs.labels)) or 1.0)}
    positive = predictions.classes[-1] if inputs.config.data.positive is None else inputs.config.data.positive
    arguments: dict[str, Any] = {
        "y_true": (actual == positive).astype(int),
        "y_pred": (predictions.values == positive).astype(int),
        "sensitive_features": groups,
    }
    return {
        "demographic_parity": float(demographic_parity_difference(**arguments)),
        "equal_opportunity": float(equal_opportunity_difference(**arguments)),
        "equalized_odds": float(equalized_odds_difference(**arguments)),
    }
