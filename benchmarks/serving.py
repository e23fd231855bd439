"""Serving: cost of the metrics and of the prediction log, in the time of a request over HTTP."""

import json

from benchmarks.generated import INSIDE, GeneratedRepository, commit
from benchmarks.process import run
from benchmarks.table import Figure, Progress

# Numbers of rows of a request, each with the number of requests in a block; blocks alternate between the servers.
REQUESTS = {1: 128, 1_000: 8}
PARTS = {"counted": "counts", "logged": "counts and logs"}


def measure(generated: GeneratedRepository, blocks: int, progress: Progress) -> list[Figure]:
    """Measure three servers of the sample's model: without metrics and log, with metrics, and with both."""
    root = generated.copy_to("served")
    commit(root)
    run(generated.gitops, "--project", root, "train", cwd=root)
    figures = []
    for rows, requests in REQUESTS.items():
        progress(f"serve {rows:,} row(s) a request")
        command = generated.python, INSIDE / "time_requests.py", root, str(rows), str(blocks), str(requests)
        milliseconds = json.loads(run(*command, cwd=root).output)
        for part, phrase in PARTS.items():
            name = f"request of {rows:,} row(s), server {phrase}"
            figures.append(Figure(name, "ms", milliseconds[part], milliseconds["bare"], "does neither", blocks))
    return figures
