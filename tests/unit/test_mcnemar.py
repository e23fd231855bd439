"""McNemar's test counts the rows on which only one of two classifiers is right."""

import numpy as np
import pytest
from scipy.stats import binom

from gitops_ml.predictions import Predictions
from gitops_ml.training.mcnemar import McNemar, mcnemar

LABELS = np.full(100, "yes")


def right_on(start: int, end: int) -> Predictions:
    """Predictions that are right on these rows only."""
    index = np.arange(len(LABELS))
    return Predictions(np.where((index >= start) & (index < end), "yes", "no"), None, ("no", "yes"))


def test_only_rows_with_one_right_classifier_count() -> None:
    """Ten rows have one right classifier, and 8 of them favor the challenger: two tails of a fair coin."""
    test = mcnemar(LABELS, right_on(0, 68), right_on(8, 70))
    assert test is not None
    assert (test.better, test.worse) == (8, 2)
    assert test.p_value == pytest.approx(2 * binom.cdf(2, 10, 0.5), abs=1e-12)


def test_swapping_the_classifiers_swaps_the_counts() -> None:
    """The p-value stays the same."""
    challenger, other = right_on(0, 68), right_on(8, 70)
    forward, backward = mcnemar(LABELS, challenger, other), mcnemar(LABELS, other, challenger)
    assert forward is not None
    assert backward == McNemar(forward.worse, forward.better, forward.p_value)


def test_equal_predictions_are_no_evidence() -> None:
    """No row distinguishes the two classifiers."""
    assert mcnemar(LABELS, right_on(0, 50), right_on(0, 50)) == McNemar(0, 0, 1.0)


def test_regression_has_no_test() -> None:
    """A number is neither right nor wrong."""
    predictions = Predictions(np.zeros(100), None, ())
    assert mcnemar(np.zeros(100), predictions, predictions) is None
