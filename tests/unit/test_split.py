"""A row always stays on its side of the split, and versions with different splits are not compared."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gitops_ml.config import Repository, SplitConfig, parse_config
from gitops_ml.errors import ConfigError
from gitops_ml.training.split import explain_incomparable_splits, holdout_digest, holdout_mask
from unit.sample import MODEL_TOML, make_rows

HASH = SplitConfig(method="hash", column="id", holdout=0.4)
GROUP = SplitConfig(method="group", column="kind", holdout=0.4)


def cutoff_at(day: int) -> SplitConfig:
    """Split that holds out everything from a day of January on."""
    return SplitConfig(method="time", column="day", cutoff=datetime.date(2026, 1, day))


def repository(split: SplitConfig) -> Repository:
    """A repository with this split; it does not exist on disk."""
    return Repository(Path(), parse_config(MODEL_TOML).model_copy(update={"split": split}))


def held_out(frame: pd.DataFrame, split: SplitConfig = HASH, column: str = "id") -> set[Any]:
    """Values of a column in the held-out rows."""
    return set(frame.loc[holdout_mask(repository(split), frame), column])


CHANGES = {
    "rows added": lambda frame: pd.concat([frame, make_rows(300, seed=1, first=501)]),
    "rows removed": lambda frame: frame.iloc[::3],
    "rows in another order": lambda frame: frame.sample(frac=1, random_state=1),
    "other values": lambda frame: frame.assign(x1=0.0, label="no"),
    "another column": lambda frame: frame.assign(extra=1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_row_stays_on_its_side(change: Any) -> None:
    """So the champion was not trained on a row that is held out today."""
    before, now = make_rows(500), change(make_rows(500))
    both = set(before["id"]) & set(now["id"])
    assert held_out(now) & both == held_out(before) & both


def test_the_split_is_the_same_on_every_machine() -> None:
    """The hash of a key decides its side; if this fails, every champion becomes incomparable."""
    assert sorted(held_out(make_rows(10))) == ["r00001", "r00002", "r00003", "r00006", "r00007", "r00009"]


def test_the_share_is_close_to_the_declared_one() -> None:
    """Hashes behave like random numbers."""
    assert np.mean(holdout_mask(repository(HASH), make_rows(20_000))) == pytest.approx(0.4, abs=0.02)


def test_a_larger_holdout_contains_the_smaller_one() -> None:
    """A larger share moves rows in one direction only."""
    larger = SplitConfig(method="hash", column="id", holdout=0.5)
    assert held_out(make_rows(500)) < held_out(make_rows(500), larger)


def test_a_group_is_not_divided() -> None:
    """Rows with the same value are on one side, whatever is added."""
    frame = make_rows(500).assign(kind=[f"patient {n % 40}" for n in range(500)])
    mask = holdout_mask(repository(GROUP), frame)
    assert set(frame["kind"][mask]) & set(frame["kind"][~mask]) == set()
    assert held_out(frame.head(100), GROUP, "kind") <= held_out(frame, GROUP, "kind")


@pytest.mark.parametrize("kind", [str, pd.Timestamp], ids=["text", "dates"])
def test_time_holds_out_the_newest_rows(kind: Any) -> None:
    """Everything from the cutoff on is held out, including that day."""
    frame = make_rows(31).assign(day=[kind(f"2026-01-{n:02d}") for n in range(1, 32)])
    assert held_out(frame, cutoff_at(30), "day") == {kind("2026-01-30"), kind("2026-01-31")}


REFUSED = {
    "no such column": (
        SplitConfig(method="group", column="patient", holdout=0.4),
        "[split] column 'patient' is not a column",
    ),
    "no dates": (
        SplitConfig(method="time", column="kind", cutoff=datetime.date(2026, 1, 1)),
        "which is not a date: it must be a date in ISO 8601, without an offset",
    ),
    "all after the cutoff": (cutoff_at(1), "[split] holds out 31 of 31 rows; both sides need rows."),
    "none after the cutoff": (
        SplitConfig(method="time", column="day", cutoff=datetime.date(2027, 1, 1)),
        "[split] holds out 0 of 31 rows; both sides need rows.",
    ),
    "one group": (SplitConfig(method="group", column="all", holdout=0.4), "of 31 rows; both sides need rows."),
}


@pytest.mark.parametrize(("split", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_split_that_does_not_fit_the_data_is_refused(split: SplitConfig, sentence: str) -> None:
    """The message names table and column; the split is never guessed."""
    frame = make_rows(31).assign(day=[f"2026-01-{n:02d}" for n in range(1, 32)], all="same")
    with pytest.raises(ConfigError) as caught:
        holdout_mask(repository(split), frame)
    assert sentence in caught.value.problem


COMPARABLE = {
    "the same": (HASH, HASH),
    "the same cutoff": (cutoff_at(5), cutoff_at(5)),
    "a cutoff that moved forward": (cutoff_at(5), cutoff_at(9)),
}
INCOMPARABLE = {
    "another share": (HASH, SplitConfig(method="hash", column="id", holdout=0.3), "hash of 'id' (0.4 of the rows)"),
    "another column": (HASH, SplitConfig(method="hash", column="x1", holdout=0.4), "to hash of 'x1' (0.4 of the rows)"),
    "another method": (HASH, cutoff_at(5), "to time of 'day' (from 2026-01-05)"),
    "a cutoff that moved back": (cutoff_at(9), cutoff_at(5), "from time of 'day' (from 2026-01-09)"),
    "another clock": (cutoff_at(5), cutoff_at(9).model_copy(update={"column": "seen"}), "to time of 'seen'"),
}


@pytest.mark.parametrize(("champion", "challenger"), COMPARABLE.values(), ids=COMPARABLE)
def test_versions_that_held_out_the_same_rows_are_comparable(champion: SplitConfig, challenger: SplitConfig) -> None:
    """The champion was not trained on any row that is held out now."""
    assert explain_incomparable_splits(champion, challenger) is None


@pytest.mark.parametrize(("champion", "challenger", "reason"), INCOMPARABLE.values(), ids=INCOMPARABLE)
def test_versions_with_other_splits_are_incomparable(
    champion: SplitConfig, challenger: SplitConfig, reason: str
) -> None:
    """The message describes both splits."""
    message = explain_incomparable_splits(champion, challenger)
    assert message is not None
    assert message.startswith("the split changed from ")
    assert reason in message


def test_the_holdout_digest_is_independent_of_order() -> None:
    """Neither the order of rows nor of columns matters, but each value does."""
    frame = make_rows(50)
    assert holdout_digest(frame.iloc[::-1][list(frame.columns)[::-1]]) == holdout_digest(frame)
    assert holdout_digest(frame.assign(x1=frame["x1"].where(frame.index != 3, 0.5))) != holdout_digest(frame)
