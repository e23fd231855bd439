"""Data drift and prediction drift: how far the counts of a window are from those of the reference.

The population stability index is the effect size: the two relative entropies of the shares, added up. With n rows now
and m then, and no drift, it is about (1/n + 1/m) times a chi-squared number with one degree of freedom less than bins
(Yurdakul, "Statistical properties of population stability index", 2018). So it must be large, and larger than chance
makes it: many rows alone raise no alarm, and neither do few, or many columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr
from scipy.stats import chi2

from gitops_ml.bins import counted
from gitops_ml.monitoring.window import Finding, Kind, Seen, Verdict
from gitops_ml.watch import Monitoring

SMOOTHING = 0.5  # rows that every bin has anyway, so that an empty one is no infinite distance


@dataclass(frozen=True)
class Distance:
    """How far two histograms are from each other.

    Attributes:
        index: The population stability index.
        jensen_shannon: The Jensen-Shannon distance, from 0 to 1.
        bins: How many bins hold anything.
        now: Rows now.
        then: Rows of the reference.
    """

    index: float
    jensen_shannon: float
    bins: int
    now: int
    then: int

    def by_chance(self, share: float) -> float:
        """What the index exceeds in this share of windows without drift."""
        if self.bins < 2 or not self.now or not self.then:
            return 0.0
        return float((1 / self.now + 1 / self.then) * chi2.ppf(1 - share, self.bins - 1))


def distance(then: Sequence[int], now: Sequence[int]) -> Distance:
    """Compare the counts of the same bins; bins that are empty on both sides do not count."""
    before, after = np.asarray(then, dtype=float), np.asarray(now, dtype=float)
    some = (before + after) > 0
    before, after = before[some], after[some]
    rows, reference = int(after.sum()), int(before.sum())
    if some.sum() < 2:
        return Distance(0.0, 0.0, int(some.sum()), rows, reference)
    p, q = ((counts + SMOOTHING) / (counts + SMOOTHING).sum() for counts in (before, after))
    index = float((rel_entr(p, q) + rel_entr(q, p)).sum())
    return Distance(index, float(jensenshannon(p, q, base=2)), int(some.sum()), rows, reference)


def drift(monitoring: Monitoring, reference: Mapping[str, Any], seen: Seen) -> list[Finding]:
    """One finding for each column that has bins, and one for the prediction.

    What is missing is no bin here: it has findings of its own.
    """
    then = {name: counted(described)[:-1] for name, described in reference["columns"].items()}
    then = {name: counts for name, counts in then.items() if len(counts) > 1}
    said = counted(reference["prediction"])[:-1]
    tests = len(then) + 1
    found = [_finding("data drift", name, counts, seen.columns.get(name), monitoring, tests)
             for name, counts in then.items()]  # fmt: skip
    return [*found, _finding("prediction drift", None, said, seen.prediction or None, monitoring, tests)]


def _finding(
    kind: Kind, subject: str | None, then: Sequence[int], now: Sequence[int] | None, monitoring: Monitoring, tests: int
) -> Finding:
    if now is None:
        return Finding(kind=kind, subject=subject, verdict="insufficient data", words="It is not counted.")
    measured = distance(then, now[:-1])
    chance = measured.by_chance(monitoring.false_alarms / tests)
    warning, alarm = max(monitoring.warning, chance), max(monitoring.alarm, chance)
    verdict: Verdict = "alarm" if measured.index >= alarm else "warning" if measured.index >= warning else "ok"
    few = measured.now < monitoring.minimum_rows
    many = f"{measured.now} rows are fewer than the {monitoring.minimum_rows} that are evidence. " if few else ""
    return Finding(
        kind=kind, subject=subject, verdict="insufficient data" if few else verdict,
        value=round(measured.index, 5) if measured.now else None, warning=round(warning, 5), alarm=round(alarm, 5),
        words=f"{many}Index {measured.index:.3f} (Jensen-Shannon distance {measured.jensen_shannon:.3f}) over "
              f"{measured.bins} bins of {measured.now} rows; chance alone: up to {chance:.3f}.",
    )  # fmt: skip
