"""Performance decay: the metric on rows whose truth was told, against the one that the version was promoted for."""

from collections.abc import Callable
from dataclasses import dataclass

from gitops_ml.monitoring.look import Told
from gitops_ml.monitoring.window import Finding, Verdict
from gitops_ml.watch import Monitoring


@dataclass(frozen=True)
class Measured:
    """The metric on some rows, with its bootstrap interval, in the metric's own unit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Promise:
    """What the record says of the version.

    Attributes:
        metric: Its name.
        value: On the holdout.
        more_is_better: Whether a larger one is better.
        measure: Measures rows whose truth was told; None where the log does not say enough for this metric.
        relative: Whether its unit is the target's, so that what it may lose is a share of the value.
    """

    metric: str
    value: float
    more_is_better: bool
    measure: Callable[[Told], Measured | None]
    relative: bool = False


def performance(monitoring: Monitoring, promise: Promise, told: Told) -> Finding:
    """An alarm only if the whole interval is worse than promised by more than is allowed."""
    rows, name = len(told.truth), promise.metric
    if rows < monitoring.minimum_rows:
        return _unknown(name, f"The truth of {rows} rows was told; {monitoring.minimum_rows} are evidence.")
    found = promise.measure(told)
    if found is None:
        return _unknown(name, f"The log does not say enough to measure {name} here.")
    sign = 1 if promise.more_is_better else -1
    best = found.high if promise.more_is_better else found.low
    limit = sign * promise.value - monitoring.decay * (abs(promise.value) if promise.relative else 1)
    verdict: Verdict = "alarm" if sign * best < limit else "warning" if sign * found.value < limit else "ok"
    return Finding(
        kind="performance decay", subject=name, verdict=verdict, value=round(found.value, 5),
        warning=round(sign * limit, 5), alarm=round(sign * limit, 5), low=round(found.low, 5),
        high=round(found.high, 5),
        words=f"{name} is {found.value:.4f} [{found.low:.4f}, {found.high:.4f}] on {rows} rows, and was "
              f"{promise.value:.4f} at promotion.",
    )  # fmt: skip


def _unknown(metric: str, words: str) -> Finding:
    return Finding(kind="performance decay", subject=metric, verdict="insufficient data", words=words)
