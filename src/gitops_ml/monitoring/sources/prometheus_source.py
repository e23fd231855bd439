"""Prometheus as a source: the increase of each counter over all servers, restarts included.

https://prometheus.io/docs/prometheus/latest/querying/api
"""

import math
from typing import Any

import requests

from gitops_ml.counters import ERRORS, FEATURES, PREDICTIONS, REQUESTS, ROWS, SECONDS
from gitops_ml.errors import MonitoringError
from gitops_ml.monitoring.counts import BUCKET, PATH, TOTAL, SampleCollector
from gitops_ml.monitoring.snapshot import Snapshot, SnapshotRequest

TIMEOUT = (5, 60)
# Each counter, and the labels that it is summed by.
SUMS = {
    ROWS + TOTAL: (),
    FEATURES + TOTAL: ("column", "bin"),
    PREDICTIONS + TOTAL: ("bin",),
    REQUESTS + TOTAL: ("path", "status"),
    ERRORS + TOTAL: ("code",),
    SECONDS + BUCKET: ("path", "le"),
}


def query_prometheus(address: str, selector: str, request: SnapshotRequest) -> Snapshot:
    """Query the increase of each counter of the version in the window.

    Args:
        address: Address of the Prometheus server.
        selector: Labels that distinguish these servers from others; may be empty.
        request: Version and time span to count.

    Returns:
        The snapshot of the window.

    Raises:
        MonitoringError: Prometheus does not respond, refuses the query, or has no samples of this version.
    """
    collector, found = SampleCollector(request), False
    for name, labels in SUMS.items():
        for sample in _query(address, build_query(name, labels, selector, request), request.until.timestamp()):
            value = float(sample["value"][1])
            if math.isfinite(value):
                collector.add(name, sample["metric"], value)
                found = found or name == ROWS + TOTAL
    if not found:
        raise MonitoringError(
            f"{address} has no {ROWS}{TOTAL} of version {request.version} since {request.start:%Y-%m-%d %H:%M}.",
            "Check that it scrapes the servers (`gitops docs monitoring`), and `selector` under [monitoring].",
        )
    return Snapshot(request.start, collector.counts)


def build_query(name: str, labels: tuple[str, ...], selector: str, request: SnapshotRequest) -> str:
    """Return the PromQL query for the increase of a counter.

    Args:
        name: Name of the counter in Prometheus' text format.
        labels: Labels to sum by.
        selector: Labels that distinguish these servers from others; may be empty.
        request: Version and time span to count.
    """
    seconds = max(1, round((request.until - request.start).total_seconds()))
    version = request.version.replace("\\", "\\\\").replace('"', '\\"')
    path = [f'path="{PATH}"'] if "path" in labels else []
    matchers = ",".join([f'version="{version}"', *path, *([selector] if selector else [])])
    return f"sum by ({', '.join(labels)}) (increase({name}{{{matchers}}}[{seconds}s]))"


def _query(address: str, query: str, time: float) -> list[dict[str, Any]]:
    """Return the result of one instant query."""
    url, advice = f"{address.rstrip('/')}/api/v1/query", "Check `prometheus` under [monitoring] in model.toml."
    try:
        response = requests.post(url, data={"query": query, "time": f"{time:.3f}"}, timeout=TIMEOUT)
        content: dict[str, Any] = response.json()
    except requests.JSONDecodeError as error:
        raise MonitoringError(
            f"{address} is not a Prometheus server: it responds with status {response.status_code} and no JSON.", advice
        ) from error
    except requests.RequestException as error:
        raise MonitoringError(f"{address} does not respond ({type(error).__name__}).", advice) from error
    if content.get("status") != "success":
        raise MonitoringError(
            f"{address} refuses the query {query!r}: {str(content.get('error'))[:200]}.",
            "Check `selector` under [monitoring] in model.toml.",
        )
    result: list[dict[str, Any]] = content["data"]["result"]
    return result
