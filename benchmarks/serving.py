"""Serving: what counting adds to a request over HTTP, and what the prediction log does."""

import json

from benchmarks.bake import INSIDE, Baked, commit
from benchmarks.process import run
from benchmarks.table import Figure, Say

# Rows of a request, with how many requests are one block; the servers are asked by turns, block by block.
REQUESTS = {1: 128, 1_000: 8}
PARTS = {"counted": "counts", "logged": "counts and logs"}


def measure(baked: Baked, blocks: int, say: Say) -> list[Figure]:
    """Three servers of the sample's model: one that neither counts nor logs, one that counts, one that does both."""
    root = baked.another("served")
    commit(root)
    run(baked.gitops, "--project", root, "train", cwd=root)
    figures = []
    for rows, requests in REQUESTS.items():
        say(f"serve {rows:,} row(s) a request")
        command = baked.python, INSIDE / "time_requests.py", root, str(rows), str(blocks), str(requests)
        found = json.loads(run(*command, cwd=root).output)
        for part, words in PARTS.items():
            what = f"request of {rows:,} row(s), server {words}"
            figures.append(Figure(what, "ms", found[part], found["bare"], "does neither", blocks))
    return figures
