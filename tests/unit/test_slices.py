"""Slices: parts of the holdout on which the challenger may be worse, found without a declaration."""

from typing import Any

import numpy as np
import pytest

from gitops_ml.config import parse_config
from gitops_ml.training.slices import Slice, measure_slices
from unit.comparison_inputs import (
    REGRESSION,
    comparison_input,
    frame,
    label_predictions,
    number_predictions,
    scored_version,
)
from unit.sample import MODEL_TOML

ROWS = 120
LABELS = np.tile(["no", "yes"], ROWS // 2)
RIGHT = np.where(LABELS == "yes", 0.9, 0.1)
SPARSE = np.where(np.arange(ROWS) < 40, np.nan, 1.0)
THIRDS = np.repeat(["a", "b", "c"], ROWS // 3)


def slices_of(has_champion: bool = False, wrong: Any = None, labels: Any = LABELS, **columns: Any) -> dict[str, Slice]:
    """Slices of these columns by name; the challenger is wrong on some rows, the champion on none."""
    held = frame(labels, **columns)
    probabilities = np.where(np.zeros(ROWS, dtype=bool) if wrong is None else wrong, RIGHT[::-1], RIGHT)
    right = label_predictions(np.where(RIGHT > 0.5, "yes", "no"), RIGHT)
    challenger = scored_version("2", label_predictions(np.where(probabilities > 0.5, "yes", "no"), probabilities), held)
    champion = scored_version("1", right, held) if has_champion else None
    return {each.name: each for each in measure_slices(comparison_input(held, challenger, champion))}


# the column, and the slices that it gives
COLUMNS: dict[str, tuple[Any, set[str]]] = {
    "text": (THIRDS, {"x = a", "x = b", "x = c"}),
    "bool": (np.repeat([True, False], 60), {"x = True", "x = False"}),
    "few numbers": (np.repeat([1, 2, 3], 40), {"x = 1", "x = 2", "x = 3"}),
    "numbers": (np.arange(ROWS), {"x < 29.75", "x in [29.75, 59.5)", "x in [59.5, 89.25)", "x ≥ 89.25"}),
    "missing numbers": (SPARSE, {"x is missing", "x = 1.0"}),
    "many texts": ([f"t{n}" for n in range(ROWS)], set()),
    "a constant": (np.ones(ROWS), set()),
    "nothing there": (np.full(ROWS, np.nan), set()),
    "too small": (np.repeat(["a", "b"], [29, 91]), {"x = b"}),
    "just large enough": (np.repeat(["a", "b"], [30, 90]), {"x = a", "x = b"}),
    "a single class": (LABELS, set()),
    "hardly a second class": (np.where((LABELS == "no") | (np.arange(ROWS) < 8), "a", "b"), set()),
}


@pytest.mark.parametrize(("column", "names"), COLUMNS.values(), ids=COLUMNS)
def test_the_slices_of_a_column(column: Any, names: set[str]) -> None:
    """A column is divided by value, into quartiles, and by missing values; never all rows, and never too few."""
    assert set(slices_of(x=column)) == names


def test_shown_slices_have_an_interval() -> None:
    """With one right and one wrong version, the interval excludes zero; other slices have none."""
    held = frame(LABELS, x=THIRDS)
    probabilities = np.where(THIRDS == "a", RIGHT[::-1], RIGHT)
    challenger, champion = (
        scored_version(number, label_predictions(np.where(each > 0.5, "yes", "no"), each), held)
        for number, each in (("2", probabilities), ("1", RIGHT))
    )
    worst, *others = measure_slices(comparison_input(held, challenger, champion), shown=1)
    assert (worst.name, worst.loss) == ("x = a", 1.0)
    assert worst.low is not None
    assert worst.high is not None
    assert 0 < worst.low <= 1.0 <= worst.high
    assert {each.low for each in others} == {None}


def test_each_row_is_in_one_slice_of_a_column() -> None:
    """A missing value is in no quartile."""
    by_name = slices_of(x=np.where(np.arange(ROWS) < 0, np.nan, np.arange(ROWS)))
    assert {each.rows for each in by_name.values()} == {30}
    values = np.where(np.arange(ROWS) < 30, np.nan, np.arange(ROWS) % 60)
    assert slices_of(x=values)["x is missing"].rows == 30


def test_the_largest_loss_comes_first() -> None:
    """The challenger is wrong on every row of b and half the rows of c; the champion is right everywhere."""
    wrong = (THIRDS == "b") | ((THIRDS == "c") & (np.arange(ROWS) % 4 < 2))
    losses = {
        name: (each.challenger, each.champion, each.loss) for name, each in slices_of(True, wrong, x=THIRDS).items()
    }
    assert losses == {"x = b": (0.0, 1.0, 1.0), "x = c": (0.5, 1.0, 0.5), "x = a": (1.0, 1.0, 0.0)}
    assert list(losses) == ["x = b", "x = c", "x = a"]


def test_without_a_champion_the_worst_comes_first() -> None:
    """Without a champion there is no loss."""
    by_name = slices_of(wrong=THIRDS == "c", x=THIRDS)
    assert list(by_name) == ["x = c", "x = a", "x = b"]
    assert {each.champion for each in by_name.values()} == {each.loss for each in by_name.values()} == {None}


def test_a_larger_error_is_a_loss() -> None:
    """The metric is the root mean square error of a regression."""
    held = frame(np.zeros(60), x=np.repeat(["a", "b"], 30))
    challenger, champion = (
        scored_version(n, number_predictions(np.repeat(probabilities, 30)), held)
        for n, probabilities in (("2", [1, 3]), ("1", [2, 2]))
    )
    worst, best = measure_slices(comparison_input(held, challenger, champion, config=REGRESSION))
    assert (worst.name, worst.challenger, worst.champion, worst.loss) == ("x = b", 3.0, 2.0, 1.0)
    assert best.loss == -1.0


def test_ranking_three_classes_needs_rows_of_two() -> None:
    """The mean is over the classes that a slice has; it is not defined on one of them, which raises no warning."""
    labels = np.tile(["a", "b", "c"], 40)
    held = frame(labels, x=np.where(labels == "c", "two", "one"), y=np.repeat(["p", "q"], 60))
    config = parse_config(MODEL_TOML.replace('positive = "yes"', ""))
    probabilities = label_predictions(labels, np.full((ROWS, 3), 1 / 3), ("a", "b", "c"))
    assert {
        each.name
        for each in measure_slices(comparison_input(held, scored_version("2", probabilities, held), config=config))
    } == {"x = one", "y = p", "y = q"}


def test_a_slice_with_nan_is_left_out() -> None:
    """The gate FINITE handles it."""
    probabilities = RIGHT.copy()
    probabilities[0] = np.nan
    held = frame(LABELS, x=THIRDS)
    challenger = scored_version("2", label_predictions(LABELS, probabilities), held)
    assert {each.name for each in measure_slices(comparison_input(held, challenger))} == {"x = b", "x = c"}


def test_a_tiny_holdout_has_no_slices() -> None:
    """A holdout without features has none either."""
    held = frame(["no", "yes"], x=[1, 2])
    assert measure_slices(comparison_input(held, scored_version("2", label_predictions(["no", "yes"]), held))) == ()
    assert slices_of() == {}
