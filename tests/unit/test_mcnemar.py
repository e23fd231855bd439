"""McNemar's test counts the rows on which one classifier alone is right."""

import numpy as np
import pytest
from scipy.stats import binom

from gitops_ml.predictions import Predictions
from gitops_ml.training.mcnemar import McNemar, mcnemar

TRUTH = np.full(100, "yes")


def right_on(start: int, end: int) -> Predictions:
    """A classifier that is right on these rows alone."""
    place = np.arange(len(TRUTH))
    return Predictions(np.where((place >= start) & (place < end), "yes", "no"), None, ("no", "yes"))


def test_only_rows_on_which_one_alone_is_right_count() -> None:
    """60 on which both are right say nothing; of 10 others, 8 speak for the challenger: two tails of a fair coin."""
    found = mcnemar(TRUTH, right_on(0, 68), right_on(8, 70))
    assert found is not None
    assert (found.better, found.worse) == (8, 2)
    assert found.p_value == pytest.approx(2 * binom.cdf(2, 10, 0.5), abs=1e-12)


def test_it_does_not_matter_who_is_called_better() -> None:
    """The two swapped: the counts are, and the probability is the same."""
    ours, theirs = right_on(0, 68), right_on(8, 70)
    there, back = mcnemar(TRUTH, ours, theirs), mcnemar(TRUTH, theirs, ours)
    assert there is not None
    assert back == McNemar(there.worse, there.better, there.p_value)


def test_the_same_answers_are_no_evidence() -> None:
    """No row tells the two apart."""
    assert mcnemar(TRUTH, right_on(0, 50), right_on(0, 50)) == McNemar(0, 0, 1.0)


def test_numbers_are_neither_right_nor_wrong() -> None:
    """A regression has no such test."""
    said = Predictions(np.zeros(100), None, ())
    assert mcnemar(np.zeros(100), said, said) is None
