"""Intervals of a version's metrics: where statistics knows them, and nothing where there is nothing to know."""

import numpy as np
import pytest
from scipy.stats import norm

from gitops_ml.training.intervals import intervals
from gitops_ml.training.metrics import measure_all
from unit.trial_of import CLASSIFICATION, REGRESSION, labels, numbers


def test_an_interval_is_the_one_of_the_textbook() -> None:
    """The accuracy of many rows is a mean: 1.96 standard errors around it; and each metric has one."""
    rng = np.random.default_rng(1)
    truth = rng.choice(["no", "yes"], 4000)
    sure = np.clip(0.5 + 0.2 * np.where(truth == "yes", 1, -1) + rng.normal(0, 0.25, 4000), 0.01, 0.99)
    said = labels(np.where(sure > 0.5, "yes", "no"), sure)
    measured = measure_all(truth, said, "yes")
    found = intervals(CLASSIFICATION, truth, said, measured)
    assert set(found) == set(measured)
    assert all(low < measured[name] < high for name, (low, high) in found.items())
    share = measured["accuracy"]
    error = norm.ppf(0.975) * (share * (1 - share) / 4000) ** 0.5
    assert found["accuracy"] == pytest.approx((share - error, share + error), abs=0.2 * error)
    assert found == intervals(CLASSIFICATION, truth, said, measured)


def test_numbers_have_intervals_too() -> None:
    """The error of a regression."""
    truth = np.linspace(0, 1, 200)
    said = numbers(truth + np.random.default_rng(2).normal(0, 0.1, 200))
    measured = measure_all(truth, said)
    low, high = intervals(REGRESSION, truth, said, measured)["rmse"]
    assert low < measured["rmse"] < high < 2 * low


def test_where_nothing_can_be_measured_nothing_is_said() -> None:
    """Answers that are not finite, and metrics that have no value."""
    truth = np.array(["no", "yes", "yes", "no"])
    broken = labels(truth, [np.nan, 1, 1, 0])
    assert intervals(CLASSIFICATION, truth, broken, {"accuracy": 1.0}) == {}
    assert intervals(CLASSIFICATION, truth, labels(truth, [0, 1, 1, 0]), {"roc_auc": float("nan")}) == {}
