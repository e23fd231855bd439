"""Drift: measured on real counts, so that what is configured is what happens."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gitops_ml.bins import count
from gitops_ml.monitoring.drift import distance, drift
from gitops_ml.monitoring.missing import missing
from gitops_ml.monitoring.window import Finding, Seen
from gitops_ml.predictions import Predictions
from gitops_ml.training.reference import reference
from gitops_ml.watch import Monitoring

MONITORING = Monitoring()
KINDS = ["a", "b", "c", "rare"]


def frame(rng: np.random.Generator, rows: int, shift: float = 0, gone: float = 0.1) -> pd.DataFrame:
    """Ten columns: eight numbers of several shapes, text with a rare value, and one with gaps."""
    numbers: dict[str, Any] = {f"n{i}": rng.normal(size=rows) for i in range(4)}
    numbers |= {f"e{i}": rng.exponential(size=rows) for i in range(2)}
    numbers |= {"whole": rng.poisson(2, rows), "half": np.where(rng.random(rows) < gone, np.nan, 1.5)}
    frame = pd.DataFrame({**numbers, "u": rng.random(rows), "kind": rng.choice(KINDS, rows, p=[0.5, 0.3, 0.19, 0.01])})
    frame["n0"] += shift
    return frame


def described(rng: np.random.Generator, rows: int) -> dict[str, Any]:
    """What training leaves of such rows."""
    chances = rng.random(rows)
    said = Predictions(chances > 0.5, np.column_stack([1 - chances, chances]), (False, True))
    return reference(frame(rng, rows), pd.Series(chances > 0.5), said, True)


def seen(known: dict[str, Any], rows: pd.DataFrame, chances: "np.ndarray[Any, Any]") -> Seen:
    """What servers count of rows."""
    columns = {name: count(rows[name], about) or [] for name, about in known["columns"].items()}
    return Seen(rows=len(rows), columns=columns, prediction=count(pd.Series(chances), known["prediction"]) or [])


def found(findings: list[Finding], subject: str | None) -> Finding:
    """The one about a column, or about the prediction."""
    return next(finding for finding in findings if finding.subject == subject)


@pytest.mark.slow
@pytest.mark.parametrize(("now", "then"), [(200, 300), (500, 2000), (5000, 20_000)])
def test_without_drift_alarms_are_as_rare_as_configured(now: int, then: int) -> None:
    """Of 400 windows of rows like those of training, at most the configured share looks as if it had drifted, within
    what chance makes of 400 windows; and with this many rows, the effect size keeps nearly all of them quiet."""
    rng, alarms, windows = np.random.default_rng(now), 0, 400
    for window in range(windows):
        if window % 40 == 0:
            known = described(rng, then)
        findings = drift(MONITORING, known, seen(known, frame(rng, now), rng.random(now)))
        alarms += any(finding.verdict == "alarm" for finding in findings)
    print(f"{now} rows against {then}: {alarms} of {windows} windows, configured {MONITORING.false_alarms:.0%}")
    assert alarms <= 9  # of 400 windows at 1 %, 9 or fewer in 99.2 of 100 cases


@pytest.mark.slow
def test_half_a_standard_deviation_is_found() -> None:
    """In one column of ten, with 500 rows; and in no other."""
    rng, hits, others = np.random.default_rng(1), 0, 0
    for _ in range(100):
        known = described(rng, 2000)
        findings = drift(MONITORING, known, seen(known, frame(rng, 500, shift=0.5), rng.random(500)))
        hits += found(findings, "n0").verdict == "alarm"
        others += any(finding.verdict == "alarm" for finding in findings if finding.subject != "n0")
    print(f"{hits} of 100 found, {others} windows with an alarm elsewhere")
    assert hits >= 95
    assert others <= 4


def test_many_rows_alone_raise_no_alarm() -> None:
    """A tenth of a standard deviation is there beyond doubt among a million rows, and too small to matter."""
    rng = np.random.default_rng(2)
    known = described(rng, 100_000)
    finding = found(drift(MONITORING, known, seen(known, frame(rng, 1_000_000, 0.1), rng.random(1000))), "n0")
    assert finding.value
    assert finding.value > distance([10] * 10, [10] * 10).index
    assert finding.verdict == "ok"


def test_few_rows_are_no_evidence() -> None:
    """Neither ok nor an alarm, however far away."""
    rng = np.random.default_rng(3)
    known = described(rng, 1000)
    findings = drift(MONITORING, known, seen(known, frame(rng, 50, shift=5), rng.random(50)))
    assert {finding.verdict for finding in findings} == {"insufficient data"}
    assert "50 rows are fewer than the 200" in findings[0].words


def test_the_prediction_has_a_finding_of_its_own() -> None:
    """Predictions that moved are prediction drift, whatever the columns do."""
    rng = np.random.default_rng(4)
    known = described(rng, 1000)
    findings = drift(MONITORING, known, seen(known, frame(rng, 500), rng.random(500) ** 2))
    assert (findings[-1].kind, findings[-1].verdict, findings[-1].key) == (
        "prediction drift", "alarm", "prediction drift",
    )  # fmt: skip


def test_bins_that_are_empty_on_both_sides_do_not_count() -> None:
    """They would make chance look larger than it is."""
    with_empty, without = distance([50, 0, 50], [60, 0, 40]), distance([50, 50], [60, 40])
    assert with_empty == without
    assert without.bins == 2
    assert distance([100, 0], [90, 0]).index == 0


def test_a_bin_that_was_empty_is_no_infinite_distance() -> None:
    """Half a row stands in every bin."""
    assert 0 < distance([100, 100, 0], [90, 90, 20]).index < 1


def test_a_column_that_is_not_counted_is_not_ok() -> None:
    """Servers of another time say nothing of it."""
    rng = np.random.default_rng(5)
    known = described(rng, 1000)
    assert found(drift(MONITORING, known, Seen(rows=1000)), "n0").verdict == "insufficient data"


def test_missing_values_are_no_bin_of_the_column() -> None:
    """They are judged by themselves: one thing, one alarm."""
    rng = np.random.default_rng(6)
    known = described(rng, 2000)
    now = seen(known, frame(rng, 1000, gone=0.4), rng.random(1000))
    assert all(finding.verdict == "ok" for finding in drift(MONITORING, known, now))
    findings = missing(MONITORING, known, now)
    assert [finding.key for finding in findings if finding.verdict == "alarm"] == ["missing values: half"]


def test_chance_alone_makes_no_missing_values() -> None:
    """A few more than allowed among few rows is a warning; surely more is an alarm."""
    rng = np.random.default_rng(7)
    known = described(rng, 2000)
    counts = known["columns"]["n0"]["counts"]
    for more, verdict in ((8, "ok"), (12, "warning"), (40, "alarm")):
        now = Seen(rows=200, columns={"n0": [*[200 - more] + [0] * (len(counts) - 1), more]})
        found = [finding.verdict for finding in missing(MONITORING, known, now) if finding.subject == "n0"]
        assert found == [verdict], more
