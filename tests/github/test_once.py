"""What processes of a test run share is made once."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from once import once


def test_it_is_made_once_and_the_others_wait(tmp_path: Path) -> None:
    """Whoever asks finds it whole."""
    made: list[Path] = []

    def make(folder: Path) -> None:
        time.sleep(0.1)
        (folder / "whole").touch()
        made.append(folder)

    with ThreadPoolExecutor(4) as many:
        found = list(many.map(lambda _: (once(tmp_path / "thing", make) / "whole").exists(), range(4)))
    assert found == [True] * 4
    assert len(made) == 1


def test_what_failed_is_made_again_from_nothing(tmp_path: Path) -> None:
    """Half of it is left to nobody."""

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        once(tmp_path / "thing", fail)
    assert not (once(tmp_path / "thing", lambda folder: (folder / "whole").touch()) / "half").exists()
