"""Differences in how the model treats the groups that model.toml declares, measured by fairlearn.

Equal opportunity and equalized odds: M. Hardt, E. Price and N. Srebro, "Equality of opportunity in supervised
learning", NeurIPS 2016.
"""

from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from gitops_ml.errors import ConfigError
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput

MAXIMUM_GROUPS = 20
# Rows with the label (or without it) that a group must have for its true (or false) positive rate to be compared.
MINIMUM_LABELS = 5


class Disparity(Document):
    """Largest difference of one measure between two groups of one column.

    Attributes:
        attribute: Column that defines the groups.
        measure: Name of the measure, and of the key with its threshold under [gates.fairness]: "demographic_parity",
            "equal_opportunity" or "equalized_odds"; for regression "error".
        value: Difference, in [0, 1]; for regression, the difference of the mean absolute errors as a multiple of the
            target's standard deviation.
        groups: Number of rows of each measured group, at least `minimum_rows`.
        small_groups: Number of rows of each group that has fewer rows, and is not measured, or that has fewer than
            MINIMUM_LABELS rows with or without the label, and is not measured by the rate among these.
    """

    attribute: str
    measure: str
    value: float
    groups: dict[str, int]
    small_groups: dict[str, int] = Field({})


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
    measures, few = _measure(inputs, is_measured, groups[is_measured])
    small |= {group: size for group, size in large.items() if group in few}
    return [
        Disparity(attribute=name, measure=measure, value=value, groups=large, small_groups=small)
        for measure, value in measures.items()
    ]


def _measure(
    inputs: ComparisonInput, is_measured: "np.ndarray[Any, Any]", groups: pd.Series
) -> tuple[dict[str, float], set[str]]:
    """Return the measures by name, and the groups that have too few rows with or without the label.

    The measures of a classifier are about one label, the positive one or else the last.
    """
    from fairlearn.metrics import MetricFrame, selection_rate
    from sklearn.metrics import mean_absolute_error

    predictions = inputs.challenger.predictions.take(np.flatnonzero(is_measured))
    actual = inputs.labels[is_measured]
    if not predictions.classes:
        frame = MetricFrame(
            metrics=mean_absolute_error, y_true=actual, y_pred=predictions.values, sensitive_features=groups
        )
        return {"error": float(frame.difference()) / (float(np.std(inputs.labels)) or 1.0)}, set()
    positive = predictions.classes[-1] if inputs.config.data.positive is None else inputs.config.data.positive
    is_positive, predicted = actual == positive, (predictions.values == positive).astype(int)
    # A rate is compared between the groups that have one: fairlearn's own differences take 0 for a rate of no rows.
    rates, few = dict[bool, float](), set[str]()
    for label in (True, False):
        sizes = groups[is_positive == label].value_counts().reindex(groups.unique(), fill_value=0)
        few |= {str(group) for group in sizes.index[sizes < MINIMUM_LABELS]}
        chosen = (is_positive == label) & groups.isin(sizes.index[sizes >= MINIMUM_LABELS]).to_numpy()
        if groups[chosen].nunique() >= 2:
            rates[label] = float(
                MetricFrame(
                    metrics=selection_rate, y_true=predicted[chosen], y_pred=predicted[chosen],
                    sensitive_features=groups[chosen],
                ).difference()
            )  # fmt: skip
    shares = MetricFrame(metrics=selection_rate, y_true=predicted, y_pred=predicted, sensitive_features=groups)
    measures = {"demographic_parity": float(shares.difference())}
    if True in rates:
        measures["equal_opportunity"] = rates[True]
    if rates:
        measures["equalized_odds"] = max(rates.values())
    return measures, few
