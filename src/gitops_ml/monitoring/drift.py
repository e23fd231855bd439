"""Data drift and prediction drift: the distance between the counts of a window and the counts of the reference.

The effect size is the population stability index: the sum of the two relative entropies of the shares. With n current
rows and m reference rows, and without drift, its distribution is approximately (1/n + 1/m) times a chi-squared variable
with one degree of freedom less than bins (Yurdakul, "Statistical properties of population stability index", 2018). An
alarm needs an index that is large and also larger than chance explains: neither many rows alone, nor few rows, nor many
columns raise an alarm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr
from scipy.stats import chi2

from gitops_ml.bins import bin_counts
from gitops_ml.monitoring.window import Finding, Kind, Verdict, WindowCounts
from gitops_ml.monitoring_config import MonitoringConfig

SMOOTHING = 0.5  # rows added to each bin, so that an empty bin does not make the distance infinite


@dataclass(frozen=True)
class Distance:
    """The distance between two histograms with the same bins.

    Attributes:
        index: Population stability index.
        jensen_shannon: Jensen-Shannon distance, from 0 to 1.
        bins: Number of bins that are not empty in both histograms.
        current_rows: Number of current rows.
        reference_rows: Number of rows of the reference.
    """

    index: float
    jensen_shannon: float
    bins: int
    current_rows: int
    reference_rows: int

    def chance_quantile(self, share: float) -> float:
        """Return the index that this share of windows without drift exceeds.

        Args:
            share: Share of windows, from 0 to 1.
        """
        if self.bins < 2 or not self.current_rows or not self.reference_rows:
            return 0.0
        return float((1 / self.current_rows + 1 / self.reference_rows) * chi2.ppf(1 - share, self.bins - 1))


def measure_distance(reference: Sequence[int], current: Sequence[int]) -> Distance:
    """Return the distance between two histograms; bins that are empty in both are left out.

    Args:
        reference: Counts of the reference; shape (bins,).
        current: Counts of the window, in the same bins; shape (bins,).
    """
    before, after = np.asarray(reference, dtype=float), np.asarray(current, dtype=float)
    filled = (before + after) > 0
    before, after = before[filled], after[filled]
    rows, reference_rows = int(after.sum()), int(before.sum())
    if filled.sum() < 2:
        return Distance(0.0, 0.0, int(filled.sum()), rows, reference_rows)
    p, q = ((counts + SMOOTHING) / (counts + SMOOTHING).sum() for counts in (before, after))
    index = float((rel_entr(p, q) + rel_entr(q, p)).sum())
    return Distance(index, float(jensenshannon(p, q, base=2)), int(filled.sum()), rows, reference_rows)


def detect_drift(monitoring: MonitoringConfig, reference: Mapping[str, Any], counts: WindowCounts) -> list[Finding]:
    """Return one finding for each column that has bins, and one for the prediction.

    Missing values are not a bin here; they have their own findings.

    Args:
        monitoring: Thresholds.
        reference: Content of the version's reference.json.
        counts: Counts of the window.
    """
    columns = {name: bin_counts(described)[:-1] for name, described in reference["columns"].items()}
    columns = {name: bins for name, bins in columns.items() if len(bins) > 1}
    prediction = bin_counts(reference["prediction"])[:-1]
    tests = len(columns) + 1
    findings = [_finding("data drift", name, bins, counts.columns.get(name), monitoring, tests)
                for name, bins in columns.items()]  # fmt: skip
    return [*findings, _finding("prediction drift", None, prediction, counts.prediction or None, monitoring, tests)]


def _finding(
    kind: Kind, subject: str | None, reference: Sequence[int], current: Sequence[int] | None,
    monitoring: MonitoringConfig, tests: int,
) -> Finding:  # fmt: skip
    if current is None:
        return Finding(kind=kind, subject=subject, verdict="insufficient data", words="The source does not count it.")
    measured = measure_distance(reference, current[:-1])
    chance = measured.chance_quantile(monitoring.false_alarms / tests)
    warning, alarm = max(monitoring.warning, chance), max(monitoring.alarm, chance)
    verdict: Verdict = "alarm" if measured.index >= alarm else "warning" if measured.index >= warning else "ok"
    rows, minimum = measured.current_rows, monitoring.minimum_rows
    too_few = rows < minimum
    if subject in monitoring.left_out and not too_few:
        verdict = "left out"
    notes = [f"The window has {rows or 'no'} rows; at least {minimum} are needed."] if too_few else []
    if subject in monitoring.left_out:
        notes.append("Drift of this column raises no alarm ([monitoring] left_out in model.toml).")
    return Finding(
        kind=kind, subject=subject, verdict="insufficient data" if too_few else verdict,
        value=round(measured.index, 5) if rows else None, warning=round(warning, 5), alarm=round(alarm, 5),
        words=" ".join([*notes, *([_describe_distance(measured, chance)] if rows else [])]),
    )  # fmt: skip


def _describe_distance(measured: Distance, chance: float) -> str:
    return (
        f"Population stability index {measured.index:.3f} (Jensen-Shannon distance {measured.jensen_shannon:.3f}) in "
        f"{measured.bins} bins of {measured.current_rows} rows; chance alone explains up to {chance:.3f}."
    )
