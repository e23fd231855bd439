"""What journeys share: the state of deployments, and runs that must succeed."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """The folder in which Deploy keeps its state; servers that it left running are ended."""
    folder = tmp_path / "state"
    yield folder
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"gitops={folder}/".encode() in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGTERM)
