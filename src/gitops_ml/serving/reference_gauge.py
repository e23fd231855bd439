"""The reference itself at /metrics, so that Prometheus can tell drift without any file."""

from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from scipy.special import chdtri

from gitops_ml import counters
from gitops_ml.bins import bins, counted

MISSING = 1  # the last bin, which is none of a distribution
LABELS = ("column", "bin", counters.WITHIN, "version")


def expose(registry: CollectorRegistry, reference: dict[str, Any], version: str, false_alarms: float) -> None:
    """Show the counts of a reference, which never change; the prediction is the one without a column.

    By chance alone the stability index of n rows against m of the reference is distributed as (1 / n + 1 / m) times
    chi-squared, with one degree of freedom less than bins (training/shifts.py). Shown is the quantile of that
    chi-squared which, over all columns together, is passed in so many windows.

    Args:
        registry: Of the server's counters.
        reference: What was written in training.
        version: As the counters are labelled.
        false_alarms: Of windows without any drift, how many may look as if they had it.
    """
    described = {"": reference["prediction"], **reference["columns"]}
    watched = [column for column, one in described.items() if len(counted(one)) > MISSING + 1]
    rows = Gauge(counters.REFERENCE, "Rows of the reference.", LABELS, registry=registry)
    chance = Gauge(
        counters.CHANCE, "What chance may do to drift, times rows.", ["column", "version"], registry=registry
    )
    for column, one in described.items():
        for place, (within, number) in enumerate(zip(bins(one), counted(one), strict=True)):
            rows.labels(column, place, within, version).set(number)
    for column in watched:
        free = max(sum(number > 0 for number in counted(described[column])[:-MISSING]) - 1, 1)
        chance.labels(column, version).set(float(chdtri(free, false_alarms / len(watched))))
