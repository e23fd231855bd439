"""How unlike the model treats the groups that model.toml declares; fairlearn computes the measures."""

from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.errors import ConfigError
from gitops_ml.run import Document
from gitops_ml.training.trial import Trial

MOST_GROUPS = 20


class Disparity(Document):
    """The largest difference between two groups.

    Attributes:
        attribute: The column that says who belongs to which group.
        measure: As model.toml names it.
        value: The difference, in [0, 1]; of errors, as a share of the target's standard deviation.
        groups: Those that are large enough, with their rows.
    """

    attribute: str
    measure: str
    value: float
    groups: dict[str, int]


def fairness(trial: Trial) -> tuple[Disparity, ...]:
    """Measure every declared attribute.

    Raises:
        ConfigError: An attribute is no column, or has too many values to be groups.
    """
    return tuple(
        each for name in trial.config.gates.fairness.attributes
        for each in _of(trial, name) if not trial.challenger.predictions.not_finite
    )  # fmt: skip


def _of(trial: Trial, name: str) -> list[Disparity]:
    held, least = trial.prepared.held_out, trial.config.gates.fairness.minimum_rows
    if name not in held.columns:
        raise ConfigError(
            f"model.toml: [gates.fairness] attributes names {name!r}, which is no column of the data.",
            f"Perhaps one of these: {', '.join(map(str, held.columns))}.",
        )
    groups = held[name].astype(str).where(held[name].notna(), "missing")
    sizes = groups.value_counts()
    if len(sizes) > MOST_GROUPS:
        raise ConfigError(
            f"model.toml: [gates.fairness] attributes: {name!r} has {len(sizes)} values; groups are few.",
            "Declare a column with few values, such as an age group instead of an age.",
        )
    large = {str(group): int(rows) for group, rows in sizes.items() if rows >= least}
    if len(large) < 2:
        return []
    rows = groups.isin(large).to_numpy()
    return [
        Disparity(attribute=name, measure=measure, value=value, groups=large)
        for measure, value in _measured(trial, rows, groups[rows]).items()
    ]


def _measured(trial: Trial, rows: "np.ndarray[Any, Any]", groups: pd.Series) -> dict[str, float]:
    from fairlearn.metrics import (
        MetricFrame,
        demographic_parity_difference,
        equal_opportunity_difference,
        equalized_odds_difference,
    )
    from sklearn.metrics import mean_absolute_error

    said, truth = trial.challenger.predictions.take(np.flatnonzero(rows)), trial.truth[rows]
    if not said.classes:
        frame = MetricFrame(metrics=mean_absolute_error, y_true=truth, y_pred=said.values, sensitive_features=groups)
        return {"error": float(frame.difference()) / (float(np.std(trial.truth)) or 1.0)}
    label = said.classes[-1] if trial.config.data.positive is None else trial.config.data.positive
    sides: dict[str, Any] = {"y_true": (truth == label).astype(int), "y_pred": (said.values == label).astype(int),
                             "sensitive_features": groups}  # fmt: skip
    return {
        "demographic_parity": float(demographic_parity_difference(**sides)),
        "equal_opportunity": float(equal_opportunity_difference(**sides)),
        "equalized_odds": float(equalized_odds_difference(**sides)),
    }
