"""Slices: parts of the holdout on which the challenger may be worse, found without being named."""

from typing import Any

import numpy as np
import pytest

from gitops_ml.config import parse
from gitops_ml.training.slices import Slice, slices
from unit.sample import MODEL_TOML
from unit.trial_of import REGRESSION, frame, labels, numbers, trial, version

ROWS = 120
TRUTH = np.tile(["no", "yes"], ROWS // 2)
RIGHT = np.where(TRUTH == "yes", 0.9, 0.1)
SPARSE = np.where(np.arange(ROWS) < 40, np.nan, 1.0)
THIRDS = np.repeat(["a", "b", "c"], ROWS // 3)


def found(champion: bool = False, wrong: Any = None, truth: Any = TRUTH, **columns: Any) -> dict[str, Slice]:
    """The slices of these columns by their names; the challenger is wrong where it is said, the champion nowhere."""
    held = frame(truth, **columns)
    said = np.where(np.zeros(ROWS, dtype=bool) if wrong is None else wrong, RIGHT[::-1], RIGHT)
    right = labels(np.where(RIGHT > 0.5, "yes", "no"), RIGHT)
    ours = version("2", labels(np.where(said > 0.5, "yes", "no"), said), held)
    theirs = version("1", right, held) if champion else None
    return {each.name: each for each in slices(trial(held, ours, theirs))}


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
    "a single class": (TRUTH, set()),
    "hardly a second class": (np.where((TRUTH == "no") | (np.arange(ROWS) < 8), "a", "b"), set()),
}


@pytest.mark.parametrize(("column", "names"), COLUMNS.values(), ids=COLUMNS)
def test_the_slices_of_a_column(column: Any, names: set[str]) -> None:
    """Values where there are few, quartiles of numbers, what is missing; never the whole, and never too few rows."""
    assert set(found(x=column)) == names


def test_those_that_are_shown_have_an_interval() -> None:
    """Where one version is right and the other wrong, it leaves no doubt; the others were not asked."""
    held = frame(TRUTH, x=THIRDS)
    said = np.where(THIRDS == "a", RIGHT[::-1], RIGHT)
    ours, theirs = (
        version(number, labels(np.where(each > 0.5, "yes", "no"), each), held)
        for number, each in (("2", said), ("1", RIGHT))
    )
    worst, *others = slices(trial(held, ours, theirs), shown=1)
    assert (worst.name, worst.loss) == ("x = a", 1.0)
    assert worst.low is not None
    assert worst.high is not None
    assert 0 < worst.low <= 1.0 <= worst.high
    assert {each.low for each in others} == {None}


def test_the_rows_of_a_column_are_each_in_one_slice() -> None:
    """What is missing is in no quartile."""
    named = found(x=np.where(np.arange(ROWS) < 0, np.nan, np.arange(ROWS)))
    assert {each.rows for each in named.values()} == {30}
    values = np.where(np.arange(ROWS) < 30, np.nan, np.arange(ROWS) % 60)
    assert found(x=values)["x is missing"].rows == 30


def test_the_largest_loss_comes_first() -> None:
    """The challenger is wrong about every row of b and half the rows of c; the champion is right everywhere."""
    wrong = (THIRDS == "b") | ((THIRDS == "c") & (np.arange(ROWS) % 4 < 2))
    losses = {name: (each.challenger, each.champion, each.loss) for name, each in found(True, wrong, x=THIRDS).items()}
    assert losses == {"x = b": (0.0, 1.0, 1.0), "x = c": (0.5, 1.0, 0.5), "x = a": (1.0, 1.0, 0.0)}
    assert list(losses) == ["x = b", "x = c", "x = a"]


def test_without_a_champion_the_worst_comes_first() -> None:
    """There is nothing to lose against."""
    named = found(wrong=THIRDS == "c", x=THIRDS)
    assert list(named) == ["x = c", "x = a", "x = b"]
    assert {each.champion for each in named.values()} == {each.loss for each in named.values()} == {None}


def test_where_less_is_better_a_loss_is_more() -> None:
    """The root mean square error of a regression."""
    held = frame(np.zeros(60), x=np.repeat(["a", "b"], 30))
    ours, theirs = (version(n, numbers(np.repeat(said, 30)), held) for n, said in (("2", [1, 3]), ("1", [2, 2])))
    worst, best = slices(trial(held, ours, theirs, config=REGRESSION))
    assert (worst.name, worst.challenger, worst.champion, worst.loss) == ("x = b", 3.0, 2.0, 1.0)
    assert best.loss == -1.0


def test_a_slice_of_three_classes_needs_them_all_for_a_ranking() -> None:
    """The metric is not defined on two of them; nothing is guessed, and nobody is warned."""
    truth = np.tile(["a", "b", "c"], 40)
    held = frame(truth, x=np.where(truth == "c", "two", "one"), y=np.repeat(["p", "q"], 60))
    config = parse(MODEL_TOML.replace('positive = "yes"', ""))
    said = labels(truth, np.full((ROWS, 3), 1 / 3), ("a", "b", "c"))
    assert {each.name for each in slices(trial(held, version("2", said, held), config=config))} == {"y = p", "y = q"}


def test_a_prediction_that_is_no_number_is_in_no_slice() -> None:
    """The gate FINITE speaks about it."""
    said = RIGHT.copy()
    said[0] = np.nan
    held = frame(TRUTH, x=THIRDS)
    ours = version("2", labels(TRUTH, said), held)
    assert {each.name for each in slices(trial(held, ours))} == {"x = b", "x = c"}


def test_a_tiny_holdout_has_no_slices() -> None:
    """Nor does one without features."""
    held = frame(["no", "yes"], x=[1, 2])
    assert slices(trial(held, version("2", labels(["no", "yes"]), held))) == ()
    assert found() == {}
