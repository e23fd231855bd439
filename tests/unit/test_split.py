"""The split: a row is on one side for ever, and two versions with other splits are not compared."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gitops_ml.config import Repository, Split, parse
from gitops_ml.errors import ConfigError
from gitops_ml.training.split import holdout_digest, holdout_mask, incomparable
from unit.sample import MODEL_TOML, rows

HASH = Split(method="hash", column="id", holdout=0.4)
GROUP = Split(method="group", column="kind", holdout=0.4)


def after(day: int) -> Split:
    """Everything from a day of January on is held out."""
    return Split(method="time", column="day", cutoff=datetime.date(2026, 1, day))


def repository(split: Split) -> Repository:
    """A repository with this split; nothing of it is on disk."""
    return Repository(Path(), parse(MODEL_TOML).model_copy(update={"split": split}))


def held(frame: pd.DataFrame, split: Split = HASH, column: str = "id") -> set[Any]:
    """What is held out."""
    return set(frame.loc[holdout_mask(repository(split), frame), column])


CHANGES = {
    "rows added": lambda frame: pd.concat([frame, rows(300, seed=1, first=501)]),
    "rows removed": lambda frame: frame.iloc[::3],
    "rows in another order": lambda frame: frame.sample(frac=1, random_state=1),
    "other values": lambda frame: frame.assign(x1=0.0, label="no"),
    "another column": lambda frame: frame.assign(extra=1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_row_stays_on_its_side(change: Any) -> None:
    """So the champion was never trained on a row that is held out today."""
    before, now = rows(500), change(rows(500))
    both = set(before["id"]) & set(now["id"])
    assert held(now) & both == held(before) & both


def test_a_side_is_the_same_on_every_machine() -> None:
    """What a key's hash decided once holds for ever; if this fails, every champion becomes incomparable."""
    assert sorted(held(rows(10))) == ["r00001", "r00002", "r00003", "r00006", "r00007", "r00009"]


def test_the_share_is_about_what_was_declared() -> None:
    """Hashes are as good as random."""
    assert np.mean(holdout_mask(repository(HASH), rows(20_000))) == pytest.approx(0.4, abs=0.02)


def test_a_larger_holdout_holds_the_smaller_one() -> None:
    """Raising the share moves rows one way only."""
    larger = Split(method="hash", column="id", holdout=0.5)
    assert held(rows(500)) < held(rows(500), larger)


def test_a_group_is_together() -> None:
    """Rows that share the value are all on one side, whatever is added."""
    frame = rows(500).assign(kind=[f"patient {n % 40}" for n in range(500)])
    mask = holdout_mask(repository(GROUP), frame)
    assert set(frame["kind"][mask]) & set(frame["kind"][~mask]) == set()
    assert held(frame.head(100), GROUP, "kind") <= held(frame, GROUP, "kind")


@pytest.mark.parametrize("kind", [str, pd.Timestamp], ids=["text", "dates"])
def test_time_holds_out_the_newest(kind: Any) -> None:
    """Everything from the cutoff on, that day included."""
    frame = rows(31).assign(day=[kind(f"2026-01-{n:02d}") for n in range(1, 32)])
    assert held(frame, after(30), "day") == {kind("2026-01-30"), kind("2026-01-31")}


REFUSED = {
    "no such column": (
        Split(method="group", column="patient", holdout=0.4),
        "[split] column 'patient' is not a column",
    ),
    "no dates": (
        Split(method="time", column="kind", cutoff=datetime.date(2026, 1, 1)),
        "'kind' holds something that is",
    ),
    "all after the cutoff": (after(1), "[split] holds out 31 of 31 rows; both sides need rows."),
    "none after the cutoff": (
        Split(method="time", column="day", cutoff=datetime.date(2027, 1, 1)),
        "[split] holds out 0 of 31 rows; both sides need rows.",
    ),
    "one group": (Split(method="group", column="all", holdout=0.4), "of 31 rows; both sides need rows."),
}


@pytest.mark.parametrize(("split", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_split_that_does_not_fit_the_data_is_refused(split: Split, sentence: str) -> None:
    """A sentence with table and column; the split is never guessed."""
    frame = rows(31).assign(day=[f"2026-01-{n:02d}" for n in range(1, 32)], all="same")
    with pytest.raises(ConfigError) as caught:
        holdout_mask(repository(split), frame)
    assert sentence in caught.value.what


COMPARABLE = {
    "the same": (HASH, HASH),
    "the same cutoff": (after(5), after(5)),
    "a cutoff that moved forward": (after(5), after(9)),
}
INCOMPARABLE = {
    "another share": (HASH, Split(method="hash", column="id", holdout=0.3), "hash of 'id' (0.4 of the rows)"),
    "another column": (HASH, Split(method="hash", column="x1", holdout=0.4), "to hash of 'x1' (0.4 of the rows)"),
    "another method": (HASH, after(5), "to time of 'day' (from 2026-01-05)"),
    "a cutoff that moved back": (after(9), after(5), "from time of 'day' (from 2026-01-09)"),
    "another clock": (after(5), after(9).model_copy(update={"column": "seen"}), "to time of 'seen'"),
}


@pytest.mark.parametrize(("champion", "challenger"), COMPARABLE.values(), ids=COMPARABLE)
def test_versions_that_held_out_the_same_rows_are_comparable(champion: Split, challenger: Split) -> None:
    """The champion was trained on no row that is held out now."""
    assert incomparable(champion, challenger) is None


@pytest.mark.parametrize(("champion", "challenger", "why"), INCOMPARABLE.values(), ids=INCOMPARABLE)
def test_versions_with_other_splits_say_why_they_are_incomparable(champion: Split, challenger: Split, why: str) -> None:
    """With both splits in words."""
    said = incomparable(champion, challenger)
    assert said is not None
    assert said.startswith("the split changed from ")
    assert why in said


def test_the_holdouts_digest_does_not_depend_on_order() -> None:
    """Neither of rows nor of columns; on each value it does."""
    frame = rows(50)
    assert holdout_digest(frame.iloc[::-1][list(frame.columns)[::-1]]) == holdout_digest(frame)
    assert holdout_digest(frame.assign(x1=frame["x1"].where(frame.index != 3, 0.5))) != holdout_digest(frame)
