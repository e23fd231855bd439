"""End all descendants of a process, also those that have left its session."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path


def find_descendants(ancestor: int) -> list[int]:
    """Return the process ids of all descendants, parents before children; empty where there is no /proc.

    Args:
        ancestor: Process id.
    """
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            # The name in parentheses may contain anything, also spaces and parentheses.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found: list[int] = []
    queue = [ancestor]
    while queue:
        started = children.get(queue.pop(0), [])
        found += started
        queue += started
    return found


def end_descendants(seconds: float = 10) -> bool:
    """Kill all descendants of this process until none is left; it must be the one that inherits orphans.

    Args:
        seconds: Longest time to try.

    Returns:
        True if none is left.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        alive = find_descendants(os.getpid())
        for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none starts another meanwhile
            for process in alive:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(process, number)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        if not find_descendants(os.getpid()):
            return True
        time.sleep(0.005)
    return False
