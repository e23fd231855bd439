"""Callers as in training, window after window, against a server: in how many of them an alarm is raised.

Run by a generated repository's own Python: quiet_windows.py URL ROWS.json REFERENCE.json VERSION WINDOWS ROWS. What is
judged are the server's own counters, by the modules that `gitops monitor` calls.
"""

import json
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

import requests

from gitops_ml.config import find
from gitops_ml.monitoring.judge import judge
from gitops_ml.monitoring.look import Question
from gitops_ml.monitoring.performance import Promise
from gitops_ml.monitoring.sources import metrics
from gitops_ml.monitoring.window import Window

PROMISE = Promise("roc_auc", 1.0, more_is_better=True, measure=lambda _: None)  # no truth is told here


def main(url: str, file: str, told: str, version: str, windows: str, rows: str) -> None:
    """Print how many windows there were, and in how many of them a finding, and in how many an alarm, was raised."""
    known, reference = json.loads(Path(file).read_bytes()), json.loads(Path(told).read_bytes())
    monitoring = find(Path.cwd()).config.monitoring
    last, past, loud = datetime.now(UTC), list[Window](), 0
    servers = metrics.look((url,), Question(version, reference, last, last, 1), {}).servers
    for seed in range(int(windows)):
        drawn = random.Random(seed).choices(known, k=int(rows))  # noqa: S311 (nothing secret is drawn)
        requests.post(f"{url}/predict", json={"rows": drawn}, timeout=60).raise_for_status()
        until = datetime.now(UTC)
        look = metrics.look((url,), Question(version, reference, last, until, 1), servers)
        window = judge(monitoring, ("production", version, "sha256:0"), reference, look, until, past, PROMISE)
        assert window.seen.rows == int(rows), "every row is counted, once"
        loud += any(finding.verdict == "alarm" for finding in window.findings)
        last, servers, past = until, look.servers, [*past, window]
    print(json.dumps({"windows": len(past), "loud": loud, "alarms": sum(bool(window.alarms) for window in past)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
