"""What a killed process leaves behind is removed by the next run: its temporary files, and its trial server."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops_ml import temporary_folder
from gitops_ml.temporary_folder import PREFIX, own_temporary_folder, shared_temporary_folder, working_folder
from unit.sample import Project

KILLED = """
import os, signal, subprocess, sys, tempfile
from gitops_ml.temporary_folder import end_with_this_process, own_temporary_folder

with own_temporary_folder():
    tempfile.mkdtemp()
    server = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "a-mark-of-its-own"],
                              stdout=subprocess.DEVNULL, start_new_session=True)
    end_with_this_process(server.pid, sys.argv[1])
    print(server.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a temporary folder of the machine, without files."""
    created = tmp_path / "machine"
    created.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(created))
    monkeypatch.setenv("TMPDIR", str(created))
    return created


def kill_a_process(mark: str = "a-mark-of-its-own") -> int:
    """Run a process that is killed, and return the process id of the server that it left running."""
    done = subprocess.run([sys.executable, "-c", KILLED, mark], stdout=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGKILL
    return int(done.stdout)


@contextlib.contextmanager
def ended_at_last(pid: int) -> Iterator[None]:
    """End a server at the end of a test in any case."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    """Return whether a process is running."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(done.stdout.strip()) and not done.stdout.strip().startswith("Z")


def test_temporary_files_are_in_a_folder_of_the_process(folder: Path) -> None:
    """It is removed with everything in it, and what outlives the process is beside it."""
    with own_temporary_folder():
        made = Path(tempfile.mkdtemp())
        assert made.parent.name.startswith(PREFIX)
        assert shared_temporary_folder() == folder
    assert list(folder.iterdir()) == []
    assert tempfile.gettempdir() == str(folder)


def test_a_folder_of_a_killed_process_is_removed_and_its_server_ended(folder: Path) -> None:
    """The lock of the process ended with it."""
    server = kill_a_process()
    with ended_at_last(server):
        assert len(list(folder.iterdir())) == 1
        assert is_running(server)
        with own_temporary_folder():
            assert len(list(folder.iterdir())) == 1
            assert not is_running(server)
        assert list(folder.iterdir()) == []


def test_a_process_that_has_the_id_of_a_server_is_not_ended(folder: Path) -> None:
    """The command line tells whether it is the server."""
    server = kill_a_process("the mark of another process")
    with ended_at_last(server), own_temporary_folder():
        assert is_running(server)


def test_a_folder_of_a_running_process_stays(folder: Path) -> None:
    """Its lock is held, also by a process in another container."""
    with own_temporary_folder():
        first = Path(tempfile.gettempdir())
        command = [sys.executable, "-m", "gitops_ml", "--version"]
        subprocess.run(command, check=True, capture_output=True)
        code = "from gitops_ml.cli import main; main(['explain', '17'])"
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        assert first.exists()


def test_folders_that_are_not_ours_stay(folder: Path) -> None:
    """A folder without a lock file, a link and a file with such a name are nothing that gitops has left."""
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / temporary_folder.LOCK).touch()
    (outside / "precious").touch()
    (folder / f"{PREFIX}linked").symlink_to(outside)
    (folder / f"{PREFIX}unlocked").mkdir()
    (folder / f"{PREFIX}file").touch()
    with own_temporary_folder():
        pass
    assert (outside / "precious").exists()
    assert {path.name for path in folder.iterdir()} == {f"{PREFIX}{name}" for name in ("linked", "unlocked", "file")}


def test_a_line_that_was_half_written_is_skipped(folder: Path) -> None:
    """The process was killed while it wrote."""
    with own_temporary_folder():
        (Path(tempfile.gettempdir()) / temporary_folder.SERVERS).write_text('{"pid": 1\n[]\n{"pid": "x", "mark": ""}\n')
    assert list(folder.iterdir()) == []


def test_a_machine_without_a_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that needs none works."""
    monkeypatch.setattr(tempfile, "gettempdir", _raise)
    with own_temporary_folder():
        pass


def _raise() -> str:
    raise FileNotFoundError("No usable temporary directory found")


def test_a_folder_beside_another_is_removed_too(tmp_path: Path) -> None:
    """`gitops train` writes beside the run folder, to rename what is complete."""
    code = (
        "import os, signal, sys; from pathlib import Path; from gitops_ml.temporary_folder import working_folder\n"
        "with working_folder(Path(sys.argv[1]), '.run.'): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)])
    assert len(list(tmp_path.iterdir())) == 1
    with working_folder(tmp_path, ".run."):
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("call", [4, 9, 14])
def test_a_killed_registration_leaves_nothing_behind(
    at_stage: Callable[[str], Project], folder: Path, tmp_path: Path, call: int
) -> None:
    """The next command of any kind removes the private clone and the files of MLflow."""
    project = at_stage("trained")
    wrapper, calls = tmp_path / "bin" / "git", tmp_path / "calls"
    wrapper.parent.mkdir()
    real = shutil.which("git")
    wrapper.write_text(
        f'#!/bin/sh\necho >> {calls}\n[ "$(wc -l < {calls})" = {call} ] && kill -9 $PPID && exit 1\nexec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    environment = {**os.environ, "TMPDIR": str(folder), "PATH": f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "gitops_ml", "--project", str(project.root)]
    killed = subprocess.run([*command, "register"], env=environment, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert list(folder.iterdir()) != []
    subprocess.run([*command, "config"], env={**os.environ, "TMPDIR": str(folder)}, capture_output=True, check=True)
    until = time.monotonic() + 5
    while list(folder.iterdir()) and time.monotonic() < until:
        time.sleep(0.1)
    assert list(folder.iterdir()) == []


def find_trial(project: Project) -> int | None:
    """Return the process id of the trial server of a repository."""
    listed = subprocess.run(["ps", "-axww", "-o", "pid=,stat=,args="], capture_output=True, text=True).stdout
    marked = [line.split() for line in listed.splitlines() if str(project.root.parent) in line and "|trial|" in line]
    return next((int(pid) for pid, state, *_ in marked if not state.startswith("Z")), None)


@pytest.mark.slow
def test_a_trial_server_of_a_killed_deployment_is_ended(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next command of any kind ends it, not only the next deployment."""
    shutil.copy(project.root / "requirements" / "train.txt", project.root / "requirements" / "serve.txt")
    project.vendor()
    project.promote()
    monkeypatch.setenv("GITOPS_STATE", str(project.root.parent / "state"))
    monkeypatch.setenv("TMPDIR", tempfile.gettempdir())
    command = [sys.executable, "-m", "gitops_ml", "--project", str(project.root)]
    deployment = subprocess.Popen([*command, "deploy"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while (trial := find_trial(project)) is None and time.monotonic() < until and deployment.poll() is None:
        time.sleep(0.02)
    deployment.kill()
    deployment.wait()
    assert trial is not None
    with ended_at_last(trial):
        assert is_running(trial)
        subprocess.run([*command, "config"], check=True, capture_output=True)
        assert not is_running(trial)
    subprocess.run([*command, "deploy"], check=True, capture_output=True)
    assert find_trial(project) is None
    assert not list((project.root.parent / "state").rglob(".partial.*"))
