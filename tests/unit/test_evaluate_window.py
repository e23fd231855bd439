"""Verdicts of windows: service health, performance decay, and alarms of findings in k of n windows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from gitops_ml.errors import IntegrityError
from gitops_ml.monitoring import alarm_changes, monitoring_history
from gitops_ml.monitoring.evaluate_window import evaluate_window, find_alarms
from gitops_ml.monitoring.missing_values import detect_missing_values
from gitops_ml.monitoring.monitoring_history import MonitoringHistory, MonitoringState
from gitops_ml.monitoring.performance_decay import MeasuredMetric, PromotedMetric, detect_decay
from gitops_ml.monitoring.service_health import check_service_health
from gitops_ml.monitoring.snapshot import LabeledPredictions, Snapshot
from gitops_ml.monitoring.window import Finding, Verdict, Window, WindowCounts
from gitops_ml.monitoring_config import MonitoringConfig

MONITORING = MonitoringConfig(windows=3, alarms=2)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
VERDICTS: dict[str, Verdict] = {"A": "alarm", "w": "warning", "o": "ok", "-": "insufficient data"}


def finding(verdict: Verdict, subject: str = "x") -> Finding:
    """Return a finding of data drift of a column."""
    return Finding(kind="data drift", subject=subject, verdict=verdict, words="")


def window(day: int, *findings: Finding, raised: tuple[str, ...] = (), digest: str = "d") -> Window:
    """Return the window of a day."""
    until = NOW + timedelta(days=day)
    return Window(
        environment="production", version="1", digest=digest, start=until - timedelta(days=1), until=until,
        seen=WindowCounts(), findings=list(findings), alarms=list(raised), verdict="ok",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verdicts", "is_alarm"),
    [("A", False), ("AA", True), ("AoA", True), ("AooA", False), ("AAo", True), ("AAoo", False), ("A-A", True),
     ("AA-", True), ("AA---", True), ("A-o-A", True), ("Aww", False), ("---", False), ("oA", False)],
)  # fmt: skip
def test_an_alarm_needs_two_of_three_windows(verdicts: str, is_alarm: bool) -> None:
    """Windows with insufficient data (`-`) are skipped."""
    past = [window(day, finding(VERDICTS[letter])) for day, letter in enumerate(verdicts[:-1])]
    assert find_alarms(MONITORING, past, [finding(VERDICTS[verdicts[-1]])]) == (["data drift: x"] if is_alarm else [])


def test_each_column_is_counted_separately() -> None:
    """Two columns that drift in different windows raise no alarm."""
    past = [window(0, finding("alarm", "x"), finding("ok", "y"))]
    assert find_alarms(MONITORING, past, [finding("ok", "x"), finding("alarm", "y")]) == []


REFERENCE: dict[str, Any] = {
    "columns": {"x": {"missing": 0, "edges": [0.0], "counts": [500, 500]}},
    "prediction": {"missing": 0, "edges": [0.5], "counts": [500, 500]},
}
PROMOTED = PromotedMetric("roc_auc", 0.9, True, lambda _: MeasuredMetric(0.7, 0.65, 0.75))


def evaluate(counts: WindowCounts, past: list[Window]) -> Window:
    """Evaluate one more window of version 1."""
    snapshot = Snapshot(NOW - timedelta(days=1), counts)
    return evaluate_window(MONITORING, ("production", "1", "d"), REFERENCE, snapshot, NOW, past, PROMOTED)


def counts_of(low: int, high: int) -> WindowCounts:
    """Return counts of rows below and above the median of the reference."""
    requests = {"200": low + high}
    return WindowCounts(rows=low + high, columns={"x": [low, high, 0]}, prediction=[250, 250, 0], requests=requests,
                seconds={"0.1": low + high, "+Inf": low + high})  # fmt: skip


def test_the_first_finding_is_a_warning_and_the_second_an_alarm() -> None:
    """An alarm needs as many windows as `alarms` in model.toml says."""
    first = evaluate(counts_of(450, 50), [])
    assert (first.verdict, first.alarms) == ("warning", [])
    second = evaluate(counts_of(450, 50), [first])
    assert (second.verdict, second.alarms) == ("alarm", ["data drift: x"])
    assert evaluate(counts_of(250, 250), []).verdict == "ok"


def test_windows_of_another_version_do_not_count() -> None:
    """The finding of another version was about other training data."""
    first = evaluate(counts_of(450, 50), []).model_copy(update={"digest": "other"})
    assert evaluate(counts_of(450, 50), [first]).alarms == []


def test_too_few_rows_are_neither_ok_nor_an_alarm() -> None:
    """The verdict is insufficient data."""
    few = WindowCounts(rows=30, columns={"x": [30, 0, 0]}, prediction=[15, 15, 0], requests={"200": 30},
               seconds={"0.1": 30, "+Inf": 30})  # fmt: skip
    assert evaluate(few, [evaluate(counts_of(450, 50), [])]).verdict == "insufficient data"


def test_no_traffic_is_a_warning() -> None:
    """The network to the servers may be closed; this is never an alarm."""
    result = evaluate(WindowCounts(columns={"x": [0, 0, 0]}, prediction=[0, 0, 0]), [])
    assert result.verdict == "warning"
    assert [each.key for each in result.findings if each.verdict == "warning"] == ["no traffic"]


def health_finding(counts: WindowCounts, kind: str) -> Finding:
    """Return the finding of this kind about the requests."""
    return next(each for each in check_service_health(MonitoringConfig(), counts) if each.kind == kind)


@pytest.mark.parametrize(
    ("refused", "total", "verdict"),
    [(3, 10, "insufficient data"), (1, 100, "ok"), (6, 100, "warning"), (20, 100, "alarm"), (60, 1000, "warning")],
)
def test_the_interval_of_refused_requests_decides(refused: int, total: int, verdict: str) -> None:
    """With few requests, a few more refusals may be chance."""
    counts = WindowCounts(rows=1, requests={"200": total - refused, "422": refused}, refused={"rows_refused": refused})
    assert health_finding(counts, "refused requests").verdict == verdict
    assert health_finding(counts, "failed requests").verdict == ("insufficient data" if total < 20 else "ok")


def test_without_requests_there_is_insufficient_data() -> None:
    """The prediction log has no requests, so that source has no findings about them."""
    kinds = ["no traffic", "refused requests", "failed requests", "slow requests"]
    assert {each.kind: each.verdict for each in check_service_health(MonitoringConfig(), WindowCounts())} == dict(
        zip(kinds, ["warning", *["insufficient data"] * 3], strict=True)
    )
    log = MonitoringConfig(source="log")
    assert [each.kind for each in check_service_health(log, WindowCounts(rows=5))] == ["no traffic"]


def test_a_column_without_counts_has_insufficient_data() -> None:
    """The values may be missing or not, so that no alarm about the column ends."""
    findings = detect_missing_values(MONITORING, REFERENCE, WindowCounts(rows=500))
    assert [(each.key, each.verdict) for each in findings] == [("missing values: x", "insufficient data")]


def test_failed_requests_have_a_status_of_500_or_above() -> None:
    """A time-out counts like a crash."""
    counts = WindowCounts(rows=1, requests={"200": 90, "500": 5, "504": 5}, refused={"too_slow": 5})
    assert health_finding(counts, "failed requests").verdict == "alarm"
    assert "too_slow 5" in health_finding(counts, "failed requests").words


@pytest.mark.parametrize(("slow", "verdict"), [(0, "ok"), (40, "ok"), (60, "warning"), (200, "alarm")])
def test_95_of_100_requests_must_be_fast_enough(slow: int, verdict: str) -> None:
    """The share is interpolated between the edges of the histogram; the lower end of its interval decides."""
    counts = WindowCounts(rows=1, requests={"200": 1000}, seconds={"0.1": 1000 - slow, "1.0": 1000 - slow, "10.0": 1000,
                                                         "+Inf": 1000})  # fmt: skip
    assert health_finding(counts, "slow requests").verdict == verdict


def labeled_rows(count: int) -> LabeledPredictions:
    """Return this number of labelled predictions."""
    return LabeledPredictions(np.ones(count), np.ones(count), np.ones(count))


@pytest.mark.parametrize(
    ("measured", "more_is_better", "verdict"),
    [
        (MeasuredMetric(0.89, 0.85, 0.93), True, "ok"),
        (MeasuredMetric(0.84, 0.80, 0.88), True, "warning"),
        (MeasuredMetric(0.80, 0.76, 0.84), True, "alarm"),
        (MeasuredMetric(0.92, 0.86, 0.97), False, "ok"),
        (MeasuredMetric(1.00, 0.96, 1.04), False, "alarm"),
    ],
)
def test_decay_is_an_alarm_if_the_whole_interval_is_worse(
    measured: MeasuredMetric, more_is_better: bool, verdict: str
) -> None:
    """The metric was 0.9 at promotion and may lose 0.05; an error metric may gain 0.05."""
    promoted = PromotedMetric("metric", 0.9, more_is_better, lambda _: measured)
    assert detect_decay(MonitoringConfig(), promoted, labeled_rows(300)).verdict == verdict


@pytest.mark.parametrize(("rmse", "verdict"), [(205, "ok"), (212, "warning"), (230, "alarm")])
def test_an_error_in_the_unit_of_the_target_may_grow_by_a_share(rmse: float, verdict: str) -> None:
    """The limit 0.05 is relative: of an error of 200, it is 10."""
    promoted = PromotedMetric(
        "rmse", 200, False, lambda _: MeasuredMetric(rmse, rmse - 10, rmse + 10), is_relative=True
    )
    result = detect_decay(MonitoringConfig(), promoted, labeled_rows(300))
    assert (result.verdict, result.alarm) == (verdict, 210)


def test_decay_that_cannot_be_measured_is_insufficient_data() -> None:
    """Too few rows, or a metric that the log does not support, give no verdict."""
    assert "5 rows have an outcome" in detect_decay(MonitoringConfig(), PROMOTED, labeled_rows(5)).words
    unmeasurable = PromotedMetric("roc_auc", 0.9, True, lambda _: None)
    assert detect_decay(MonitoringConfig(), unmeasurable, labeled_rows(300)).verdict == "insufficient data"


def add_window(
    before: MonitoringHistory, day: int, *keys: str, unknown: tuple[str, ...] = (), ok: tuple[str, ...] = ()
) -> alarm_changes.AlarmChanges:
    """Add a window with these alarms to a history."""
    keys_by_verdict: dict[Verdict, tuple[str, ...]] = {"alarm": keys, "insufficient data": unknown, "ok": ok}
    findings = [finding(verdict, key) for verdict, names in keys_by_verdict.items() for key in names]
    newest = window(day, *findings, raised=tuple(f"data drift: {key}" for key in keys))
    return alarm_changes.add_window(MONITORING, before, newest, MonitoringState(digest="d", until=newest.until))


def test_an_alarm_begins_once_and_ends_once() -> None:
    """An alarm keeps the time of its beginning while it lasts."""
    first = add_window(MonitoringHistory((), MonitoringState(digest="d")), 0, "x")
    assert (first.started, first.ended) == (("data drift: x",), ())
    second = add_window(first.history, 1, "x")
    assert (second.started, second.ended) == ((), ())
    assert second.history.state.alarms == first.history.state.alarms
    assert add_window(second.history, 2, ok=("x",)).ended == ("data drift: x",)


def test_insufficient_data_ends_no_alarm() -> None:
    """A window without a result for it does not change an alarm."""
    first = add_window(MonitoringHistory((), MonitoringState(digest="d")), 0, "x")
    assert add_window(first.history, 1, unknown=("x",)).ended == ()
    assert add_window(first.history, 1, ok=("y",)).ended == ()


def test_another_version_ends_every_alarm() -> None:
    """The counts of the servers are dropped too."""
    first = add_window(MonitoringHistory((), MonitoringState(digest="d")), 0, "x").history
    changes = alarm_changes.change_version(first, "e", NOW)
    assert (changes.ended, changes.history.state) == (("data drift: x",), MonitoringState(digest="e", since=NOW))
    assert alarm_changes.change_version(first, "d", NOW).ended == ()


def test_windows_before_a_rollback_do_not_count() -> None:
    """A version that serves restored after weeks does not start with its old alarms."""
    before = MonitoringHistory((window(0, finding("alarm")), window(1, finding("alarm"))), MonitoringState(digest="d"))
    assert len(before.current_windows) == 2  # the state has no time since which it serves
    between = before.for_version("e", NOW + timedelta(days=2))
    restored = between.for_version("d", NOW + timedelta(days=30))
    assert restored.current_windows == ()
    newest = window(30, finding("alarm"))
    kept = alarm_changes.add_window(
        MONITORING, restored, newest, MonitoringState(digest="d", until=newest.until)
    ).history
    assert kept.current_windows == (newest,)
    assert kept.state.since == NOW + timedelta(days=30)


def test_many_drifting_columns_share_one_issue() -> None:
    """They still share it when fewer columns drift, so that issues do not open and close repeatedly."""
    names = tuple("abcdef")
    few = add_window(MonitoringHistory((), MonitoringState(digest="d")), 0, *names[:5]).history
    assert not any(alarm.together for alarm in few.state.alarms.values())
    many = add_window(MonitoringHistory((), MonitoringState(digest="d")), 0, *names).history
    assert all(alarm.together for alarm in many.state.alarms.values())
    later = add_window(add_window(many, 1, "a", ok=names[1:]).history, 2, "a", "g").history
    assert [alarm.together for alarm in later.state.alarms.values()] == [True, True]


def test_at_most_keep_windows_are_kept() -> None:
    """Old windows are dropped, so that the branch of the store stays small."""
    full = MonitoringHistory(tuple(window(day) for day in range(60)), MonitoringState(digest="d"))
    newest = window(60)
    kept = alarm_changes.add_window(
        MonitoringConfig(keep_windows=50), full, newest, MonitoringState(digest="d")
    ).history.windows
    assert (len(kept), kept[-1]) == (50, newest)


def test_the_history_is_read_back() -> None:
    """Content that cannot be parsed is an error that names the file."""
    before = add_window(MonitoringHistory((), MonitoringState(digest="d")), 0, "x").history
    written = [each.model_dump(mode="json") for each in before.windows], before.state.model_dump(mode="json")
    assert monitoring_history.parse_history(*written, "production") == before
    with pytest.raises(IntegrityError, match="monitoring/production on the store branch"):
        monitoring_history.parse_history([{"environment": "production"}], {}, "production")


LEFT_OUT = MonitoringConfig(windows=3, alarms=2, left_out=("x",))


def evaluate_left_out(counts: WindowCounts, past: list[Window]) -> Window:
    """Evaluate one more window of version 1, with the drift of the column left out."""
    snapshot = Snapshot(NOW - timedelta(days=1), counts)
    return evaluate_window(LEFT_OUT, ("production", "1", "d"), REFERENCE, snapshot, NOW, past, PROMOTED)


def test_the_drift_of_a_column_that_is_left_out_is_shown_and_raises_no_alarm() -> None:
    """A month or a season differs from training in every window; the finding says why it is no alarm."""
    found = evaluate_left_out(counts_of(450, 50), [])
    drift = next(finding for finding in found.findings if finding.key == "data drift: x")
    assert (drift.verdict, found.verdict) == ("left out", "ok")
    assert drift.value is not None
    assert "[monitoring] left_out" in drift.words
    assert evaluate_left_out(counts_of(450, 50), [found, found]).alarms == []


def test_leaving_a_column_out_ends_its_alarm() -> None:
    """Windows from before the change do not keep the alarm."""
    past = [evaluate(counts_of(450, 50), []) for _ in range(3)]
    now = evaluate_left_out(counts_of(450, 50), past)
    assert now.alarms == []
    assert now.verdict == "ok"
    few = counts_of(450, 50).model_copy(update={"columns": {"x": [1, 1, 0]}})
    assert evaluate_left_out(few, past).alarms == []


def test_missing_values_of_a_column_that_is_left_out_are_an_alarm() -> None:
    """Only drift is left out: a calendar does not explain missing values."""
    counts = counts_of(450, 50).model_copy(update={"columns": {"x": [250, 0, 250]}})
    past = [evaluate_left_out(counts, [])]
    assert evaluate_left_out(counts, past).alarms == ["missing values: x"]


def test_a_window_in_which_only_a_left_out_column_has_enough_rows() -> None:
    """What is left out is no evidence that all is well."""
    counts = counts_of(450, 50).model_copy(update={"prediction": [1, 1, 0]})
    assert evaluate_left_out(counts, []).verdict == "insufficient data"
