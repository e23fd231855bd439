"""Where the files of a test run lie: in memory where there is room, and gone when it ends."""

from pathlib import Path

import pytest

import memory

NOBODY = 2**22  # no Linux gives a process this number


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A memory of our own, with nothing in it; this test run's is left alone."""
    monkeypatch.setattr(memory, "MOUNTED", tmp_path / "memory")
    monkeypatch.setattr(memory, "ROOM", 0)
    for name in (memory.NAMED, "KEEP"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "memory").mkdir()
    return tmp_path / "memory"


def test_it_is_there_until_the_end(mounted: Path, tmp_path: Path) -> None:
    """And what is lent of it until it is given back."""
    memory.begin()
    (there,) = mounted.iterdir()
    assert memory.place(tmp_path) == there
    with memory.lent(tmp_path) as lent:
        (lent / "file").touch()
        assert lent.parent == there
    assert list(there.iterdir()) == []
    memory.end()
    assert list(mounted.iterdir()) == []
    assert memory.place(tmp_path) == tmp_path


@pytest.mark.parametrize("why", ["too little room", "somebody wants to look", "no such place"])
def test_otherwise_all_lies_on_the_disk(
    mounted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Where pytest keeps it."""
    if why == "too little room":
        monkeypatch.setattr(memory, "ROOM", 2**60)
    elif why == "somebody wants to look":
        monkeypatch.setenv("KEEP", "1")
    else:
        mounted.rmdir()
    memory.begin()
    assert memory.place(tmp_path) == tmp_path
    with memory.lent(tmp_path / "runs") as lent:
        assert lent == tmp_path / "runs"
    memory.end()
    assert not mounted.exists() or list(mounted.iterdir()) == []


def test_what_the_killed_left_is_taken_away(mounted: Path) -> None:
    """And nothing of those who live, nor of anybody else."""
    for name in (f"{memory.PREFIX}{NOBODY}-left", f"{memory.PREFIX}1-lives", "of-others"):
        (mounted / name).mkdir()
    memory.begin()
    kept = {path.name for path in mounted.iterdir()}
    memory.end()
    assert kept > {f"{memory.PREFIX}1-lives", "of-others"}
    assert f"{memory.PREFIX}{NOBODY}-left" not in kept
