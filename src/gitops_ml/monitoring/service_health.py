"""Service health: the traffic, and the shares of refused, failed and slow requests."""

from math import inf

import numpy as np
from scipy.stats import binom

from gitops_ml.monitoring.proportions import compare_with_limit, wilson_interval
from gitops_ml.monitoring.window import Finding, Kind, WindowCounts
from gitops_ml.monitoring_config import MonitoringConfig

REFUSED_STATUS = "422"  # status of requests whose rows break the schema
MIN_REQUESTS = 20  # with fewer requests, no share is evaluated
QUANTILE = 0.95


def check_service_health(monitoring: MonitoringConfig, counts: WindowCounts) -> list[Finding]:
    """Return the findings about the requests of a window.

    The prediction log holds no failed requests, so with `source = "log"` only the traffic is evaluated.

    Args:
        monitoring: Thresholds.
        counts: Counts of the window.
    """
    total = sum(counts.requests.values())
    findings = [_check_traffic(counts, total)]
    if monitoring.source == "log":
        return findings
    failed = sum(number for status, number in counts.requests.items() if status.startswith("5"))
    refused = counts.requests.get(REFUSED_STATUS, 0)
    return [
        *findings,
        _check_share("refused requests", refused, total, monitoring.refused, counts, monitoring),
        _check_share("failed requests", failed, total, monitoring.errors, counts, monitoring),
        _check_latency(monitoring, counts),
    ]


def _check_traffic(counts: WindowCounts, requests: int) -> Finding:
    quiet = not counts.rows and not requests
    text = (
        "There were no requests. Check that callers can reach the servers."
        if quiet
        else f"{counts.rows} rows were predicted."
    )
    return Finding(kind="no traffic", verdict="warning" if quiet else "ok", value=counts.rows, words=text)


def _check_share(
    kind: Kind, count: int, total: int, allowed: float, counts: WindowCounts, monitoring: MonitoringConfig
) -> Finding:
    if total < MIN_REQUESTS:
        return Finding(kind=kind, verdict="insufficient data", words=_too_few_requests(total))
    share, (low, high) = count / total, wilson_interval(count, total, monitoring.false_alarms)
    codes = ", ".join(f"{code} {number}" for code, number in sorted(counts.refused.items()) if number)
    return Finding(
        kind=kind, verdict=compare_with_limit(share, low, allowed), value=round(share, 5), warning=allowed,
        alarm=allowed, low=round(low, 5), high=round(high, 5),
        words=f"{count} of {total} requests.{f' By error code: {codes}.' if codes and count else ''}",
    )  # fmt: skip


def _check_latency(monitoring: MonitoringConfig, counts: WindowCounts) -> Finding:
    """Evaluate the 95th percentile of the request time; the low end of its interval is an order statistic."""
    edges = sorted((float(edge.replace("+Inf", "inf")), number) for edge, number in counts.seconds.items())
    total, limit = edges[-1][1] if edges else 0, monitoring.latency_seconds
    if total < MIN_REQUESTS:
        return Finding(kind="slow requests", verdict="insufficient data", words=_too_few_requests(total))
    value = _interpolate(edges, QUANTILE * total)
    low = _interpolate(edges, float(binom.ppf(monitoring.false_alarms, total, QUANTILE)))
    return Finding(
        kind="slow requests", verdict=compare_with_limit(value, low, limit), value=round(value, 5), warning=limit,
        alarm=limit, low=round(low, 5), words=f"95 % of {total} requests took at most {value:.3g} s.",
    )  # fmt: skip


def _too_few_requests(total: int) -> str:
    return f"There were {total} requests; at least {MIN_REQUESTS} are needed to evaluate them."


def _interpolate(edges: list[tuple[float, int]], rank: float) -> float:
    """Return the seconds within which this many requests were answered; linear between edges, as in Prometheus."""
    finite = [(edge, number) for edge, number in edges if edge < inf]
    return float(np.interp(rank, [0, *(number for _, number in finite)], [0, *(edge for edge, _ in finite)]))
