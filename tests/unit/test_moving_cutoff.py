"""A split that holds out the newest share: training rows grow, and no version is judged by rows it was trained on."""

import datetime
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gitops_ml.config import Repository, SplitConfig, parse_config
from gitops_ml.errors import ConfigError
from gitops_ml.forge.data_pull_request_text import render_ingestion
from gitops_ml.predictions import Predictions
from gitops_ml.run import Lineage, Run
from gitops_ml.training.additions import additions
from gitops_ml.training.comparable_rows import explain_later_cutoff, keep_comparable_rows, training_cutoff
from gitops_ml.training.comparison_input import ComparisonInput, ScoredVersion
from gitops_ml.training.row_fingerprints import find_row_changes, fingerprint_rows
from gitops_ml.training.split import explain_incomparable_splits, holdout_mask, resolve_cutoff
from gitops_ml.training.train import PreparedData
from unit.sample import MODEL_TOML, Project, make_rows

NEWEST = SplitConfig(method="time", column="day", holdout=0.2)
FIXED = SplitConfig(method="time", column="day", cutoff=datetime.date(2026, 1, 5))
OLD = '[split]\nmethod = "hash"\ncolumn = "id"\nholdout = 0.4'
NEW = '[split]\nmethod = "time"\ncolumn = "day"\nholdout = 0.2'


def dated_rows(number: int, start: str = "2026-01-01", first: int = 1, per_day: int = 1) -> pd.DataFrame:
    """Return rows of which so many have the same day."""
    days = pd.date_range(start, periods=-(-number // per_day)).repeat(per_day)[:number]
    return make_rows(number, seed=first, first=first).assign(day=days.strftime("%Y-%m-%d"))


def with_split(split: SplitConfig) -> Repository:
    """Return a repository with this split; it does not exist on disk."""
    return Repository(Path(), parse_config(MODEL_TOML).model_copy(update={"split": split}))


def held_out(frame: pd.DataFrame, split: SplitConfig = NEWEST) -> set[str]:
    """Return the keys of the held-out rows."""
    return set(frame["id"][holdout_mask(with_split(split), frame)])


# rows, and how many of them are held out
SHARES = {
    "one row a day": (dated_rows(100), 20),
    "in another order": (dated_rows(100).sample(frac=1, random_state=1), 20),
    "ten rows a day": (dated_rows(100, per_day=10), 20),
    "a day is not divided": (dated_rows(100, per_day=30), 40),
    "two rows": (dated_rows(2), 1),
}


@pytest.mark.parametrize(("frame", "number"), SHARES.values(), ids=SHARES)
def test_the_newest_share_is_held_out(frame: pd.DataFrame, number: int) -> None:
    """All held-out rows are newer than all training rows."""
    mask = holdout_mask(with_split(NEWEST), frame)
    assert mask.sum() == number
    assert frame["day"][mask].min() > frame["day"][~mask].max()
    assert frame["day"][mask].min() == str(resolve_cutoff(with_split(NEWEST).config, frame))[:10]


def test_rows_added_later_move_the_cutoff() -> None:
    """With a fixed cutoff the training rows never grow; with a share they do."""
    before = dated_rows(100)
    after = pd.concat([before, dated_rows(50, "2026-04-11", first=101)])
    fixed = SplitConfig(method="time", column="day", cutoff=resolve_cutoff(with_split(NEWEST).config, before).date())  # type: ignore[union-attr]
    assert len(before) - len(held_out(before)) == len(before) - len(held_out(before, fixed)) == 80
    assert len(after) - len(held_out(after, fixed)) == 80
    assert len(after) - len(held_out(after)) == 120


def test_all_rows_of_one_day_are_refused() -> None:
    """There is no newest row."""
    with pytest.raises(ConfigError, match="both sides need rows"):
        held_out(dated_rows(50, per_day=50))


@pytest.mark.parametrize("split", [NEWEST, FIXED], ids=["share", "cutoff"])
def test_a_row_without_a_date_is_refused(split: SplitConfig) -> None:
    """It is neither old nor new, and would silently be trained on."""
    frame = dated_rows(10)
    frame.loc[3, "day"] = None
    with pytest.raises(ConfigError, match="has no date in 1 of 10 rows"):
        held_out(frame, split)


def test_a_moving_cutoff_is_comparable_with_any_split_by_the_same_dates() -> None:
    """The rows that neither version was trained on are selected later."""
    other = NEWEST.model_copy(update={"holdout": 0.4})
    for before, now in ((NEWEST, other), (other, NEWEST), (FIXED, NEWEST), (NEWEST, FIXED)):
        assert explain_incomparable_splits(before, now) is None
    text = explain_incomparable_splits(NEWEST, NEWEST.model_copy(update={"column": "seen"}))
    assert text is not None
    assert "time of 'day' (the newest 0.2 of the rows)" in text


def prepare(frame: pd.DataFrame, split: SplitConfig = NEWEST) -> PreparedData:
    """Return the rows, split as training does."""
    mask, cutoff = holdout_mask(with_split(split), frame), resolve_cutoff(with_split(split).config, frame)
    lineage = Lineage(
        commit=None, dirty=False, data="d", rows=len(frame), holdout="h", holdout_rows=int(mask.sum()), split=split,
        training="t", configuration="c", lock=None, python="3", libraries={},
        cutoff=cutoff.isoformat() if cutoff else None,
    )  # fmt: skip
    held = frame[mask].reset_index(drop=True)
    return PreparedData(frame[~mask].reset_index(drop=True), held, frame["id"], lineage)


def version(trained_on: PreparedData, scored: PreparedData) -> ScoredVersion:
    """Return a version with a prediction for each held-out row: its position."""
    run = Run(
        model="sample", task="regression", created="", forced=False, key="id", target="label", columns={}, classes=(),
        parameters={}, metrics={}, lineage=trained_on.lineage,
    )  # fmt: skip
    values = np.arange(len(scored.held_out), dtype=float)
    return ScoredVersion("1", "d", run, [], {}, Predictions(values, None, ()), own_code=False)


def compared(now: PreparedData, champion: PreparedData | None, challenger: PreparedData, rows: int) -> ComparisonInput:
    """Return the input with the rows that neither version was trained on, of which so many are needed."""
    config = with_split(now.lineage.split).config
    config = config.model_copy(update={"gates": config.gates.model_copy(update={"minimum_rows": rows})})
    champion_version = version(champion, now) if champion else None
    return keep_comparable_rows(ComparisonInput(config, now, version(challenger, now), champion_version))


BEFORE = dated_rows(100)
GROWN = prepare(pd.concat([BEFORE, dated_rows(50, "2026-04-11", first=101)], ignore_index=True))
LATE = prepare(pd.concat([BEFORE, dated_rows(50, "2025-01-01", first=201)], ignore_index=True))


def test_newer_rows_need_no_selection() -> None:
    """The current cutoff is the latest: all held-out rows are compared."""
    inputs = compared(GROWN, prepare(BEFORE), GROWN, 10)
    assert inputs.prepared is GROWN
    assert inputs.incomparable is None


def test_rows_that_the_champion_was_trained_on_are_set_aside() -> None:
    """Older rows arrived late, so that the newest fifth begins before the champion's cutoff."""
    champion = prepare(BEFORE)
    inputs = compared(LATE, champion, LATE, 10)
    trained = set(champion.rows["id"]) | set(LATE.rows["id"])
    assert set(inputs.prepared.held_out["id"]) == set(champion.held_out["id"])
    assert not trained & set(inputs.prepared.held_out["id"])
    assert inputs.prepared.set_aside is not None
    assert set(inputs.prepared.set_aside["id"]) <= set(champion.rows["id"])
    assert inputs.prepared.lineage.cutoff == champion.lineage.cutoff
    assert inputs.prepared.lineage.holdout_rows == 20
    assert inputs.prepared.lineage.holdout != LATE.lineage.holdout
    positions = [list(LATE.held_out["id"]).index(key) for key in inputs.prepared.held_out["id"]]
    for each in (inputs.challenger, inputs.champion):
        assert each is not None
        assert each.predictions.values.tolist() == positions


def test_rows_that_the_challenger_was_trained_on_are_set_aside() -> None:
    """A version that was trained later is compared again at an earlier state, with or without a champion."""
    inputs = compared(LATE, None, prepare(BEFORE), 10)
    assert not set(prepare(BEFORE).rows["id"]) & set(inputs.prepared.held_out["id"])
    assert len(inputs.prepared.held_out) == 20


def test_too_few_rows_are_no_evidence() -> None:
    """The versions are incomparable, and the sentence says which rows are missing."""
    inputs = compared(LATE, prepare(BEFORE), LATE, 21)
    assert inputs.incomparable == (
        "the champion was trained on rows from before 2026-03-22T00:00:00+00:00, and of the rows from then on, 20 are "
        "held out; at least 21 are needed. Add newer rows"
    )
    assert inputs.prepared is LATE


def test_a_proposed_version_with_a_later_cutoff_is_incomparable() -> None:
    """A pull request may propose a version that was trained on rows that are held out now."""
    assert explain_later_cutoff("version 3", prepare(BEFORE).lineage, GROWN.lineage) is None
    reason = explain_later_cutoff("version 3", GROWN.lineage, prepare(BEFORE).lineage)
    assert reason == (
        "version 3 was trained on rows from before 2026-05-01T00:00:00+00:00, of which some are held out now"
    )


def test_a_run_of_an_older_library_has_its_fixed_cutoff() -> None:
    """Its lineage does not record the cutoff."""
    old = prepare(BEFORE, FIXED).lineage.model_copy(update={"cutoff": None})
    assert training_cutoff(old) == pd.Timestamp("2026-01-05", tz="UTC")
    assert training_cutoff(old.model_copy(update={"split": with_split(NEWEST).config.split, "cutoff": "2026-02-01"}))
    hashed = SplitConfig(method="hash", column="id", holdout=0.4)
    assert training_cutoff(replace(prepare(BEFORE), lineage=old).lineage.model_copy(update={"split": hashed})) is None


def redate(keys: Callable[[PreparedData], pd.Series], day: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return a change of the dates of five rows, by hand."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        chosen = set(keys(prepare(BEFORE)).head(5))
        return frame.assign(day=frame["day"].where(~frame["id"].isin(chosen), day))

    return change


# a change of the grown data, and the counts of changed, moved and gone rows
EDITS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], tuple[int, int, int]]] = {
    "rows only added": (lambda frame: frame, (0, 0, 0)),
    "held-out rows dated back by hand": (redate(lambda p: p.held_out["id"], "2026-01-01"), (5, 0, 0)),
    "training rows dated forward by hand": (redate(lambda p: p.rows["id"], "2026-05-20"), (0, 5, 0)),
    "held-out rows removed": (
        lambda frame: frame[~frame["id"].isin(prepare(BEFORE).held_out["id"].head(5))],
        (0, 0, 5),
    ),
}


@pytest.mark.parametrize(("edit", "counts"), EDITS.values(), ids=EDITS)
def test_rows_change_sides_with_time_and_not_by_hand(
    edit: Callable[[pd.DataFrame], pd.DataFrame], counts: tuple[int, int, int]
) -> None:
    """HOLDOUT counts what was edited; a row that became a training row because newer rows came is not counted."""
    before = prepare(BEFORE)
    fingerprints = fingerprint_rows(before.rows, before.held_out, "id", "label")
    now = prepare(edit(pd.concat([BEFORE, dated_rows(50, "2026-04-11", first=101)], ignore_index=True)))
    found = find_row_changes(fingerprints, now.rows, now.held_out, "id", "label")
    assert found is not None
    assert (found.changed, found.moved, found.gone) == counts


def test_rows_that_are_set_aside_are_not_gone() -> None:
    """They are in the data, although the comparison does not use them."""
    before = prepare(BEFORE)
    fingerprints = fingerprint_rows(before.rows, before.held_out, "id", "label")
    kept = compared(LATE, before, LATE, 10).prepared
    found = find_row_changes(fingerprints, kept.rows, kept.held_out, "id", "label", set_aside=kept.set_aside)
    assert found is not None
    assert (found.changed, found.moved, found.gone, found.gone_share) == (0, 0, 0, 0.0)


# the split, and what the pull request of fifty newer rows says about training
TEXTS: dict[str, tuple[SplitConfig, str]] = {
    "newest": (
        NEWEST,
        "It then has 120 training rows instead of 80: the newest rows are held out (30 of these), and 20 rows that "
        "were held out until now become training rows.",
    ),
    "fixed cutoff": (
        FIXED.model_copy(update={"cutoff": datetime.date(2026, 3, 22)}),
        "**No version is trained on them**: all of them lie after `cutoff` under [split]",
    ),
    "hash": (
        SplitConfig(method="hash", column="id", holdout=0.4),
        "of these rows too; ",
    ),
}


@pytest.mark.parametrize(("split", "text"), TEXTS.values(), ids=TEXTS)
def test_the_pull_request_of_new_rows_says_what_is_trained_on(split: SplitConfig, text: str) -> None:
    """The numbers before and after are true for each method."""
    new = dated_rows(50, "2026-04-11", first=101)
    does = additions(with_split(split), BEFORE, new)
    body = render_ingestion(
        {"rows": 50, "path": "a", "source": "b", "known": 0, "notes": [], "answers": None, "does": does.model_dump()}
    )
    assert text in body
    everything = pd.concat([BEFORE, new])
    before, after = (len(frame) - len(held_out(frame, split)) for frame in (BEFORE, everything))
    row = next(line for line in body.splitlines() if line.startswith("| training rows"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert (cells[1], cells[3]) == (str(before), str(after))


@pytest.fixture
def dated(project: Project) -> Project:
    """Return the project with 600 rows of 300 days, of which the newest fifth is held out."""
    project.edit("model.toml", "[gates]\n", '[gates]\noff = ["CALIBRATION", "LATENCY"]\n')
    project.commit("gates that depend on chance in 120 rows, in a change of its own")
    project.edit("model.toml", OLD, NEW)
    project.edit("src/sample/schema.py", "    label: str", "    day: str\n    label: str")
    project.write_data(dated_rows(600, per_day=2))
    project.commit("dates")
    return project


def compare(project: Project) -> dict[str, Any]:
    """Train, register and compare; return the comparison."""
    project.commit()
    project.must("train")
    project.must("register")
    project.must("compare")
    comparison: dict[str, Any] = json.loads((project.root / ".gitops" / "comparison" / "comparison.json").read_text())
    return comparison


def gate_message(comparison: dict[str, Any], name: str) -> tuple[str, str]:
    """Return verdict and message of a gate."""
    gate = next(gate for gate in comparison["gates"] if gate["id"] == name)
    return gate["verdict"], gate["message"]


@pytest.mark.slow
def test_training_learns_from_rows_that_are_added(dated: Project) -> None:
    """Two promotions, each compared on rows that neither version was trained on; then rows that arrive late."""
    dated.promote()
    first = json.loads((dated.root / "registry" / "production.json").read_text())["lineage"]
    assert (first["rows"] - first["holdout_rows"], first["cutoff"]) == (480, "2026-08-29T00:00:00+00:00")

    rows = pd.concat([dated_rows(600, per_day=2), dated_rows(400, "2026-10-28", first=601, per_day=2)])
    dated.write_data(rows)
    dated.improve()
    comparison = compare(dated)
    assert comparison["verdict"] == "promote", comparison["gates"]
    lineage = comparison["challenger"]["lineage"]
    assert lineage["rows"] - lineage["holdout_rows"] == 800
    assert comparison["rows"] == 200
    verdict, message = gate_message(comparison, "COMPARABLE")
    assert verdict == "passed"
    assert f"200 held-out rows from {lineage['cutoff']} on" in message
    assert gate_message(comparison, "HOLDOUT")[0] == "passed"
    dated.must("promote", "--local")
    dated.git("merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    assert re.search(r"Held out are the newest 20\S* ?% of the rows", (dated.root / "docs/model-card.md").read_text())

    late = dated_rows(200, "2025-01-01", first=2001, per_day=2)
    dated.write_data(pd.concat([rows, late]))
    comparison = compare(dated)
    assert comparison["rows"] == 200
    assert comparison["challenger"]["lineage"]["cutoff"] < lineage["cutoff"]
    assert f"from {lineage['cutoff']} on" in gate_message(comparison, "COMPARABLE")[1]
    assert gate_message(comparison, "HOLDOUT")[0] == "passed"

    dated.edit("model.toml", "[gates]\n", "[gates]\nminimum_rows = 201\n")
    dated.must("compare")
    comparison = json.loads((dated.root / ".gitops" / "comparison" / "comparison.json").read_text())
    verdict, message = gate_message(comparison, "COMPARABLE")
    assert verdict == "refused"
    assert "200 are held out; at least 201 are needed" in message
