"""Count the windows with an alarm, while callers send rows as in training.

Run with a generated repository's own Python: quiet_windows.py URL ROWS.json REFERENCE.json VERSION WINDOWS ROWS. The
modules that `gitops monitor` calls judge the server's own counters.
"""

import json
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

import requests

from gitops_ml.config import find_repository
from gitops_ml.monitoring.evaluate_window import evaluate_window
from gitops_ml.monitoring.performance_decay import PromotedMetric
from gitops_ml.monitoring.snapshot import SnapshotRequest
from gitops_ml.monitoring.sources import scrape_source
from gitops_ml.monitoring.window import Window

EXPECTED = PromotedMetric("roc_auc", 1.0, greater_is_better=True, measure=lambda _: None)  # there are no outcomes here


def main(url: str, rows_file: str, reference_file: str, version: str, windows: str, rows: str) -> None:
    """Print the number of windows, of windows with a finding, and of windows with an alarm."""
    training_rows, reference = json.loads(Path(rows_file).read_bytes()), json.loads(Path(reference_file).read_bytes())
    monitoring = find_repository(Path.cwd()).config.monitoring
    last, past, with_findings = datetime.now(UTC), list[Window](), 0
    servers = scrape_source.scrape_servers((url,), SnapshotRequest(version, reference, last, last, 1), {}).servers
    for seed in range(int(windows)):
        drawn = random.Random(seed).choices(training_rows, k=int(rows))  # noqa: S311 (nothing secret is drawn)
        requests.post(f"{url}/predict", json={"rows": drawn}, timeout=60).raise_for_status()
        until = datetime.now(UTC)
        snapshot = scrape_source.scrape_servers((url,), SnapshotRequest(version, reference, last, until, 1), servers)
        window = evaluate_window(
            monitoring, ("production", version, "sha256:0"), reference, snapshot, until, past, EXPECTED
        )
        assert window.seen.rows == int(rows), "every row is counted, once"
        with_findings += any(finding.verdict == "alarm" for finding in window.findings)
        last, servers, past = until, snapshot.servers, [*past, window]
    print(
        json.dumps({"windows": len(past), "loud": with_findings, "alarms": sum(bool(window.alarms) for window in past)})
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
