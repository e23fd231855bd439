"""Errors of the machine: a full disk, a limit for files and a clone that cannot be written get a sentence, no bug."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_ml.errors import MachineError
from gitops_ml.machine_errors import find_machine_error
from unit.sample import Project

# A folder of the kernel, in which not even root can create a file.
UNWRITABLE = Path("/sys/kernel")


def run(project: Project, *arguments: str, limit: int | None = None, stdout: int = subprocess.PIPE) -> tuple[int, str]:
    """Run a command in a process of its own, which may not write files above a limit; return exit code and errors."""

    def set_limit() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "gitops_ml", "--project", str(project.root), *arguments]
    done = subprocess.run(
        command, cwd=project.root, stdout=stdout, stderr=subprocess.PIPE, text=True, preexec_fn=set_limit
    )
    return done.returncode, done.stderr


def make_unwritable(project: Project) -> None:
    """Put the files of gitops where nothing can be written."""
    shutil.rmtree(project.root / ".gitops", ignore_errors=True)
    (project.root / ".gitops").symlink_to(UNWRITABLE)


@pytest.mark.slow
def test_a_disk_that_is_full_while_a_model_is_saved(project: Project) -> None:
    """The sentence names the file, the cause and what to do; there is no traceback and no file about a bug."""
    code, err = run(project, "train", "--force", limit=1000)
    assert code == MachineError.exit_code
    assert "File too large" in err
    assert "Free space" in err
    assert "Traceback" not in err
    assert not list(project.root.rglob("bug-*.txt"))


def test_a_disk_that_is_full_while_output_is_written(project: Project) -> None:
    """The device takes no byte, as a full disk does."""
    with Path("/dev/full").open("w") as full:
        code, err = run(project, "config", stdout=full.fileno())
    assert code == MachineError.exit_code
    assert "No space left on device" in err


@pytest.mark.slow
def test_a_clone_that_cannot_be_written_while_training(project: Project) -> None:
    """A read-only mount, or a folder of another user."""
    make_unwritable(project)
    code, err = run(project, "train")
    assert code == MachineError.exit_code
    assert "cannot be written" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_clone_that_cannot_be_written_while_promoting(at_stage: Callable[[str], Project]) -> None:
    """The comparison is read from elsewhere; the files of the version have no place."""
    project = at_stage("compared")
    comparison = project.root.parent / "comparison"
    shutil.copytree(project.root / ".gitops" / "comparison", comparison)
    make_unwritable(project)
    code, err = run(project, "promote", "--local", "--comparison", str(comparison))
    assert code == MachineError.exit_code
    assert "cannot be written" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_disk_that_is_full_while_promoting(at_stage: Callable[[str], Project]) -> None:
    """The version's files do not fit."""
    project = at_stage("compared")
    shutil.rmtree(project.root / ".gitops" / "versions", ignore_errors=True)
    code, err = run(project, "promote", "--local", limit=1000)
    assert code in {MachineError.exit_code, 7}
    assert "Traceback" not in err
    assert "A bug in gitops" not in err


def test_a_file_in_the_place_of_the_folder(project: Project) -> None:
    """`.gitops` may be a file by mistake."""
    shutil.rmtree(project.root / ".gitops", ignore_errors=True)
    (project.root / ".gitops").write_text("")
    code, err = run(project, "train")
    assert code == MachineError.exit_code
    assert ".gitops" in err


def test_a_bug_on_a_machine_that_cannot_be_written(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file about the bug has no place in the clone, so it is in the temporary folder; a sentence names it."""
    make_unwritable(project)
    code = "import sys; from gitops_ml import cli; cli.gitops.main = lambda **_: 1 / 0; sys.exit(cli.main(['config']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=project.root, capture_output=True, text=True)
    assert done.returncode == 70
    assert "ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.stderr
    report = Path(done.stderr.partition("attach the file ")[2].partition(":")[0])
    assert "Traceback" in report.read_text()
    report.unlink()


CAUSES = {
    "wrapped": (RuntimeError("wrapped"), OSError(errno.ENOSPC, "No space left on device", "/x")),
    "a quota": (RuntimeError("wrapped"), OSError(errno.EDQUOT, "Disk quota exceeded")),
    "a copy": (RuntimeError("wrapped"), shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")])),
    "memory": (RuntimeError("wrapped"), MemoryError("Unable to allocate 8 TiB")),
}


@pytest.mark.parametrize(("outer", "cause"), CAUSES.values(), ids=CAUSES)
def test_the_cause_is_found_below_errors_of_libraries(outer: Exception, cause: Exception) -> None:
    """Libraries wrap an error of the machine, or list several."""
    outer.__cause__ = cause
    found = find_machine_error(outer)
    assert found is not None
    assert os.strerror(errno.ENOSPC) in found.problem or "quota" in found.problem or "TiB" in found.problem


def test_a_missing_file_is_no_error_of_the_machine() -> None:
    """A file that the library expects and does not find is its bug."""
    assert find_machine_error(FileNotFoundError(errno.ENOENT, "No such file", "x")) is None
    assert find_machine_error(KeyError("x")) is None
