"""The reference as metrics, so that Prometheus can evaluate drift without any file."""

from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from scipy.special import chdtri

from gitops_ml import counters
from gitops_ml.bins import bin_counts, bin_labels

MISSING_BINS = 1  # the last bin counts missing values and is not part of the distribution
LABELS = ("column", "bin", counters.WITHIN, "version")


def expose(registry: CollectorRegistry, reference: dict[str, Any], version: str, false_alarms: float) -> None:
    """Export the counts of a reference, which never change; the prediction has an empty label `column`.

    By chance alone, the population stability index of n rows against m rows of the reference is distributed as
    (1 / n + 1 / m) times chi-squared, with one degree of freedom less than bins (training/shifts.py). The exported
    quantile of that chi-squared distribution is exceeded, over all columns together, in the share `false_alarms` of
    windows.

    Args:
        registry: Registry of the server's metrics.
        reference: Content of the version's reference.json.
        version: Value of the label `version`.
        false_alarms: Share of windows without drift that may raise an alarm.
    """
    histograms = {"": reference["prediction"], **reference["columns"]}
    monitored = [column for column, histogram in histograms.items() if len(bin_counts(histogram)) > MISSING_BINS + 1]
    rows = Gauge(counters.REFERENCE, "Rows of the reference.", LABELS, registry=registry)
    chance = Gauge(
        counters.CHANCE, "Stability index that chance explains, times rows.", ["column", "version"], registry=registry
    )
    for column, histogram in histograms.items():
        bins = zip(bin_labels(histogram), bin_counts(histogram), strict=True)
        for index, (within, number) in enumerate(bins):
            rows.labels(column, index, within, version).set(number)
    for column in monitored:
        filled = sum(number > 0 for number in bin_counts(histograms[column])[:-MISSING_BINS])
        chance.labels(column, version).set(float(chdtri(max(filled - 1, 1), false_alarms / len(monitored))))
