"""Runs a shell as GitHub's runner does, with no terminal: act gives each step one, and programs behave otherwise."""

import os
import select
import subprocess
import sys

TICK = 0.02  # seconds between two looks at whether the shell has ended


def main(command: list[str]) -> int:
    """Pass on what the command prints until it ends; what it leaves running keeps nobody waiting."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        assert child.stdout is not None
        stream, is_open = child.stdout.fileno(), True
        while is_open and child.poll() is None:
            is_open = not _ready(stream, TICK) or _pass_on(stream)
        code = child.wait()
        while is_open and _ready(stream, 0):
            is_open = _pass_on(stream)
    return code if code >= 0 else 128 - code


def _ready(stream: int, seconds: float) -> bool:
    """Whether something comes within the time."""
    return bool(select.select([stream], [], [], seconds)[0])


def _pass_on(stream: int) -> bool:
    """Pass on what is there; False once everybody has closed the stream."""
    text = os.read(stream, 65536)
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()
    return bool(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
