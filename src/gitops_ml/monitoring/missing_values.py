"""Missing values: the shares of missing values in a window, compared with the shares in training."""

from collections.abc import Mapping
from typing import Any

from gitops_ml.bins import bin_counts
from gitops_ml.monitoring.proportions import compare_with_limit, newcombe_interval
from gitops_ml.monitoring.window import Finding, WindowCounts
from gitops_ml.monitoring_config import MonitoringConfig


def detect_missing_values(
    monitoring: MonitoringConfig, reference: Mapping[str, Any], counts: WindowCounts
) -> list[Finding]:
    """Return one finding for each column of the reference.

    Args:
        monitoring: Thresholds.
        reference: Content of the version's reference.json.
        counts: Counts of the window.
    """
    chance = monitoring.false_alarms / max(1, len(counts.columns))
    return [
        _finding(name, bin_counts(described), counts.columns.get(name), monitoring, chance)
        for name, described in reference["columns"].items()
    ]


def _finding(
    name: str, reference: list[int], current: list[int] | None, monitoring: MonitoringConfig, chance: float
) -> Finding:
    if current is None:
        return _insufficient(name, "The source does not count it.")
    rows, before, allowed = sum(current), max(1, sum(reference)), monitoring.missing
    if rows < monitoring.minimum_rows:
        return _insufficient(name, f"The window has {rows} rows; at least {monitoring.minimum_rows} are needed.")
    increase, low, high = newcombe_interval((current[-1], rows), (reference[-1], before), chance)
    return Finding(
        kind="missing values", subject=name, verdict=compare_with_limit(increase, low, allowed),
        value=round(increase, 5), warning=allowed, alarm=allowed, low=round(low, 5), high=round(high, 5),
        words=f"{current[-1] / rows:.1%} of {rows} rows are missing, {reference[-1] / before:.1%} in training; the "
              f"increase is at least {max(low, 0):.1%} at this confidence level.",
    )  # fmt: skip


def _insufficient(name: str, text: str) -> Finding:
    return Finding(kind="missing values", subject=name, verdict="insufficient data", words=text)
