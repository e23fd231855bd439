"""Alarms that request a training, and each reason not to request one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gitops_ml.monitoring.monitoring_history import ActiveAlarm, MonitoringState, RetrainRequest
from gitops_ml.monitoring.retrain import NEEDS_FEATURES, RetrainContext, RetrainDecision, decide_retraining
from gitops_ml.monitoring_config import RetrainConfig

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
KEY = "data drift: x"
CONTEXT = RetrainContext("7", trained_on="old", data="new")


def request(hours: float, data: str | None = "newer", keys: tuple[str, ...] = (KEY,)) -> RetrainRequest:
    """Return the request for a training this number of hours ago."""
    return RetrainRequest(at=NOW - timedelta(hours=hours), keys=list(keys), digest="d", data=data, by="a test")


def decide(
    *before: RetrainRequest, keys: tuple[str, ...] = (KEY,), context: RetrainContext = CONTEXT, **rules: Any
) -> RetrainDecision:
    """Return the decision about alarms that began 40 days ago."""
    alarms = {key: ActiveAlarm(since=NOW - timedelta(days=40)) for key in keys}
    decision = decide_retraining(
        RetrainConfig(**rules), MonitoringState(digest="d", alarms=alarms, asked=list(before)), NOW, context
    )
    assert decision
    return decision


def test_an_alarm_requests_a_training() -> None:
    """With new rows and within the limits, a training is requested; the text has the time of the next one."""
    decision = decide()
    assert decision.keys == (KEY,)
    assert "requested at 2026-06-01 12:00 UTC" in decision.text
    assert "before 2026-06-02 12:00 UTC" in decision.text


@pytest.mark.parametrize("key", ["missing values: x", "refused requests", "slow requests", "failed requests"])
def test_alarms_that_a_training_cannot_fix_request_none(key: str) -> None:
    """Such an alarm is fixed where its cause is."""
    state = MonitoringState(digest="d", alarms={key: ActiveAlarm(since=NOW)})
    assert decide_retraining(RetrainConfig(), state, NOW, CONTEXT) is None


def test_within_the_cool_down_no_training_is_requested() -> None:
    """The text has the time of the last request and of the next possible one."""
    assert decide(request(23)).keys == ()
    running = decide(request(23), context=replace(CONTEXT, last_run="running"))
    assert "No other training is requested before 2026-06-01 13:00 UTC" in running.text
    assert decide(request(25)).keys == (KEY,)
    assert decide(request(23), cooldown_hours=22).keys == (KEY,)


def test_a_training_that_never_started_is_reported() -> None:
    """Within the cool-down it may still start, so that nothing is requested twice."""
    decision = decide(request(2), context=replace(CONTEXT, last_run=None))
    assert decision.keys == ()
    assert "requested at 2026-06-01 10:00 UTC, and no run of Train has started since then" in decision.text
    assert "requested again after 2026-06-02 10:00 UTC" in decision.text
    assert "no run of Train" not in decide(request(2), context=replace(CONTEXT, last_run="running")).text


def test_the_number_of_trainings_per_month_is_limited() -> None:
    """Requests for all alarms count, for 30 days each."""
    others = [request(24 * days, keys=("prediction drift",)) for days in (29, 20, 10)]
    decision = decide(*others, monthly=3)
    assert decision.keys == ()
    assert "No other is requested before 2026-06-02 12:00 UTC" in decision.text
    assert decide(request(24 * 31, keys=()), *others[1:], monthly=3).keys == (KEY,)


def test_the_number_of_attempts_per_alarm_is_limited() -> None:
    """After them only people can help; another alarm has its own attempts."""
    spent = [request(24 * days) for days in (9, 6, 3)]
    assert decide(*spent).text.startswith(NEEDS_FEATURES)
    assert decide(*spent).keys == ()
    assert decide(*spent, keys=(KEY, "prediction drift")).keys == ("prediction drift",)


def test_attempts_before_the_alarm_began_do_not_count() -> None:
    """They belong to an earlier alarm that has ended."""
    state = MonitoringState(
        digest="d", alarms={KEY: ActiveAlarm(since=NOW - timedelta(days=2))}, asked=[request(24 * d) for d in (9, 6, 3)]
    )
    decision = decide_retraining(RetrainConfig(), state, NOW, CONTEXT)
    assert decision
    assert decision.keys == (KEY,)


def test_without_new_rows_labels_are_needed() -> None:
    """A training would learn nothing new, so none is requested; the text says how to add rows."""
    decision = decide(context=replace(CONTEXT, data="old"))
    assert decision.keys == ()
    assert "no new labelled rows since version 7 was trained" in decision.text
    for source in ("gitops ingest", "pull request", "POST /outcomes"):
        assert source in decision.text


@pytest.mark.parametrize(("last", "keys", "text"), [
    ("green", (), "did not beat version 7"), ("running", (), "is running"), ("red", (KEY,), "was requested"),
    (None, (KEY,), "requested at 2026-05-31 06:00 UTC, and no run of Train has started since then"),
])  # fmt: skip
def test_the_same_data_is_not_used_twice(last: Any, keys: tuple[str, ...], text: str) -> None:
    """A version from that data did not beat the champion; a run that failed, or never started, is repeated."""
    decision = decide(request(30, data="new"), context=replace(CONTEXT, last_run=last))
    assert decision.keys == keys
    assert text in decision.text


def test_with_a_query_only_the_limits_count() -> None:
    """The digest of a query is unknown without reading the database."""
    assert decide(request(30, data=None), context=replace(CONTEXT, data=None)).keys == (KEY,)


def test_a_proposed_version_must_be_decided_first() -> None:
    """The pull request has to be merged or closed."""
    decision = decide(context=replace(CONTEXT, proposed_version="8"))
    assert decision == RetrainDecision((), "Version 8 is proposed in a pull request: merge it, or close it.")


def test_trainings_may_be_disabled() -> None:
    """The setting `enabled` in model.toml turns them off."""
    assert decide(enabled=False).keys == ()
    assert "Trainings are not requested" in decide(enabled=False).text
