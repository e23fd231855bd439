"""When an alarm asks for a training, and each reason why it does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gitops_ml.monitoring.memory import Alarm, Retraining, State
from gitops_ml.monitoring.retrain import FEATURES, Chance, Decision, decide
from gitops_ml.watch import Retrain

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
KEY = "data drift: x"
CHANCE = Chance("7", trained_on="old", data="new")


def asked(hours: float, data: str | None = "newer", keys: tuple[str, ...] = (KEY,)) -> Retraining:
    """A training that was asked for so many hours ago."""
    return Retraining(at=NOW - timedelta(hours=hours), keys=list(keys), digest="d", data=data, by="a test")


def decided(*before: Retraining, keys: tuple[str, ...] = (KEY,), chance: Chance = CHANCE, **rules: Any) -> Decision:
    """What is decided about alarms that began 40 days ago."""
    alarms = {key: Alarm(since=NOW - timedelta(days=40)) for key in keys}
    found = decide(Retrain(**rules), State(digest="d", alarms=alarms, asked=list(before)), NOW, chance)
    assert found
    return found


def test_an_alarm_asks_for_a_training() -> None:
    """New rows, no limit in the way: it is asked for, and says when the next may be."""
    found = decided()
    assert found.keys == (KEY,)
    assert "asked for at 2026-06-01 12:00 UTC" in found.words
    assert "before 2026-06-02 12:00 UTC" in found.words


@pytest.mark.parametrize("key", ["missing values: x", "refused requests", "slow requests", "failed requests"])
def test_what_no_training_can_mend_asks_for_none(key: str) -> None:
    """A broken pipe is mended where it broke."""
    state = State(digest="d", alarms={key: Alarm(since=NOW)})
    assert decide(Retrain(), state, NOW, CHANCE) is None


def test_within_the_cool_down_none_is_asked_for() -> None:
    """The issue says what was asked for, and until when that is all."""
    assert decided(asked(23)).keys == ()
    begun = decided(asked(23), chance=replace(CHANCE, last="running"))
    assert "No other is asked for before 2026-06-01 13:00 UTC" in begun.words
    assert decided(asked(25)).keys == (KEY,)
    assert decided(asked(23), cooldown_hours=22).keys == (KEY,)


def test_a_training_that_never_began_is_said_to_be_so() -> None:
    """Within the cool-down it may still begin; nothing is asked for twice."""
    found = decided(asked(2), chance=replace(CHANCE, last=None))
    assert found.keys == ()
    assert "asked for at 2026-06-01 10:00 UTC, and no run of Train is known since" in found.words
    assert "asked for again after 2026-06-02 10:00 UTC" in found.words
    assert "no run of Train" not in decided(asked(2), chance=replace(CHANCE, last="running")).words


def test_the_month_has_its_budget() -> None:
    """Whatever they were asked for; after 30 days the first one is forgotten."""
    others = [asked(24 * days, keys=("prediction drift",)) for days in (29, 20, 10)]
    found = decided(*others, monthly=3)
    assert found.keys == ()
    assert "none is asked for before 2026-06-02 12:00 UTC" in found.words
    assert decided(asked(24 * 31, keys=()), *others[1:], monthly=3).keys == (KEY,)


def test_an_alarm_has_so_many_attempts() -> None:
    """Then only people can help; another alarm still has its own."""
    spent = [asked(24 * days) for days in (9, 6, 3)]
    assert decided(*spent).words.startswith(FEATURES)
    assert decided(*spent).keys == ()
    assert decided(*spent, keys=(KEY, "prediction drift")).keys == ("prediction drift",)


def test_attempts_before_the_alarm_began_are_another_alarms() -> None:
    """It was clear in between."""
    state = State(
        digest="d", alarms={KEY: Alarm(since=NOW - timedelta(days=2))}, asked=[asked(24 * d) for d in (9, 6, 3)]
    )
    found = decide(Retrain(), state, NOW, CHANCE)
    assert found
    assert found.keys == (KEY,)


def test_without_new_rows_it_needs_labels() -> None:
    """A training would learn nothing, so none is asked for; the issue says how to bring rows."""
    found = decided(chance=replace(CHANCE, data="old"))
    assert found.keys == ()
    assert "no new labelled rows since version 7 was trained" in found.words
    for way in ("gitops ingest", "pull request", "POST /outcomes"):
        assert way in found.words


@pytest.mark.parametrize(("last", "keys", "words"), [
    ("green", (), "did not beat version 7"), ("running", (), "is under way"), ("red", (KEY,), "asked for"),
    (None, (KEY,), "asked for at 2026-05-31 06:00 UTC, and no run of Train is known since"),
])  # fmt: skip
def test_the_same_rows_are_not_learnt_from_twice(last: Any, keys: tuple[str, ...], words: str) -> None:
    """What they gave did not beat the champion; a run that found nothing out, or none at all, is worth another."""
    found = decided(asked(30, data="new"), chance=replace(CHANCE, last=last))
    assert found.keys == keys
    assert words in found.words


def test_a_query_is_asked_as_often_as_the_limits_allow() -> None:
    """Nobody knows whether it has new rows without asking the database."""
    assert decided(asked(30, data=None), chance=replace(CHANCE, data=None)).keys == (KEY,)


def test_an_offered_version_comes_first() -> None:
    """Somebody has to merge it, or to close it."""
    found = decided(chance=replace(CHANCE, offered="8"))
    assert found == Decision((), "Version 8 is offered in a pull request: merge it, or close it.")


def test_people_may_decide() -> None:
    """Where model.toml says so."""
    assert decided(enabled=False).keys == ()
    assert "People decide" in decided(enabled=False).words
