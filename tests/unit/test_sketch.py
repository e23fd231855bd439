"""The sketch of a set of rows tells which share of another set is new."""

import pandas as pd
import pytest

from gitops_ml.training.sketch import SIZE, share_new, sketch


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
    """Up to as many rows as a sketch holds."""
    assert share_new(sketch(keys(*current)), sketch(keys(*seen))) == share


@pytest.mark.parametrize(("current", "seen", "share"), SHARES.values(), ids=SHARES)
def test_the_share_is_near_for_large_sets(current: tuple[int, int], seen: tuple[int, int], share: float) -> None:
    """A hundred times as many rows: within four standard errors."""
    large = [sketch(keys(first * 100, number * 100)) for first, number in (current, seen)]
    assert share_new(*large) == pytest.approx(share, abs=4 * (0.25 / SIZE) ** 0.5)


def test_a_sketch_is_small_and_does_not_depend_on_order() -> None:
    """It travels with the model."""
    large = sketch(keys(0, 50_000))
    assert len(large) == SIZE
    assert sketch(keys(0, 50_000).sample(frac=1, random_state=1)) == large


def test_what_cannot_be_told_is_not_new() -> None:
    """Three rows beside a million seen: the sketches may have nothing in common to judge by."""
    assert share_new([2**63], list(range(SIZE))) == 0.0
    assert share_new([], [1, 2]) == 0.0
