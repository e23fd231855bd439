"""Drift, measured on real counts: the configured share of false alarms, and the drift that is detected."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gitops_ml.bins import count_by_bin
from gitops_ml.monitoring.drift import detect_drift, measure_distance
from gitops_ml.monitoring.missing_values import detect_missing_values
from gitops_ml.monitoring.window import Finding, WindowCounts
from gitops_ml.monitoring_config import MonitoringConfig
from gitops_ml.predictions import Predictions
from gitops_ml.training.reference import reference

MONITORING = MonitoringConfig()
KINDS = ["a", "b", "c", "rare"]


def frame(rng: np.random.Generator, rows: int, shift: float = 0, missing: float = 0.1) -> pd.DataFrame:
    """Return ten columns: numbers with several distributions, one with missing values, and text with a rare value."""
    numbers: dict[str, Any] = {f"n{i}": rng.normal(size=rows) for i in range(4)}
    numbers |= {f"e{i}": rng.exponential(size=rows) for i in range(2)}
    numbers |= {"integer": rng.poisson(2, rows), "gaps": np.where(rng.random(rows) < missing, np.nan, 1.5)}
    frame = pd.DataFrame({**numbers, "u": rng.random(rows), "kind": rng.choice(KINDS, rows, p=[0.5, 0.3, 0.19, 0.01])})
    frame["n0"] += shift
    return frame


def training_reference(rng: np.random.Generator, rows: int) -> dict[str, Any]:
    """Return the reference that training writes for such rows."""
    probabilities = rng.random(rows)
    columns = np.column_stack([1 - probabilities, probabilities])
    predictions = Predictions(probabilities > 0.5, columns, (False, True))
    return reference(frame(rng, rows), pd.Series(probabilities > 0.5), predictions, True)


def count_rows(known: dict[str, Any], rows: pd.DataFrame, probabilities: "np.ndarray[Any, Any]") -> WindowCounts:
    """Return the counts of servers for rows."""
    columns = {name: count_by_bin(rows[name], histogram) or [] for name, histogram in known["columns"].items()}
    prediction = count_by_bin(pd.Series(probabilities), known["prediction"]) or []
    return WindowCounts(rows=len(rows), columns=columns, prediction=prediction)


def find(findings: list[Finding], subject: str | None) -> Finding:
    """Return the finding about a column, or about the prediction."""
    return next(finding for finding in findings if finding.subject == subject)


@pytest.mark.slow
@pytest.mark.parametrize(("now", "then"), [(200, 300), (500, 2000), (5000, 20_000)])
def test_without_drift_alarms_are_as_rare_as_configured(now: int, then: int) -> None:
    """Count alarms in 400 windows without drift; the limit allows for the chance variation of 400 windows."""
    rng, alarms, windows = np.random.default_rng(now), 0, 400
    for window in range(windows):
        if window % 40 == 0:
            known = training_reference(rng, then)
        findings = detect_drift(MONITORING, known, count_rows(known, frame(rng, now), rng.random(now)))
        alarms += any(finding.verdict == "alarm" for finding in findings)
    print(f"{now} rows against {then}: {alarms} of {windows} windows, configured {MONITORING.false_alarms:.0%}")
    assert alarms <= 9  # of 400 windows at 1 %, 9 or fewer in 99.2 of 100 cases


@pytest.mark.slow
def test_shift_of_half_a_standard_deviation_is_detected() -> None:
    """Detect it in one column of ten, with 500 rows, and in no other column."""
    rng, hits, others = np.random.default_rng(1), 0, 0
    for _ in range(100):
        known = training_reference(rng, 2000)
        findings = detect_drift(MONITORING, known, count_rows(known, frame(rng, 500, shift=0.5), rng.random(500)))
        hits += find(findings, "n0").verdict == "alarm"
        others += any(finding.verdict == "alarm" for finding in findings if finding.subject != "n0")
    print(f"{hits} of 100 detected, {others} windows with an alarm of another column")
    assert hits >= 95
    assert others <= 4


@pytest.mark.slow
def test_many_rows_alone_raise_no_alarm() -> None:
    """Ignore a shift of a tenth of a standard deviation: with a million rows it is significant, but too small."""
    rng = np.random.default_rng(2)
    known = training_reference(rng, 100_000)
    finding = find(
        detect_drift(MONITORING, known, count_rows(known, frame(rng, 1_000_000, 0.1), rng.random(1000))), "n0"
    )
    assert finding.value
    assert finding.value > measure_distance([10] * 10, [10] * 10).index
    assert finding.verdict == "ok"


def test_few_rows_are_insufficient_data() -> None:
    """Give neither ok nor an alarm, however large the shift."""
    rng = np.random.default_rng(3)
    known = training_reference(rng, 1000)
    findings = detect_drift(MONITORING, known, count_rows(known, frame(rng, 50, shift=5), rng.random(50)))
    assert {finding.verdict for finding in findings} == {"insufficient data"}
    assert "The window has 50 rows; at least 200 are needed." in findings[0].words


def test_prediction_has_its_own_finding() -> None:
    """Report shifted predictions as prediction drift, whether or not columns drift."""
    rng = np.random.default_rng(4)
    known = training_reference(rng, 1000)
    findings = detect_drift(MONITORING, known, count_rows(known, frame(rng, 500), rng.random(500) ** 2))
    assert (findings[-1].kind, findings[-1].verdict, findings[-1].key) == (
        "prediction drift", "alarm", "prediction drift",
    )  # fmt: skip


def test_bins_that_are_empty_in_both_histograms_are_ignored() -> None:
    """Ignore them, because they would increase the index that chance explains."""
    with_empty, without = measure_distance([50, 0, 50], [60, 0, 40]), measure_distance([50, 50], [60, 40])
    assert with_empty == without
    assert without.bins == 2
    assert measure_distance([100, 0], [90, 0]).index == 0


def test_distance_of_empty_bin_is_finite() -> None:
    """Add half a row to each bin."""
    assert 0 < measure_distance([100, 100, 0], [90, 90, 20]).index < 1


def test_column_without_counts_is_insufficient_data() -> None:
    """Give no verdict on a column that the servers do not count."""
    rng = np.random.default_rng(5)
    known = training_reference(rng, 1000)
    assert find(detect_drift(MONITORING, known, WindowCounts(rows=1000)), "n0").verdict == "insufficient data"


def test_missing_values_are_not_part_of_drift() -> None:
    """Evaluate missing values separately, so that they raise one alarm and not two."""
    rng = np.random.default_rng(6)
    known = training_reference(rng, 2000)
    counts = count_rows(known, frame(rng, 1000, missing=0.4), rng.random(1000))
    assert all(finding.verdict == "ok" for finding in detect_drift(MONITORING, known, counts))
    findings = detect_missing_values(MONITORING, known, counts)
    assert [finding.key for finding in findings if finding.verdict == "alarm"] == ["missing values: gaps"]


def test_alarm_of_missing_values_needs_significance() -> None:
    """Warn if slightly more values are missing than allowed; raise an alarm if the whole interval exceeds the limit."""
    rng = np.random.default_rng(7)
    known = training_reference(rng, 2000)
    bins = known["columns"]["n0"]["counts"]
    for more, verdict in ((8, "ok"), (12, "warning"), (40, "alarm")):
        counts = WindowCounts(rows=200, columns={"n0": [*[200 - more] + [0] * (len(bins) - 1), more]})
        findings = detect_missing_values(MONITORING, known, counts)
        assert [finding.verdict for finding in findings if finding.subject == "n0"] == [verdict], more


def test_a_window_without_rows_has_no_distance() -> None:
    """The text says so, instead of figures about no rows."""
    rng = np.random.default_rng(3)
    known = training_reference(rng, 1000)
    findings = detect_drift(MONITORING, known, count_rows(known, frame(rng, 0), rng.random(0)))
    assert {finding.words for finding in findings} == {"The window has no rows; at least 200 are needed."}
