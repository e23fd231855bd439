"""How the servers behave: requests that break the schema, that fail, that are slow, and whether there are any."""

from math import inf

import numpy as np
from scipy.stats import binom

from gitops_ml.monitoring.shares import interval, verdict
from gitops_ml.monitoring.window import Finding, Kind, Seen
from gitops_ml.watch import Monitoring

REFUSED = "422"  # what rows get that break the schema
MINIMUM = 20  # requests; of fewer, no share is spoken of
QUANTILE = 0.95


def conduct(monitoring: Monitoring, seen: Seen) -> list[Finding]:
    """What the requests of a window say; the log knows of none, and says nothing here."""
    total = sum(seen.requests.values())
    found = [_traffic(seen, total)]
    if monitoring.source == "log":
        return found
    failed = sum(number for status, number in seen.requests.items() if status.startswith("5"))
    return [
        *found,
        _share("refused requests", seen.requests.get(REFUSED, 0), total, monitoring.refused, seen, monitoring),
        _share("failed requests", failed, total, monitoring.errors, seen, monitoring),
        _slow(monitoring, seen),
    ]


def _traffic(seen: Seen, requests: int) -> Finding:
    quiet = not seen.rows and not requests
    words = "Nobody asked: is the way to the servers open?" if quiet else f"{seen.rows} rows were predicted."
    return Finding(kind="no traffic", verdict="warning" if quiet else "ok", value=seen.rows, words=words)


def _share(kind: Kind, count: int, total: int, allowed: float, seen: Seen, monitoring: Monitoring) -> Finding:
    if total < MINIMUM:
        return Finding(kind=kind, verdict="insufficient data", words=f"{total} requests are too few to say.")
    share, (low, high) = count / total, interval(count, total, monitoring.false_alarms)
    why = ", ".join(f"{code} {number}" for code, number in sorted(seen.refused.items()) if number)
    return Finding(
        kind=kind, verdict=verdict(share, low, allowed), value=round(share, 5), warning=allowed, alarm=allowed,
        low=round(low, 5), high=round(high, 5),
        words=f"{count} of {total} requests.{f' By code: {why}.' if why and count else ''}",
    )  # fmt: skip


def _slow(monitoring: Monitoring, seen: Seen) -> Finding:
    """The time that 95 of 100 requests stay below; the lower end of its interval is an order statistic's."""
    edges = sorted((float(edge.replace("+Inf", "inf")), number) for edge, number in seen.seconds.items())
    total, limit = edges[-1][1] if edges else 0, monitoring.latency_seconds
    if total < MINIMUM:
        return Finding(kind="slow requests", verdict="insufficient data", words=f"{total} requests are too few to say.")
    value = _within(edges, QUANTILE * total)
    low = _within(edges, float(binom.ppf(monitoring.false_alarms, total, QUANTILE)))
    return Finding(
        kind="slow requests", verdict=verdict(value, low, limit), value=round(value, 5), warning=limit, alarm=limit,
        low=round(low, 5), words=f"95 of 100 requests took at most {value:.3g} s, of {total}.",
    )  # fmt: skip


def _within(edges: list[tuple[float, int]], rank: float) -> float:
    """The time within which so many requests were answered; between edges by a straight line, as Prometheus does."""
    finite = [(edge, number) for edge, number in edges if edge < inf]
    return float(np.interp(rank, [0, *(number for _, number in finite)], [0, *(edge for edge, _ in finite)]))
