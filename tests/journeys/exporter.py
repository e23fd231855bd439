"""Expose a fake server's /metrics, in a generated repository's own Python: `exporter.py REFERENCE`.

The counters are prometheus_client's, the server's own code exposes the reference, and rows are drawn from the reference
of a trained version. The first line of output is the address. Each line of input,
`{"rows": 100, "moved": ["a column"], "failed": 0}`, adds traffic; the response is `done`.
"""

import json
import random
import sys
from collections import Counter as Counts
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from gitops_ml import counters
from gitops_ml.bins import bin_counts, bin_labels
from gitops_ml.serving import reference_gauge

VERSION = "1"
FALSE_ALARMS = 0.01


def main() -> None:
    """Count the traffic that each line of input requests."""
    reference: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    registry, draw = CollectorRegistry(), random.Random(0)  # noqa: S311 (rows, no secrets)
    reference_gauge.expose(registry, reference, VERSION, FALSE_ALARMS)

    def counter(name: str, *labels: str) -> Counter:
        return Counter(name, name, [*labels, "version"], registry=registry)

    features = counter(counters.FEATURES, "column", "bin", counters.WITHIN)
    predictions = counter(counters.PREDICTIONS, "bin", counters.WITHIN)
    rows, requests = counter(counters.ROWS), counter(counters.REQUESTS, "path", "status")
    errors, written = counter(counters.ERRORS, "code"), counter(counters.LOGGED)
    dropped = counter(counters.DROPPED)
    seconds = Histogram(counters.SECONDS, "Time.", ["path", "version"], registry=registry)
    Gauge(counters.INFO, "Which.", ["version", "digest", "release"], registry=registry).labels(VERSION, "d", "1.0.0")

    def fall(described: dict[str, Any], moved: bool, number: int) -> list[tuple[int, str, int]]:
        """Return bin, description and number of rows of each bin."""
        weights = [float(rows) for rows in bin_counts(described)]
        for place in range(len(weights) // 3 if moved else 0):
            weights[place] *= 0.2
        drawn = Counts(draw.choices(range(len(weights)), weights, k=number))
        return [(place, words, drawn[place]) for place, words in enumerate(bin_labels(described))]

    def count(asked: dict[str, Any]) -> None:
        number, failed = asked["rows"], asked.get("failed", 0)
        for column, described in reference["columns"].items():
            for place, words, fell in fall(described, column in asked.get("moved", ()), number):
                features.labels(column, place, words, VERSION).inc(fell)
        for place, words, fell in fall(reference["prediction"], False, number):
            predictions.labels(place, words, VERSION).inc(fell)
        rows.labels(VERSION).inc(number)
        requests.labels("/predict", "200", VERSION).inc(number - failed)
        requests.labels("/predict", "500", VERSION).inc(failed)
        errors.labels("bug", VERSION).inc(failed)
        written.labels(VERSION).inc(number)
        dropped.labels(VERSION).inc(0)
        for _ in range(number):
            seconds.labels("/predict", VERSION).observe(0.004)

    count({"rows": 0})
    server, _ = start_http_server(0, "127.0.0.1", registry)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    for line in sys.stdin:
        count(json.loads(line))
        print("done", flush=True)


main()
