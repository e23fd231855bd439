"""Values that are missing more often than they were in training."""

from collections.abc import Mapping
from typing import Any

from gitops_ml.bins import counted
from gitops_ml.monitoring.shares import difference, verdict
from gitops_ml.monitoring.window import Finding, Seen
from gitops_ml.watch import Monitoring


def missing(monitoring: Monitoring, reference: Mapping[str, Any], seen: Seen) -> list[Finding]:
    """One finding for each column of the reference."""
    chance = monitoring.false_alarms / max(1, len(seen.columns))
    return [
        _finding(name, counted(described), seen.columns.get(name), monitoring, chance)
        for name, described in reference["columns"].items()
    ]


def _finding(name: str, then: list[int], now: list[int] | None, monitoring: Monitoring, chance: float) -> Finding:
    if now is None:
        return _unknown(name, "It is not counted.")
    rows, before, allowed = sum(now), max(1, sum(then)), monitoring.missing
    if rows < monitoring.minimum_rows:
        return _unknown(name, f"{rows} rows are fewer than the {monitoring.minimum_rows} that are evidence.")
    more, low, high = difference((now[-1], rows), (then[-1], before), chance)
    return Finding(
        kind="missing values", subject=name, verdict=verdict(more, low, allowed), value=round(more, 5),
        warning=allowed, alarm=allowed, low=round(low, 5), high=round(high, 5),
        words=f"{now[-1] / rows:.1%} of {rows} rows are missing, {then[-1] / before:.1%} in training; "
              f"surely {max(low, 0):.1%} more.",
    )  # fmt: skip


def _unknown(name: str, words: str) -> Finding:
    return Finding(kind="missing values", subject=name, verdict="insufficient data", words=words)
