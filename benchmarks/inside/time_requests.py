"""Measure the milliseconds of a request to each server, as JSON: time_requests.py REPOSITORY ROWS BLOCKS REQUESTS.

Blocks of requests alternate between the servers; the result is the median of the blocks.
"""

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from gitops_ml import user_package
from gitops_ml.config import find_repository
from gitops_ml.training.validate import validate

PARTS = ("bare", "counted", "logged")


def main(root: str, rows: str, blocks: str, requests: str) -> None:
    """Send rows that are drawn from the sample."""
    repository = find_repository(Path(root))
    names = [repository.config.data.key, repository.config.data.target]
    valid = validate(repository, user_package.load_user_package(repository), keep_rows=True).frame
    assert valid is not None  # noqa: S101 (keep_rows=True returns the frame)
    frame = valid.drop(columns=names).sample(int(rows), replace=True, random_state=0)
    body = json.dumps({"rows": json.loads(frame.to_json(orient="records", double_precision=15))}).encode()
    with ExitStack() as stack:
        ports = {part: _serve(stack, root, part) for part in PARTS}
        for port in ports.values():
            _block(port, body, int(requests))  # the first requests are slower
        durations: dict[str, list[float]] = {part: [] for part in PARTS}
        for turn in range(int(blocks)):
            for offset in range(len(PARTS)):
                part = PARTS[(turn + offset) % len(PARTS)]
                durations[part].append(_block(ports[part], body, int(requests)))
    print(json.dumps({part: 1000 * median(each) for part, each in durations.items()}))


def _serve(stack: ExitStack, root: str, part: str) -> int:
    command = [sys.executable, str(Path(__file__).with_name("serve_sample.py")), root, part]
    server = stack.enter_context(
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    )
    stack.callback(server.terminate)
    return int(server.stdout.readline() if server.stdout else "")


def _block(port: int, body: bytes, requests: int) -> float:
    """Return the mean seconds of requests that are sent one after the other through one connection."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.connect()
    began = time.perf_counter()
    for _ in range(requests):
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        if response.status != 200:
            sys.exit(content.decode())
    seconds = (time.perf_counter() - began) / requests
    connection.close()
    return seconds


if __name__ == "__main__":
    main(*sys.argv[1:])
