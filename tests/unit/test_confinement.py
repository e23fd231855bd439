"""Confined processes: what attacks reach there, what honest code can do, and what the judging process accepts."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forked_zygote import fork_zygote
from gitops_ml.confinement import judge
from gitops_ml.confinement.channel import ARRAY, DOCUMENT, ConfinedError, UserCodeError
from gitops_ml.confinement.judge import ConfinedProcess, Confinement, Surroundings, confine

OPERATIONS = "confined_examples"
SECRET = "what only the judging process may know"  # noqa: S105 (a file of the test)
REFUSED = ("PermissionError", "OSError")


@pytest.fixture(scope="module")
def confinement() -> Iterator[Confinement]:
    """One zygote for all tests, started as users do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "start", judge.start_zygote)
        with confine() as confinement:
            yield confinement


@pytest.fixture
def world(tmp_path: Path) -> dict[str, Path]:
    """Files that a confined process must not reach, and one that it may read."""
    made = {name: tmp_path / name for name in ("evidence", "data", "outputs", "code")}
    for folder in made.values():
        folder.mkdir()
    for name in ("evidence/comparison.json", "data/rows.csv", "outputs/set_output_1", "code/read_me.txt"):
        (tmp_path / name).write_text(SECRET)
    return made


@pytest.fixture
def confined(confinement: Confinement, world: dict[str, Path]) -> Iterator[ConfinedProcess]:
    """A confined process that may read the folder `code`."""
    process = confinement.open(surroundings(world), OPERATIONS)
    yield process
    process.close()


def surroundings(world: dict[str, Path]) -> Surroundings:
    """The example operations, and the folder `code`."""
    here = Path(__file__).parent
    return Surroundings((here,), (world["code"],), world["data"] / "rows.csv", world["evidence"])


def refusal(confined: ConfinedProcess, attack: str, **arguments: Any) -> str:
    """Return the error of an attack that must not reach its aim."""
    with pytest.raises(UserCodeError) as caught:
        confined.ask(attack, arguments)
    assert str(caught.value).startswith(REFUSED), caught.value
    return str(caught.value)


def test_the_barriers_hold_before_the_users_code_runs(confined: ConfinedProcess) -> None:
    """A process that tries to write, to read the data, to open a socket and to send a signal is refused each time."""
    assert confined.open_doors == ()


@pytest.mark.parametrize(
    "attack",
    ["write", "replace through a link", "hard link", "truncate", "remove", "by another program", "by a thread"],
)
def test_evidence_cannot_be_changed(confined: ConfinedProcess, world: dict[str, Path], attack: str) -> None:
    """By no path: absolute, through a link of its own, by a program that it starts, or by a thread."""
    file = world["evidence"] / "comparison.json"
    refusal(confined, attack, path=str(file))
    assert file.read_text() == SECRET


@pytest.mark.parametrize(
    ("attack", "where"),
    [("read", "data/rows.csv"), ("list", "data"), ("list", "outputs"), ("read", "outputs/set_output_1"),
     ("write", "outputs/set_output_1")],
)  # fmt: skip
def test_data_and_outputs_cannot_be_reached(
    confined: ConfinedProcess, world: dict[str, Path], attack: str, where: str
) -> None:
    """The rows of the holdout are in the data; a job's outputs are files that can be guessed or listed."""
    refusal(confined, attack, path=str(world["data"].parent / where))


def test_code_can_be_read(confined: ConfinedProcess, world: dict[str, Path]) -> None:
    """Packages have data beside their code."""
    assert confined.ask("read", {"path": str(world["code"] / "read_me.txt")})["reached"] == SECRET
    refusal(confined, "write", path=str(world["code"] / "read_me.txt"))


@pytest.mark.parametrize(
    "attack",
    ["environment of", "folder of", "descriptors of", "memory of", "trace", "signal", "limit", "renice"],
)
def test_the_judging_process_cannot_be_touched(confined: ConfinedProcess, attack: str) -> None:
    """Its environment has tokens; its memory has the verdict."""
    refusal(confined, attack, process=os.getpid())


def test_another_process_of_the_user_cannot_be_touched(confined: ConfinedProcess) -> None:
    """Such as the shell of the step, whose environment has the job's tokens."""
    with subprocess.Popen(["sleep", "60"]) as other:
        for attack in ("environment of", "signal", "limit"):
            refusal(confined, attack, process=other.pid)
        other.kill()


@pytest.mark.parametrize("family", ["connect", "datagram", "unix socket"])
def test_there_is_no_network(confined: ConfinedProcess, tmp_path: Path, family: str) -> None:
    """Neither the network nor the socket of a daemon, such as Docker's, whose users are as mighty as root."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as daemon:
        path = os.path.relpath(tmp_path / "docker.sock")
        daemon.bind(path)
        daemon.listen()
        refusal(confined, family, port=server.getsockname()[1], path=str(tmp_path / "docker.sock"))


@pytest.mark.parametrize("attack", ["gain privileges", "mount", "set the clock"])
def test_there_are_no_privileges(confined: ConfinedProcess, attack: str) -> None:
    """Not even as root in a container: no program with a setuid bit, no capability."""
    refusal(confined, attack)


@pytest.mark.parametrize("spawn", [False, True])
def test_nothing_outlives_the_judgement(world: dict[str, Path], spawn: bool) -> None:
    """A process that left its parent and its session is ended, also while it starts others."""
    with confine() as confinement:
        process = confinement.open(surroundings(world), OPERATIONS)
        daemon = process.ask("daemon", {"spawn": spawn})["reached"]
        assert Path(f"/proc/{daemon}").exists()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and Path(f"/proc/{daemon}").exists():
        time.sleep(0.01)
    assert not Path(f"/proc/{daemon}").exists()
    assert not confinement.folder.exists()


def test_honest_code_works(confinement: Confinement) -> None:
    """Processes, threads, temporary files, own files, programs, a search with joblib.

    Its world is not in shared memory, where the semaphores of multiprocessing are.
    """
    confined = confinement.open(Surroundings((Path(__file__).parent,), (), None, Path("/var/tmp")), OPERATIONS)  # noqa: S108
    assert confined.ask("work")["reached"] == {"squares": [1, 2, 3], "score": True, "printed": "hello"}


def test_the_environment_has_no_secret(
    confinement: Confinement, world: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a confined process's nor that of the process that it is forked from."""
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    process = confinement.open(surroundings(world), OPERATIONS)
    environment = process.ask("environment of", {"process": process.process})["reached"]
    assert SECRET not in environment
    assert "GITHUB" not in environment


def test_a_failure_has_its_type_and_its_text(confined: ConfinedProcess) -> None:
    """The process goes on after it."""
    with pytest.raises(UserCodeError, match="ValueError: your\nmessage"):
        confined.ask("raise")
    assert confined.ask("read", {"path": "/proc/self/comm"})["reached"]


def test_a_process_that_ends_is_an_error_with_what_it_printed(confined: ConfinedProcess) -> None:
    """No answer is no verdict."""
    with pytest.raises(ConfinedError, match="it ended without an answer: about to die"):
        confined.ask("die")


def test_endless_output_is_not_kept(confined: ConfinedProcess) -> None:
    """Only the last part is."""
    assert confined.ask("print without end", {"mib": 64})["reached"] == "printed"
    confined._output.wait()
    assert len(confined._output.text()) <= judge.KEPT_OUTPUT
    assert confined._output.text().endswith("the last line\n")


def test_bytes_are_read_to_the_exact_size(confined: ConfinedProcess) -> None:
    """What was asked for, and no more; bytes travel both ways."""
    assert confined.ask("send bytes", {"count": 3_000_000}, size=3_000_000) == bytes(3_000_000)
    assert confined.ask("read", {"path": "/proc/self/comm"}, b"x" * 3_000_000)["received"] == 3_000_000


@pytest.mark.parametrize(
    ("raw", "size", "problem"),
    [
        (DOCUMENT + (2**30).to_bytes(4, "little"), None, "claims 1073741824 bytes"),
        (DOCUMENT + (9).to_bytes(4, "little") + b'{"a":NaN}', None, "is not JSON: NaN is no number"),
        (DOCUMENT + (40_000).to_bytes(4, "little") + b"[" * 40_000, None, "is not JSON"),
        (DOCUMENT + (2).to_bytes(4, "little") + b"[]", None, "is no JSON object"),
        (DOCUMENT + (6000).to_bytes(4, "little") + b'{"a": ' + b"1" * 5993 + b"}", None, "is not JSON"),
        (DOCUMENT + (2).to_bytes(4, "little") + b"{}", 8, "in another form"),
        (ARRAY + bytes(4) + bytes(8), None, "in another form"),
        (b"?" + bytes(4), None, "in another form"),
    ],
)  # fmt: skip
def test_an_answer_that_lies_is_an_error(confined: ConfinedProcess, raw: bytes, size: int | None, problem: str) -> None:
    """A size that is too large, another form, numbers that JSON does not have, depth, endless digits."""
    with pytest.raises(ConfinedError, match=problem):
        confined.ask("send raw", {"hex": raw.hex()}, size=size)


def test_too_few_bytes_are_no_answer(confinement: Confinement, world: dict[str, Path]) -> None:
    """The process ends in the middle of an array."""
    process = confinement.open(surroundings(world), OPERATIONS)
    threading.Timer(0.3, lambda: os.kill(process.process, 9)).start()
    with pytest.raises(ConfinedError, match="ended without an answer"):
        process.ask("send raw", {"hex": (ARRAY + bytes(4) + bytes(100)).hex()}, size=200)


def test_without_the_kernels_barriers_each_open_door_is_named(
    world: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is claimed that the test of the barriers has not shown."""
    from gitops_ml.confinement import kernel

    monkeypatch.setattr(kernel, "landlock_version", lambda: 0)
    monkeypatch.setattr(judge, "start", fork_zygote)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(world["outputs"] / "set_output_1"))
    with confine() as confinement:
        process = confinement.open(surroundings(world), OPERATIONS)
        assert sorted(process.open_doors) == ["data", "network", "runner", "signal", "write"]
        assert process.ask("read", {"path": str(world["data"] / "rows.csv")})["reached"] == SECRET


def test_the_zygote_imports_no_more_than_it_needs() -> None:
    """MLflow, which takes seconds, is the judging process's."""
    code = "from gitops_ml.confinement import zygote; import sys; print(any(m == 'mlflow' for m in sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
