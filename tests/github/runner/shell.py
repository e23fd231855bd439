"""Run a shell without a terminal, as GitHub's runner does; act gives each step one."""

import os
import select
import subprocess
import sys

TICK = 0.02  # seconds between two checks whether the shell has ended


def main(command: list[str]) -> int:
    """Forward the command's output until it ends; processes that it leaves running do not block."""
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
    """Return whether output is available within the time."""
    return bool(select.select([stream], [], [], seconds)[0])


def _pass_on(stream: int) -> bool:
    """Forward available output; return False once the stream is closed."""
    text = os.read(stream, 65536)
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()
    return bool(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
