"""Intervals of a version's metrics."""

import numpy as np
import pytest
from scipy.stats import norm

from gitops_ml.training.intervals import intervals
from gitops_ml.training.metrics import measure_all
from unit.comparison_inputs import CLASSIFICATION, REGRESSION, label_predictions, number_predictions


def test_an_interval_equals_the_textbook_one() -> None:
    """The accuracy of many rows is a mean, with 1.96 standard errors on each side; every metric has an interval."""
    rng = np.random.default_rng(1)
    labels = rng.choice(["no", "yes"], 4000)
    probabilities = np.clip(0.5 + 0.2 * np.where(labels == "yes", 1, -1) + rng.normal(0, 0.25, 4000), 0.01, 0.99)
    predictions = label_predictions(np.where(probabilities > 0.5, "yes", "no"), probabilities)
    measured = measure_all(labels, predictions, "yes")
    found = intervals(CLASSIFICATION, labels, predictions, measured)
    assert set(found) == set(measured)
    assert all(low < measured[name] < high for name, (low, high) in found.items())
    share = measured["accuracy"]
    error = norm.ppf(0.975) * (share * (1 - share) / 4000) ** 0.5
    assert found["accuracy"] == pytest.approx((share - error, share + error), abs=0.2 * error)
    assert found == intervals(CLASSIFICATION, labels, predictions, measured)


def test_regression_metrics_have_intervals() -> None:
    """The interval contains the metric."""
    labels = np.linspace(0, 1, 200)
    predictions = number_predictions(labels + np.random.default_rng(2).normal(0, 0.1, 200))
    measured = measure_all(labels, predictions)
    low, high = intervals(REGRESSION, labels, predictions, measured)["rmse"]
    assert low < measured["rmse"] < high < 2 * low


def test_without_finite_values_there_is_no_interval() -> None:
    """Predictions that are not finite, and metrics without a value, are left out."""
    labels = np.array(["no", "yes", "yes", "no"])
    not_finite = label_predictions(labels, [np.nan, 1, 1, 0])
    assert intervals(CLASSIFICATION, labels, not_finite, {"accuracy": 1.0}) == {}
    assert intervals(CLASSIFICATION, labels, label_predictions(labels, [0, 1, 1, 0]), {"roc_auc": float("nan")}) == {}
