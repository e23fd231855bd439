"""Key samples estimate the share of rows in one set that another set does not have."""

import pandas as pd
import pytest

from gitops_ml.training.key_sample import SIZE, sample_keys, share_new


def keys(first: int, number: int) -> pd.Series:
    """Keys from a number on."""
    return pd.Series([f"r{n}" for n in range(first, first + number)], name="id")


# the current keys, the seen ones, the share that is new
SHARES = {
    "nothing new": ((0, 500), (0, 500), 0.0),
    "all new": ((500, 500), (0, 500), 1.0),
    "a quarter new": ((0, 400), (0, 300), 0.25),
    "fewer than before": ((0, 300), (0, 500), 0.0),
    "half replaced": ((250, 500), (0, 500), 0.5),
}


@pytest.mark.parametrize(("current", "seen", "share"), SHARES.values(), ids=SHARES)
def test_the_share_is_exact_for_small_sets(current: tuple[int, int], seen: tuple[int, int], share: float) -> None:
    """A sample of at most 1024 keys holds all of them."""
    assert share_new(sample_keys(keys(*current)), sample_keys(keys(*seen))) == share


@pytest.mark.parametrize(("current", "seen", "share"), SHARES.values(), ids=SHARES)
def test_the_share_is_estimated_for_large_sets(current: tuple[int, int], seen: tuple[int, int], share: float) -> None:
    """With a hundred times as many rows, the error is within four standard errors."""
    large = [sample_keys(keys(first * 100, number * 100)) for first, number in (current, seen)]
    assert share_new(*large) == pytest.approx(share, abs=4 * (0.25 / SIZE) ** 0.5)


def test_a_sample_is_small_and_independent_of_order() -> None:
    """The sample is stored with the model."""
    large = sample_keys(keys(0, 50_000))
    assert len(large) == SIZE
    assert sample_keys(keys(0, 50_000).sample(frac=1, random_state=1)) == large


def test_keys_that_cannot_be_compared_are_not_new() -> None:
    """The samples of three rows and of a million rows may have no comparable hash."""
    assert share_new([2**63], list(range(SIZE))) == 0.0
    assert share_new([], [1, 2]) == 0.0
