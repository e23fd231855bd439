"""Verdicts: conduct, performance, and alarms only of what showed in k of n windows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from gitops_ml.errors import IntegrityError
from gitops_ml.monitoring import alarms, memory
from gitops_ml.monitoring.conduct import conduct
from gitops_ml.monitoring.judge import judge, raised
from gitops_ml.monitoring.look import Look, Told
from gitops_ml.monitoring.memory import Memory, State
from gitops_ml.monitoring.missing import missing
from gitops_ml.monitoring.performance import Measured, Promise, performance
from gitops_ml.monitoring.window import Finding, Seen, Verdict, Window
from gitops_ml.watch import Monitoring

MONITORING = Monitoring(windows=3, alarms=2)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
SAID: dict[str, Verdict] = {"A": "alarm", "w": "warning", "o": "ok", "-": "insufficient data"}


def finding(verdict: Verdict, subject: str = "x") -> Finding:
    """Data drift of a column."""
    return Finding(kind="data drift", subject=subject, verdict=verdict, words="")


def window(day: int, *findings: Finding, raised: tuple[str, ...] = (), digest: str = "d") -> Window:
    """One window a day."""
    until = NOW + timedelta(days=day)
    return Window(
        environment="production", version="1", digest=digest, start=until - timedelta(days=1), until=until,
        seen=Seen(), findings=list(findings), alarms=list(raised), verdict="ok",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verdicts", "alarm"),
    [("A", False), ("AA", True), ("AoA", True), ("AooA", False), ("AAo", True), ("AAoo", False), ("A-A", True),
     ("AA-", True), ("AA---", True), ("A-o-A", True), ("Aww", False), ("---", False), ("oA", False)],
)  # fmt: skip
def test_an_alarm_shows_in_two_of_three_windows(verdicts: str, alarm: bool) -> None:
    """A is an alarm of its window alone; `-` knew too little, and is passed over."""
    past = [window(day, finding(SAID[letter])) for day, letter in enumerate(verdicts[:-1])]
    assert raised(MONITORING, past, [finding(SAID[verdicts[-1]])]) == (["data drift: x"] if alarm else [])


def test_keys_are_looked_back_upon_apart() -> None:
    """Two columns that drift in turns are no alarm of either."""
    past = [window(0, finding("alarm", "x"), finding("ok", "y"))]
    assert raised(MONITORING, past, [finding("ok", "x"), finding("alarm", "y")]) == []


REFERENCE: dict[str, Any] = {
    "columns": {"x": {"missing": 0, "edges": [0.0], "counts": [500, 500]}},
    "prediction": {"missing": 0, "edges": [0.5], "counts": [500, 500]},
}
PROMISE = Promise("roc_auc", 0.9, True, lambda _: Measured(0.7, 0.65, 0.75))


def judged(seen: Seen, past: list[Window]) -> Window:
    """One more window of version 1."""
    look = Look(NOW - timedelta(days=1), seen)
    return judge(MONITORING, ("production", "1", "d"), REFERENCE, look, NOW, past, PROMISE)


def rows(low: int, high: int) -> Seen:
    """So many below and above the middle of the reference."""
    requests = {"200": low + high}
    return Seen(rows=low + high, columns={"x": [low, high, 0]}, prediction=[250, 250, 0], requests=requests,
                seconds={"0.1": low + high, "+Inf": low + high})  # fmt: skip


def test_the_first_alarm_is_a_warning_and_the_second_an_alarm() -> None:
    """As `windows` and `alarms` say."""
    first = judged(rows(450, 50), [])
    assert (first.verdict, first.alarms) == ("warning", [])
    second = judged(rows(450, 50), [first])
    assert (second.verdict, second.alarms) == ("alarm", ["data drift: x"])
    assert judged(rows(250, 250), []).verdict == "ok"


def test_what_another_version_saw_does_not_count() -> None:
    """Its alarm was about other training data."""
    first = judged(rows(450, 50), []).model_copy(update={"digest": "other"})
    assert judged(rows(450, 50), [first]).alarms == []


def test_too_few_rows_are_neither_ok_nor_an_alarm() -> None:
    """Nobody knows, and it says so."""
    few = Seen(rows=30, columns={"x": [30, 0, 0]}, prediction=[15, 15, 0], requests={"200": 30},
               seconds={"0.1": 30, "+Inf": 30})  # fmt: skip
    assert judged(few, [judged(rows(450, 50), [])]).verdict == "insufficient data"


def test_nobody_asking_is_a_warning() -> None:
    """The way to the servers may be closed; it is never an alarm."""
    found = judged(Seen(columns={"x": [0, 0, 0]}, prediction=[0, 0, 0]), [])
    assert found.verdict == "warning"
    assert [each.key for each in found.findings if each.verdict == "warning"] == ["no traffic"]


def found(seen: Seen, kind: str) -> Finding:
    """What is said of the requests."""
    return next(each for each in conduct(Monitoring(), seen) if each.kind == kind)


@pytest.mark.parametrize(
    ("refused", "total", "verdict"),
    [(3, 10, "insufficient data"), (1, 100, "ok"), (6, 100, "warning"), (20, 100, "alarm"), (60, 1000, "warning")],
)
def test_refused_requests_are_surely_more_than_allowed(refused: int, total: int, verdict: str) -> None:
    """The interval decides: of few requests, a few more are chance."""
    seen = Seen(rows=1, requests={"200": total - refused, "422": refused}, refused={"rows_refused": refused})
    assert found(seen, "refused requests").verdict == verdict
    assert found(seen, "failed requests").verdict == ("insufficient data" if total < 20 else "ok")


def test_no_requests_are_no_evidence_that_none_fail() -> None:
    """Only the log, which knows of no request, says nothing of them."""
    kinds = ["no traffic", "refused requests", "failed requests", "slow requests"]
    assert {each.kind: each.verdict for each in conduct(Monitoring(), Seen())} == dict(
        zip(kinds, ["warning", *["insufficient data"] * 3], strict=True)
    )
    log = Monitoring(source="log")
    assert [each.kind for each in conduct(log, Seen(rows=5))] == ["no traffic"]


def test_a_column_that_is_not_counted_is_unknown() -> None:
    """It may be missing or not: nobody knows, so that no alarm about it ends."""
    found = missing(MONITORING, REFERENCE, Seen(rows=500))
    assert [(each.key, each.verdict) for each in found] == [("missing values: x", "insufficient data")]


def test_failed_requests_are_all_of_500_and_above() -> None:
    """A time-out as much as a crash."""
    seen = Seen(rows=1, requests={"200": 90, "500": 5, "504": 5}, refused={"too_slow": 5})
    assert found(seen, "failed requests").verdict == "alarm"
    assert "too_slow 5" in found(seen, "failed requests").words


@pytest.mark.parametrize(("slow", "verdict"), [(0, "ok"), (40, "ok"), (60, "warning"), (200, "alarm")])
def test_95_of_100_requests_are_fast_enough(slow: int, verdict: str) -> None:
    """Between edges of the histogram by a straight line; the lower end of the interval decides."""
    seen = Seen(rows=1, requests={"200": 1000}, seconds={"0.1": 1000 - slow, "1.0": 1000 - slow, "10.0": 1000,
                                                         "+Inf": 1000})  # fmt: skip
    assert found(seen, "slow requests").verdict == verdict


def told(count: int) -> Told:
    """So many rows whose truth is known."""
    return Told(np.ones(count), np.ones(count), np.ones(count))


@pytest.mark.parametrize(
    ("measured", "more_is_better", "verdict"),
    [
        (Measured(0.89, 0.85, 0.93), True, "ok"),
        (Measured(0.84, 0.80, 0.88), True, "warning"),
        (Measured(0.80, 0.76, 0.84), True, "alarm"),
        (Measured(0.92, 0.86, 0.97), False, "ok"),
        (Measured(1.00, 0.96, 1.04), False, "alarm"),
    ],
)
def test_decay_is_an_alarm_when_the_whole_interval_says_so(
    measured: Measured, more_is_better: bool, verdict: str
) -> None:
    """It was 0.9 at promotion, and may lose 0.05; of an error, gain as much."""
    promise = Promise("metric", 0.9, more_is_better, lambda _: measured)
    assert performance(Monitoring(), promise, told(300)).verdict == verdict


@pytest.mark.parametrize(("rmse", "verdict"), [(205, "ok"), (212, "warning"), (230, "alarm")])
def test_an_error_in_the_targets_own_unit_may_grow_by_a_share(rmse: float, verdict: str) -> None:
    """0.05 of euros is nothing, and of 200 euros it is ten."""
    promise = Promise("rmse", 200, False, lambda _: Measured(rmse, rmse - 10, rmse + 10), relative=True)
    found = performance(Monitoring(), promise, told(300))
    assert (found.verdict, found.alarm) == (verdict, 210)


def test_decay_of_few_rows_or_of_what_cannot_be_measured_is_unknown() -> None:
    """And is said to be so."""
    assert "truth of 5 rows" in performance(Monitoring(), PROMISE, told(5)).words
    blind = Promise("roc_auc", 0.9, True, lambda _: None)
    assert performance(Monitoring(), blind, told(300)).verdict == "insufficient data"


def turned(
    before: Memory, day: int, *keys: str, unknown: tuple[str, ...] = (), well: tuple[str, ...] = ()
) -> alarms.Turn:
    """One more window with these alarms."""
    said: dict[Verdict, tuple[str, ...]] = {"alarm": keys, "insufficient data": unknown, "ok": well}
    findings = [finding(verdict, key) for verdict, some in said.items() for key in some]
    newest = window(day, *findings, raised=tuple(f"data drift: {key}" for key in keys))
    return alarms.turn(MONITORING, before, newest, State(digest="d", until=newest.until))


def test_an_alarm_begins_once_and_ends_once() -> None:
    """It keeps its beginning while it lasts."""
    first = turned(Memory((), State(digest="d")), 0, "x")
    assert (first.begun, first.ended) == (("data drift: x",), ())
    second = turned(first.memory, 1, "x")
    assert (second.begun, second.ended) == ((), ())
    assert second.memory.state.alarms == first.memory.state.alarms
    assert turned(second.memory, 2, well=("x",)).ended == ("data drift: x",)


def test_silence_ends_no_alarm() -> None:
    """A window without evidence leaves it as it is."""
    first = turned(Memory((), State(digest="d")), 0, "x")
    assert turned(first.memory, 1, unknown=("x",)).ended == ()
    assert turned(first.memory, 1, well=("y",)).ended == ()


def test_another_version_ends_every_alarm() -> None:
    """What the servers had counted is of no use either; trainings that were asked for still count."""
    first = turned(Memory((), State(digest="d")), 0, "x").memory
    turn = alarms.another(first, "e", NOW)
    assert (turn.ended, turn.memory.state) == (("data drift: x",), State(digest="e", since=NOW))
    assert alarms.another(first, "d", NOW).ended == ()


def test_what_was_before_another_version_served_does_not_count() -> None:
    """Rolled back after weeks, a version is not in alarm at once for what it saw then."""
    before = Memory((window(0, finding("alarm")), window(1, finding("alarm"))), State(digest="d"))
    assert len(before.served) == 2  # nobody wrote down since when it serves
    between = before.of("e", NOW + timedelta(days=2))
    again = between.of("d", NOW + timedelta(days=30))
    assert again.served == ()
    newest = window(30, finding("alarm"))
    kept = alarms.turn(MONITORING, again, newest, State(digest="d", until=newest.until)).memory
    assert kept.served == (newest,)
    assert kept.state.since == NOW + timedelta(days=30)


def test_many_columns_share_an_issue_as_long_as_one_of_them_drifts() -> None:
    """One cause, one issue; and nothing flaps when fewer are left."""
    names = tuple("abcdef")
    few = turned(Memory((), State(digest="d")), 0, *names[:5]).memory
    assert not any(alarm.together for alarm in few.state.alarms.values())
    many = turned(Memory((), State(digest="d")), 0, *names).memory
    assert all(alarm.together for alarm in many.state.alarms.values())
    later = turned(turned(many, 1, "a", well=names[1:]).memory, 2, "a", "g").memory
    assert [alarm.together for alarm in later.state.alarms.values()] == [True, True]


def test_no_more_windows_are_kept_than_configured() -> None:
    """The store's branch stays small."""
    full = Memory(tuple(window(day) for day in range(60)), State(digest="d"))
    newest = window(60)
    kept = alarms.turn(Monitoring(keep_windows=50), full, newest, State(digest="d")).memory.windows
    assert (len(kept), kept[-1]) == (50, newest)


def test_what_is_remembered_is_read_back() -> None:
    """And what is not what was written there is refused in a sentence."""
    before = turned(Memory((), State(digest="d")), 0, "x").memory
    written = [each.model_dump(mode="json") for each in before.windows], before.state.model_dump(mode="json")
    assert memory.parse(*written, "production") == before
    with pytest.raises(IntegrityError, match="monitoring/production on the store branch"):
        memory.parse([{"environment": "production"}], {}, "production")
