"""Files of a test run are in memory if there is enough, and are removed at its end."""

from pathlib import Path

import pytest

import memory_folder

UNUSED_PID = 2**22  # no Linux gives a process this number


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the memory mount, separate from that of this test run."""
    monkeypatch.setattr(memory_folder, "MOUNT", tmp_path / "memory")
    monkeypatch.setattr(memory_folder, "MIN_FREE_BYTES", 0)
    for name in (memory_folder.VARIABLE, "KEEP"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "memory").mkdir()
    return tmp_path / "memory"


def test_the_folder_exists_until_the_end(mounted: Path, tmp_path: Path) -> None:
    """Temporary folders in it are removed at the end of their block."""
    memory_folder.create()
    (created,) = mounted.iterdir()
    assert memory_folder.path_or(tmp_path) == created
    with memory_folder.temporary_folder(tmp_path) as folder:
        (folder / "file").touch()
        assert folder.parent == created
    assert list(created.iterdir()) == []
    memory_folder.remove()
    assert list(mounted.iterdir()) == []
    assert memory_folder.path_or(tmp_path) == tmp_path


@pytest.mark.parametrize("reason", ["too little memory", "KEEP is set", "no such folder"])
def test_without_memory_files_are_on_disk(
    mounted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    """The files are on disk, where pytest keeps them."""
    if reason == "too little memory":
        monkeypatch.setattr(memory_folder, "MIN_FREE_BYTES", 2**60)
    elif reason == "KEEP is set":
        monkeypatch.setenv("KEEP", "1")
    else:
        mounted.rmdir()
    memory_folder.create()
    assert memory_folder.path_or(tmp_path) == tmp_path
    with memory_folder.temporary_folder(tmp_path / "runs") as folder:
        assert folder == tmp_path / "runs"
    memory_folder.remove()
    assert not mounted.exists() or list(mounted.iterdir()) == []


def test_folders_of_killed_processes_are_removed(mounted: Path) -> None:
    """Folders of running processes and of other programs stay."""
    for name in (f"{memory_folder.PREFIX}{UNUSED_PID}-left", f"{memory_folder.PREFIX}1-lives", "of-others"):
        (mounted / name).mkdir()
    memory_folder.create()
    names = {path.name for path in mounted.iterdir()}
    memory_folder.remove()
    assert names > {f"{memory_folder.PREFIX}1-lives", "of-others"}
    assert f"{memory_folder.PREFIX}{UNUSED_PID}-left" not in names
