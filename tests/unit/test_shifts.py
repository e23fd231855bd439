"""Shifts: changes in the data since the champion was trained."""

from dataclasses import replace
from math import log
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gitops_ml.bins import bin_counts, bin_labels, count_by_bin
from gitops_ml.config import Config
from gitops_ml.training.reference import reference
from gitops_ml.training.shifts import DataChanges, find_data_changes
from unit.comparison_inputs import (
    REGRESSION,
    comparison_input,
    frame,
    label_predictions,
    number_predictions,
    scored_version,
)

PREDICTIONS = label_predictions(["no", "yes"], [0.1, 0.9])


def data_changes(
    before: pd.DataFrame, after: pd.DataFrame, *, data: str = "sha256:new", older: bool = False, **options: Config
) -> DataChanges:
    """Changes from the champion's rows to the challenger's."""
    predictions = number_predictions([0, 1]) if options else PREDICTIONS
    champion, challenger = scored_version("1", predictions, before), scored_version("2", predictions, after, data=data)
    if older:
        champion = replace(champion, reference={k: v for k, v in champion.reference.items() if k != "target"})
    held = frame(["no", "yes"])
    found = find_data_changes(comparison_input(held, challenger, champion, trained=after, **options))
    assert found is not None
    return found


def two_values(number: int, share: float, *values: Any) -> list[Any]:
    """A list of two values, with a share of the first."""
    first = round(number * share)
    return [values[0]] * first + [values[1]] * (number - first)


def test_the_index_of_a_category_by_hand() -> None:
    """Half a row is added to each bin: of 100 rows, 50.5 / 101 were a; now 80.5 / 101 are."""
    label = ["no", "yes"] * 50
    found = data_changes(
        frame(label, kind=two_values(100, 0.5, "a", "b")), frame(label, kind=two_values(100, 0.8, "a", "b"))
    )
    a, b = 80.5 / 101, 20.5 / 101
    (shift,) = found.shifts
    assert shift.psi == pytest.approx((a - 0.5) * log(a / 0.5) + (b - 0.5) * log(b / 0.5))
    assert shift.chance == pytest.approx((1 / 100 + 1 / 100) * 3.8415, abs=1e-4)
    assert (shift.largest.what, shift.largest.before, shift.largest.after) == ("kind = a", 0.5, 0.8)


def test_the_index_counts_into_the_champions_bins() -> None:
    """Every number moved above the champion's highest tenth."""
    label = ["no", "yes"] * 50
    (shift,) = data_changes(frame(label, x=np.arange(100.0)), frame(label, x=np.arange(100.0) + 100)).shifts
    assert (shift.largest.what, shift.largest.before, shift.largest.after) == ("x ≥ 89.1", 0.1, 1.0)
    assert shift.psi > 4


def test_a_new_category_and_missing_values_have_bins() -> None:
    """Both are shifts."""
    label = ["no", "yes"] * 4
    before = frame(label, kind=["a", "b"] * 4, x=[1.0, 2.0] * 4)
    after = frame(label, kind=["a", "new"] * 4, x=[1.0, None] * 4)
    moved = {shift.column: shift.largest for shift in data_changes(before, after).shifts}
    assert (moved["kind"].what, moved["kind"].after) in {("kind is anything else", 0.5), ("kind = b", 0.0)}
    assert moved["x"].before in {0.0, 0.5}


def test_columns_without_bins_have_no_index() -> None:
    """These are a constant, a column of another type, and a text that never repeats."""
    label = ["no", "yes"] * 50
    before = frame(label, one=1.0, kind=["1"] * 100, name=[f"a{n}" for n in range(100)])
    after = frame(label, one=1.0, kind=[1] * 100, name=[f"b{n}" for n in range(100)])
    found = data_changes(before, after)
    assert found.shifts == ()
    assert set(found.retyped) == {"kind"}


def test_the_five_largest_come_first() -> None:
    """Six columns moved by six amounts."""
    label = ["no", "yes"] * 50
    columns = {f"c{n}": two_values(100, 0.5 + n / 20, "a", "b") for n in range(7)}
    found = data_changes(
        frame(label, **dict.fromkeys(columns, two_values(100, 0.5, "a", "b"))), frame(label, **columns)
    )
    assert [shift.column for shift in found.shifts] == ["c6", "c5", "c4", "c3", "c2"]


def test_added_removed_and_retyped_columns() -> None:
    """Each is listed."""
    label = ["no", "yes"]
    found = data_changes(frame(label, x=[1, 2], gone=[1, 2]), frame(label, x=[1.5, 2], new=["a", "b"]))
    assert (found.added, found.removed, found.retyped) == (("new",), ("gone",), {"x": ("int64", "float64")})


def test_the_balance_of_the_target() -> None:
    """New labels are included, and labels may have any type."""
    moved = data_changes(frame([0, 1, 1, 1]), frame([0, 0, 1, 2])).target
    assert [(each.what, each.unit, each.before, each.after) for each in moved] == [
        ("0", "share", 0.25, 0.5), ("1", "share", 0.75, 0.25), ("2", "share", 0.0, 0.25),
    ]  # fmt: skip


def test_the_mean_of_a_numeric_target() -> None:
    """The standard deviation is shown too."""
    moved = data_changes(frame([0.0, 2.0]), frame([1.0, 5.0]), config=REGRESSION).target
    assert [(each.what, each.before, each.after) for each in moved] == [
        ("mean", 1.0, 3.0), ("standard deviation", 1.0, 2.0),
    ]  # fmt: skip


def test_an_older_run_did_not_record_its_target() -> None:
    """The missing values are None; everything else is compared."""
    found = data_changes(frame(["no", "yes"] * 2, x=[1, 2] * 2), frame(["no", "yes"] * 2, x=[3, 4] * 2), older=True)
    assert [each.before for each in found.target] == [None, None]
    assert found.shifts


def test_the_same_data_has_no_shifts() -> None:
    """Equal digests are equal data, and nothing is counted."""
    rows = frame(["no", "yes"], x=[1, 2])
    found = data_changes(rows, rows, data="sha256:d")
    assert found.same
    assert found.shifts == ()


def test_shifts_need_the_challengers_rows() -> None:
    """Without its rows the shifts cannot be measured, and the report gives the reason."""
    rows = frame(["no", "yes"], x=[1, 2])
    found = comparison_input(
        rows, scored_version("2", PREDICTIONS, rows, data="sha256:new"), scored_version("1", PREDICTIONS, rows)
    )
    prepared = replace(found.prepared, lineage=found.prepared.lineage.model_copy(update={"data": "sha256:other"}))
    predictions = find_data_changes(replace(found, prepared=prepared))
    assert predictions is not None
    assert predictions.shifts == ()
    assert "other rows" in str(predictions.unknown)


def test_without_a_champion_there_is_nothing_to_compare_with() -> None:
    """The first version has no changes."""
    rows = frame(["no", "yes"])
    assert find_data_changes(comparison_input(rows, scored_version("1", PREDICTIONS, rows))) is None


COLUMNS: dict[str, list[Any]] = {
    "numbers": [1.0, 2.0, None, 4.0],
    "texts": ["a", "b", None, "a"],
    "bools": [True, False, True, True],
    "nothing": [np.nan] * 4,
}


@pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS)
def test_counting_again_finds_the_same_counts(values: list[Any]) -> None:
    """There are as many counts as bin labels."""
    column = pd.Series(values, name="x")
    described = reference(column.to_frame(), pd.Series(["no"] * 4), PREDICTIONS, "yes")["columns"]["x"]
    assert count_by_bin(column, described) in (
        bin_counts(described),
        None if not column.notna().any() else bin_counts(described),
    )
    assert len(bin_labels(described)) == len(bin_counts(described))
