"""Shifts: what changed in the data since the champion was trained."""

from dataclasses import replace
from math import log
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gitops_ml.bins import bins, count, counted
from gitops_ml.config import Config
from gitops_ml.training.reference import reference
from gitops_ml.training.shifts import Changes, changes
from unit.trial_of import REGRESSION, frame, labels, numbers, trial, version

SAID = labels(["no", "yes"], [0.1, 0.9])


def changed(
    before: pd.DataFrame, after: pd.DataFrame, *, data: str = "sha256:new", older: bool = False, **rules: Config
) -> Changes:
    """What changed from the champion's rows to the challenger's."""
    said = numbers([0, 1]) if rules else SAID
    theirs, ours = version("1", said, before), version("2", said, after, data=data)
    if older:
        theirs = replace(theirs, reference={k: v for k, v in theirs.reference.items() if k != "target"})
    held = frame(["no", "yes"])
    found = changes(trial(held, ours, theirs, trained=after, **rules))
    assert found is not None
    return found


def halves(number: int, share: float, *values: Any) -> list[Any]:
    """So many values, a share of them the first."""
    first = round(number * share)
    return [values[0]] * first + [values[1]] * (number - first)


def test_the_index_of_a_category_by_hand() -> None:
    """Half a row is added to each bin: of 100 rows, 50.5 / 101 were a; now 80.5 / 101 are."""
    label = ["no", "yes"] * 50
    found = changed(frame(label, kind=halves(100, 0.5, "a", "b")), frame(label, kind=halves(100, 0.8, "a", "b")))
    a, b = 80.5 / 101, 20.5 / 101
    (shift,) = found.shifts
    assert shift.psi == pytest.approx((a - 0.5) * log(a / 0.5) + (b - 0.5) * log(b / 0.5))
    assert shift.chance == pytest.approx((1 / 100 + 1 / 100) * 3.8415, abs=1e-4)
    assert (shift.largest.what, shift.largest.before, shift.largest.after) == ("kind = a", 0.5, 0.8)


def test_the_index_counts_into_the_champions_bins() -> None:
    """Every number moved beyond what had been the largest tenth."""
    label = ["no", "yes"] * 50
    (shift,) = changed(frame(label, x=np.arange(100.0)), frame(label, x=np.arange(100.0) + 100)).shifts
    assert (shift.largest.what, shift.largest.before, shift.largest.after) == ("x ≥ 89.1", 0.1, 1.0)
    assert shift.psi > 4


def test_a_new_category_and_missing_values_have_bins() -> None:
    """Both are news."""
    label = ["no", "yes"] * 4
    before = frame(label, kind=["a", "b"] * 4, x=[1.0, 2.0] * 4)
    after = frame(label, kind=["a", "new"] * 4, x=[1.0, None] * 4)
    moved = {shift.column: shift.largest for shift in changed(before, after).shifts}
    assert (moved["kind"].what, moved["kind"].after) in {("kind is anything else", 0.5), ("kind = b", 0.0)}
    assert moved["x"].before in {0.0, 0.5}


def test_what_cannot_be_binned_has_no_index() -> None:
    """A constant, a column of another type, and a text that never repeats."""
    label = ["no", "yes"] * 50
    before = frame(label, one=1.0, kind=["1"] * 100, name=[f"a{n}" for n in range(100)])
    after = frame(label, one=1.0, kind=[1] * 100, name=[f"b{n}" for n in range(100)])
    found = changed(before, after)
    assert found.shifts == ()
    assert set(found.retyped) == {"kind"}


def test_the_five_largest_come_first() -> None:
    """Of six columns that moved by six amounts."""
    label = ["no", "yes"] * 50
    columns = {f"c{n}": halves(100, 0.5 + n / 20, "a", "b") for n in range(7)}
    found = changed(frame(label, **dict.fromkeys(columns, halves(100, 0.5, "a", "b"))), frame(label, **columns))
    assert [shift.column for shift in found.shifts] == ["c6", "c5", "c4", "c3", "c2"]


def test_columns_come_and_go() -> None:
    """And types change."""
    label = ["no", "yes"]
    found = changed(frame(label, x=[1, 2], gone=[1, 2]), frame(label, x=[1.5, 2], new=["a", "b"]))
    assert (found.added, found.removed, found.retyped) == (("new",), ("gone",), {"x": ("int64", "float64")})


def test_the_balance_of_the_target() -> None:
    """Of a label that came, too; whatever type labels have."""
    moved = changed(frame([0, 1, 1, 1]), frame([0, 0, 1, 2])).target
    assert [(each.what, each.unit, each.before, each.after) for each in moved] == [
        ("0", "share", 0.25, 0.5), ("1", "share", 0.75, 0.25), ("2", "share", 0.0, 0.25),
    ]  # fmt: skip


def test_the_mean_of_a_target_of_numbers() -> None:
    """And its standard deviation."""
    moved = changed(frame([0.0, 2.0]), frame([1.0, 5.0]), config=REGRESSION).target
    assert [(each.what, each.before, each.after) for each in moved] == [
        ("mean", 1.0, 3.0), ("standard deviation", 1.0, 2.0),
    ]  # fmt: skip


def test_an_older_run_says_nothing_of_its_target() -> None:
    """What it did not write down is left out; the rest is compared all the same."""
    found = changed(frame(["no", "yes"] * 2, x=[1, 2] * 2), frame(["no", "yes"] * 2, x=[3, 4] * 2), older=True)
    assert [each.before for each in found.target] == [None, None]
    assert found.shifts


def test_the_same_data_has_no_shifts() -> None:
    """Equal digests are equal data, and nothing is counted."""
    rows = frame(["no", "yes"], x=[1, 2])
    found = changed(rows, rows, data="sha256:d")
    assert found.same
    assert found.shifts == ()


def test_of_a_challenger_whose_rows_are_elsewhere_no_shift_is_known() -> None:
    """Its rows could not be counted; the report says so."""
    rows = frame(["no", "yes"], x=[1, 2])
    found = trial(rows, version("2", SAID, rows, data="sha256:new"), version("1", SAID, rows))
    prepared = replace(found.prepared, lineage=found.prepared.lineage.model_copy(update={"data": "sha256:other"}))
    said = changes(replace(found, prepared=prepared))
    assert said is not None
    assert said.shifts == ()
    assert "other rows" in str(said.unknown)


def test_without_a_champion_there_is_nothing_to_compare_with() -> None:
    """The first version has no before."""
    rows = frame(["no", "yes"])
    assert changes(trial(rows, version("1", SAID, rows))) is None


COLUMNS: dict[str, list[Any]] = {
    "numbers": [1.0, 2.0, None, 4.0],
    "texts": ["a", "b", None, "a"],
    "bools": [True, False, True, True],
    "nothing": [np.nan] * 4,
}


@pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS)
def test_counting_again_finds_the_same_counts(values: list[Any]) -> None:
    """In as many bins as there are names for."""
    column = pd.Series(values, name="x")
    described = reference(column.to_frame(), pd.Series(["no"] * 4), SAID, "yes")["columns"]["x"]
    assert count(column, described) in (counted(described), None if not column.notna().any() else counted(described))
    assert len(bins(described)) == len(counted(described))
