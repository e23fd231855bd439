"""Run one command of `gitops` in a process that the fork server starts: same folder, environment and streams.

Signals are passed on. If this process is killed, the server kills the command. Only modules that start in milliseconds
are imported.

    python -IS fork_client.py SOCKET PYTHON_OF_THE_JOB ARGUMENT...
"""

import json
import os
import signal
import socket
import sys
from types import FrameType


def main() -> int:
    """Send the command to the server, and return its exit code."""
    address, python, *arguments = sys.argv[1:]
    mask = os.umask(0)
    os.umask(mask)
    request = {"python": python, "arguments": arguments, "folder": os.getcwd(), "mask": mask, "env": dict(os.environ)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(address)

        def forward(number: int, _: FrameType | None) -> None:
            connection.sendall(bytes([number]))

        socket.send_fds(connection, [b"\0"], [0, 1, 2])
        connection.sendall(json.dumps(request).encode() + b"\n")
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, forward)
        answer = connection.recv(16)
    return int(answer or b"1")


if __name__ == "__main__":
    sys.exit(main())
