"""A command that the fork server runs behaves as one that the shell starts."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from repositories import bake, run

# Code that runs when a command imports the user's schema.
SHOW = """
import os, sys, random, numpy
print(os.getcwd(), os.environ["SHOWN"], os.environ.get("MLFLOW_SQLALCHEMYSTORE_POOLCLASS"), sys.argv, sys.executable)
print(numpy.random.random(), random.random(), file=sys.stderr)
"""
SLEEP = """
import os, time
open("started", "w").write(str(os.getpid()))
time.sleep(600)
"""


@pytest.fixture
def command(fast_machine: dict[str, str]) -> list[str]:
    """The command line of `gitops` in a job."""
    client, address, ready = (fast_machine[name] for name in ("FORK_CLIENT", "FORK_SERVER", "READY"))
    return [sys.executable, "-IS", client, address, f"{ready}/bin/python"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository."""
    made = bake(tmp_path)
    run(made, "git", "init", "--quiet")
    return made


def schema(root: Path, code: str) -> None:
    """Append code to the user's schema."""
    file = next(root.glob("src/*/schema.py"))
    file.write_text(file.read_text() + code)


def start(command: list[str], root: Path) -> tuple[subprocess.Popen[str], int]:
    """Start a command that sleeps; return it, and the process that sleeps."""
    schema(root, SLEEP)
    client = subprocess.Popen(
        [*command, "validate"], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    started = root / "started"
    while not started.exists() or not started.read_text():
        assert client.poll() is None
        time.sleep(0.02)
    return client, int(started.read_text())


def test_it_has_the_folder_the_environment_and_the_streams_of_its_caller(
    command: list[str], root: Path, fast_machine: dict[str, str]
) -> None:
    """And what imported modules set; each command has random numbers of its own."""
    schema(root, SHOW)
    env = {**os.environ, "SHOWN": "one"}
    env.pop("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", None)
    first, second = (
        subprocess.run([*command, "validate"], cwd=root, env=env, check=True, capture_output=True, text=True)
        for _ in range(2)
    )
    python = f"{fast_machine['READY']}/bin/python"
    assert first.stdout.splitlines()[0] == f"{root} one NullPool ['gitops', 'validate'] {python}"
    drawn = [line for done in (first, second) for line in done.stderr.splitlines() if line.startswith("0.")]
    assert len({number for line in drawn for number in line.split()}) == 4


def test_it_ends_with_the_same_exit_code_and_message(command: list[str], root: Path) -> None:
    """As the program itself does."""
    (root / "model.toml").write_text("[data]\npath = 3\n")
    real = [command[-1], "-m", "gitops_ml", "validate"]
    forked, expected = (
        subprocess.run(each, cwd=root, capture_output=True, text=True, check=False)
        for each in ([*command, "validate"], real)
    )
    assert (forked.returncode, forked.stderr) == (expected.returncode, expected.stderr)
    assert forked.returncode == 3


def test_signals_are_passed_on(command: list[str], root: Path) -> None:
    """An interrupted command says so."""
    client, _ = start(command, root)
    client.send_signal(signal.SIGINT)
    _, errors = client.communicate(timeout=60)
    assert client.returncode == 130
    assert "Interrupted" in errors


def test_it_does_not_outlive_its_client(command: list[str], root: Path) -> None:
    """A killed job leaves no command."""
    client, process = start(command, root)
    client.kill()
    client.wait()
    deadline = time.monotonic() + 60
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
