"""Milliseconds of a request to each kind of server, as JSON: time_requests.py REPOSITORY ROWS BLOCKS REQUESTS.

They are asked by turns, so many requests at a time, and the median of these blocks is told.
"""

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from gitops_ml import contract
from gitops_ml.config import find
from gitops_ml.training.validate import validate

PARTS = ("bare", "counted", "logged")


def main(root: str, rows: str, blocks: str, requests: str) -> None:
    """Rows of the sample itself, drawn anew."""
    repository = find(Path(root))
    names = [repository.config.data.key, repository.config.data.target]
    valid = validate(repository, contract.load(repository), keep=True).frame
    assert valid is not None  # noqa: S101 (it was asked to keep them)
    frame = valid.drop(columns=names).sample(int(rows), replace=True, random_state=0)
    body = json.dumps({"rows": json.loads(frame.to_json(orient="records", double_precision=15))}).encode()
    with ExitStack() as stack:
        ports = {part: _serve(stack, root, part) for part in PARTS}
        for port in ports.values():
            _block(port, body, int(requests))  # what is asked first pays for what others find warm
        taken: dict[str, list[float]] = {part: [] for part in PARTS}
        for turn in range(int(blocks)):
            for place in range(len(PARTS)):
                part = PARTS[(turn + place) % len(PARTS)]
                taken[part].append(_block(ports[part], body, int(requests)))
    print(json.dumps({part: 1000 * median(each) for part, each in taken.items()}))


def _serve(stack: ExitStack, root: str, part: str) -> int:
    command = [sys.executable, str(Path(__file__).with_name("serve_sample.py")), root, part]
    server = stack.enter_context(
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    )
    stack.callback(server.terminate)
    return int(server.stdout.readline() if server.stdout else "")


def _block(port: int, body: bytes, requests: int) -> float:
    """The mean of some requests, one after the other through one connection."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.connect()
    began = time.perf_counter()
    for _ in range(requests):
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            sys.exit(said.decode())
    seconds = (time.perf_counter() - began) / requests
    connection.close()
    return seconds


if __name__ == "__main__":
    main(*sys.argv[1:])
