"""Performance decay: the metric on rows whose outcomes are known, compared with the metric at promotion."""

from collections.abc import Callable
from dataclasses import dataclass

from gitops_ml.monitoring.snapshot import LabeledPredictions
from gitops_ml.monitoring.window import Finding, Verdict
from gitops_ml.monitoring_config import MonitoringConfig


@dataclass(frozen=True)
class MeasuredMetric:
    """A metric on some rows, with its bootstrap interval, in the unit of the metric.

    Attributes:
        value: Value of the metric.
        low: Low end of the interval.
        high: High end of the interval.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PromotedMetric:
    """The metric that a version was promoted with, as its record holds it.

    Attributes:
        metric: Name of the metric.
        value: Value on the holdout.
        greater_is_better: True if a larger value is better.
        measure: Function that measures the metric on labeled predictions; it returns None if the prediction log does
            not hold enough for this metric.
        is_relative: True if the size of the metric depends on the data; the allowed loss is then a share of the value.
    """

    metric: str
    value: float
    greater_is_better: bool
    measure: Callable[[LabeledPredictions], MeasuredMetric | None]
    is_relative: bool = False


def detect_decay(monitoring: MonitoringConfig, promoted: PromotedMetric, labeled: LabeledPredictions) -> Finding:
    """Return the finding about the metric; it is an alarm only if the whole interval is worse than allowed.

    Args:
        monitoring: Thresholds.
        promoted: Metric at promotion.
        labeled: Predictions whose outcomes are known.
    """
    rows, name = len(labeled.labels), promoted.metric
    if rows < monitoring.minimum_rows:
        return _insufficient(name, f"{rows} rows have an outcome; at least {monitoring.minimum_rows} are needed.")
    measured = promoted.measure(labeled)
    if measured is None:
        return _insufficient(name, f"The prediction log does not hold the values that {name} needs.")
    sign = 1 if promoted.greater_is_better else -1
    best = measured.high if promoted.greater_is_better else measured.low
    limit = sign * promoted.value - monitoring.decay * (abs(promoted.value) if promoted.is_relative else 1)
    verdict: Verdict = "alarm" if sign * best < limit else "warning" if sign * measured.value < limit else "ok"
    return Finding(
        kind="performance decay", subject=name, verdict=verdict, value=round(measured.value, 5),
        warning=round(sign * limit, 5), alarm=round(sign * limit, 5), low=round(measured.low, 5),
        high=round(measured.high, 5),
        words=f"{name} is {measured.value:.4f} [{measured.low:.4f}, {measured.high:.4f}] on {rows} rows; it was "
              f"{promoted.value:.4f} at promotion.",
    )  # fmt: skip


def _insufficient(metric: str, text: str) -> Finding:
    return Finding(kind="performance decay", subject=metric, verdict="insufficient data", words=text)
