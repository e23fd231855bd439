"""Zygotes that are forked from a process that has imported the libraries already, since that takes seconds.

python forked_zygote.py DESCRIPTOR
"""

import gc
import importlib
import os
import signal
import socket
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path

from gitops_ml.confinement import zygote


def fork_zygote(control: socket.socket) -> None:
    """Start a zygote with what this process has imported and changed; it must have no threads.

    Args:
        control: The zygote's end of the control socket.
    """
    if os.fork():
        return
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        # The other end of the socket, too: the zygote ends when the judging process has closed it.
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2 and int(name) != control.fileno():
                try:
                    os.close(int(name))
                except OSError:
                    continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        zygote.prepare()
        zygote.serve(control)
    finally:
        os._exit(0)


def start_in_mother(control: socket.socket) -> None:
    """Have a process that has only imported the libraries fork a zygote.

    Args:
        control: The zygote's end of the control socket.
    """
    socket.send_fds(_mother(), [b"fork"], [control.fileno()])


@cache
def _mother() -> socket.socket:
    here, there = socket.socketpair()
    with there:
        command = [sys.executable, __file__, str(there.fileno())]
        path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
        subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": path}, pass_fds=[there.fileno()], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    return here


def main(descriptor: int) -> int:
    """Import the libraries, and fork a zygote for each request until the process of the tests ends."""
    with warnings.catch_warnings(action="ignore"):
        for name in (*zygote.LIBRARIES, "gitops_ml.commands.confined_operations", "gitops_ml.serving.service",
                     "gitops_ml.training.train"):  # fmt: skip
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # zygotes that have ended need no further care
    requests = socket.socket(fileno=descriptor)
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, 16, 1)
        if not message:
            return 0
        for each in descriptors:
            with socket.socket(fileno=each) as control:
                fork_zygote(control)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
