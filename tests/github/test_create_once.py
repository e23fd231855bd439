"""Folders that processes of a test run share are created once."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from create_once import create_once


def test_the_folder_is_created_once_and_other_callers_wait(tmp_path: Path) -> None:
    """Each caller gets the complete folder."""
    made: list[Path] = []

    def make(folder: Path) -> None:
        time.sleep(0.1)
        (folder / "whole").touch()
        made.append(folder)

    with ThreadPoolExecutor(4) as pool:
        complete = list(pool.map(lambda _: (create_once(tmp_path / "thing", make) / "whole").exists(), range(4)))
    assert complete == [True] * 4
    assert len(made) == 1


def test_a_failed_folder_is_created_again_from_scratch(tmp_path: Path) -> None:
    """No caller gets an incomplete folder."""

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        create_once(tmp_path / "thing", fail)
    assert not (create_once(tmp_path / "thing", lambda folder: (folder / "whole").touch()) / "half").exists()
