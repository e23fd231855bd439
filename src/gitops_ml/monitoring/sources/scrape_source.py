"""Servers as a source: the counters at /metrics of each server, less their values at the last snapshot."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime

import requests
from prometheus_client.parser import text_string_to_metric_families

from gitops_ml.counters import ROWS
from gitops_ml.errors import MonitoringError
from gitops_ml.monitoring.counts import TOTAL, SampleCollector, subtract_counts, sum_counts
from gitops_ml.monitoring.snapshot import Snapshot, SnapshotRequest
from gitops_ml.monitoring.window import WindowCounts
from gitops_ml.printable import show_addresses

TIMEOUT = (5, 30)
TOKEN = "GITOPS_TOKEN"  # noqa: S105 (the variable's name)


class _NotCounted(Exception):
    """A server has no counts of the version; the message says why."""


def scrape_servers(urls: tuple[str, ...], request: SnapshotRequest, previous: Mapping[str, WindowCounts]) -> Snapshot:
    """Read the counters of each server; a server that does not respond is noted, and the others are counted.

    Args:
        urls: Address of each server.
        request: Version and time span to count.
        previous: Counts of each server at the last snapshot of this version.

    Returns:
        The snapshot of the window.

    Raises:
        MonitoringError: No server serves this version.
    """
    current, started, notes = dict[str, WindowCounts](), list[datetime](), list[str]()
    for url in urls:
        try:
            current[url], start = _parse_metrics(_fetch_metrics(url), request)
        except _NotCounted as error:
            notes.append(f"{show_addresses(url)} was not counted: {error}.")
        else:
            started += [start] if start else []
    if not current:
        raise MonitoringError(
            f"No server serves version {request.version}. {' '.join(notes)} No window was evaluated.",
            "Check `urls` under [monitoring] in model.toml from the machine that runs this command (MONITOR_RUNNER in "
            "workflows), or wait for the workflow Deploy.",
        )
    start = request.last_until or min([request.until, *started])
    # A server that does not respond keeps its previous counts; they are subtracted when it responds again.
    return Snapshot(
        min(start, request.until),
        sum_counts(subtract_counts(counts, previous.get(url)) for url, counts in current.items()),
        {**{url: counts for url, counts in previous.items() if url in urls}, **current}, notes=tuple(notes),
    )  # fmt: skip


def _fetch_metrics(url: str) -> str:
    """Return the text of a server's /metrics."""
    token = os.environ.get(TOKEN)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        response = requests.get(f"{url.rstrip('/')}/metrics", headers=headers, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise _NotCounted(f"it does not respond ({type(error).__name__})") from error
    if response.status_code == 401:
        raise _NotCounted(f"it requires a token; set {TOKEN}")
    if not response.ok:
        raise _NotCounted(f"it responds with status {response.status_code}")
    return response.text


def _parse_metrics(text: str, request: SnapshotRequest) -> tuple[WindowCounts, datetime | None]:
    """Return a server's counts of the version, and the time at which counting started."""
    collector, versions, started = SampleCollector(request), set[str](), None
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                version = sample.labels.get("version")
                if sample.name == ROWS + TOTAL and version:
                    versions.add(version)
                if version == request.version:
                    collector.add(sample.name, sample.labels, sample.value)
                    if sample.name == f"{ROWS}_created":
                        started = datetime.fromtimestamp(sample.value, UTC)
    except (ValueError, KeyError) as error:
        raise _NotCounted("its /metrics are not in the format of a gitops server") from error
    if request.version not in versions:
        others = ", ".join(sorted(versions))
        raise _NotCounted(f"it serves version {others}" if others else "it has no counters")
    return collector.counts, started
