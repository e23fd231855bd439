"""The MLflow store on a branch: transactions that lose nothing, whoever pushes, dies or refuses."""

import multiprocessing
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_ml import config, manifest, run
from gitops_ml.cli import main
from gitops_ml.registry import store, versions
from unit.sample import Project

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def trained(at_stage: Callable[[str], Project]) -> Project:
    """The project with a run that is not registered yet."""
    return at_stage("trained")


@pytest.fixture
def registered(at_stage: Callable[[str], Project]) -> Project:
    """The project with version 1 in the store."""
    return at_stage("registered")


@pytest.fixture
def remote(trained: Project) -> Path:
    """The remote of the project whose run is not registered yet."""
    return trained.add_remote()


def another_run(project: Project, name: str) -> Path:
    """A run like the one in .gitops/run, of a training that nobody registered yet."""
    folder = project.root / ".gitops" / name
    shutil.copytree(project.root / ".gitops" / "run", folder)
    described = run.read(folder, manifest.digest_file(folder / manifest.FILE))
    lineage = described.lineage.model_copy(update={"training": manifest.digest_bytes(name.encode())})
    (folder / run.FILE).write_text(described.model_copy(update={"lineage": lineage}).to_json())
    manifest.seal(folder)
    return folder


def numbers(project: Project) -> list[str]:
    """The versions in the store."""
    found = versions.known(store.connect(config.find(project.root)), "sample")
    return [version.number for version in found]


def register(project: Project, folder: Path) -> int:
    """Run the command; for use in another process."""
    return main(["--project", str(project.root), "register", "--run", str(folder)])


def _register_and_exit(project: Project, folder: Path) -> None:
    sys.exit(register(project, folder))


def wrapped_git(folder: Path, script: str) -> dict[str, str]:
    """An environment in which `git` is a script; $REAL is the real one, $COUNT counts the calls."""
    folder.mkdir(exist_ok=True)
    real = shutil.which("git")
    wrapper = folder / "git"
    wrapper.write_text(
        f'#!/bin/sh\nREAL={real}\necho >> "{folder}/calls"\nCOUNT=$(wc -l < "{folder}/calls")\n{script}\n'
    )
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    (folder / "calls").write_text("")
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.slow
def test_registering_the_same_run_twice_is_registering_it_once(trained: Project) -> None:
    """A second call finds the version and changes nothing on the branch."""
    first = trained.must("register")
    tip = trained.git("rev-parse", "mlflow")
    second = trained.must("register")
    assert (first.outputs["version"], second.outputs["version"]) == ("1", "1")
    assert trained.git("rev-parse", "mlflow") == tip


def test_a_store_can_be_opened_after_another_in_one_process(registered: Project) -> None:
    """MLflow writes the address of the store it has open into the environment; the next one must not find it there."""
    assert numbers(registered) == ["1"]
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert numbers(registered) == ["1"]


@pytest.mark.slow
def test_two_runs_of_one_training_are_one_version(trained: Project) -> None:
    """Two machines that trained the same thing at the same moment register one version."""
    trained.must("register")
    folder = trained.root / ".gitops" / "again"
    trained.must("train", "--out", str(folder), "--force")
    described = run.read(folder, manifest.digest_file(folder / manifest.FILE))
    (folder / run.FILE).write_text(described.model_copy(update={"forced": False}).to_json())
    manifest.seal(folder)
    assert trained.must("register", "--run", str(folder)).outputs["version"] == "1"


def at_once(project: Project, folders: list[Path]) -> list[int | None]:
    """Register all folders at the same moment, each in a process of its own; their exit codes."""
    writers = [FORK.Process(target=_register_and_exit, args=(project, folder)) for folder in folders]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    return [writer.exitcode for writer in writers]


@pytest.mark.slow
@pytest.mark.faults
def test_eight_writers_at_once_lose_nothing(registered: Project) -> None:
    """All runs are there afterwards, numbered without gaps or duplicates, and the database is whole."""
    bare = registered.add_remote()
    assert at_once(registered, [another_run(registered, f"run-{number}") for number in range(8)]) == [0] * 8
    assert numbers(registered) == [str(number) for number in range(1, 10)]
    database = registered.root / "mlflow.db"
    show = ["git", "show", "mlflow:mlflow.db"]
    database.write_bytes(subprocess.run(show, cwd=bare, check=True, capture_output=True).stdout)
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (9,)


@pytest.mark.slow
@pytest.mark.faults
def test_two_first_writers_make_one_store(trained: Project, remote: Path) -> None:
    """Where there is no branch yet, the one who pushes second starts over from the other's."""
    assert at_once(trained, [another_run(trained, "one"), another_run(trained, "two")]) == [0, 0]
    assert numbers(trained) == ["1", "2"]


@pytest.mark.slow
@pytest.mark.faults
def test_killed_after_any_git_command_and_run_again_it_is_registered_once(
    registered: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL after each effect on Git leaves a harmless state; the next run ends as if nothing had happened."""
    registered.add_remote()
    folder, before = another_run(registered, "killed"), registered.git("rev-parse", "mlflow")
    killed = 0
    for call in range(1, 60):
        registered.git("push", "--quiet", "--force", "origin", f"{before}:refs/heads/mlflow")
        with monkeypatch.context() as patch:
            script = f'"$REAL" "$@"; code=$?; [ "$COUNT" -eq {call} ] && kill -9 $PPID; exit $code'
            patch.setenv("PATH", wrapped_git(tmp_path / "bin", script)["PATH"])
            ended = at_once(registered, [folder])
        if ended == [0]:
            break
        killed += 1
        assert register(registered, folder) == 0
        assert numbers(registered) == ["1", "2"]
    assert killed >= 8


@pytest.mark.slow
@pytest.mark.faults
def test_an_answer_that_was_lost_is_found_again(
    trained: Project, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push that succeeded although its answer never came is not done twice."""
    script = '"$REAL" "$@"; code=$?; case " $* " in *" push "*) exit 1;; esac; exit $code'
    monkeypatch.setenv("PATH", wrapped_git(tmp_path / "bin", script)["PATH"])
    assert trained.must("register").outputs["version"] == "1"
    assert numbers(trained) == ["1"]


@pytest.mark.slow
@pytest.mark.faults
def test_a_remote_that_refuses_is_an_error_that_loses_nothing(trained: Project, remote: Path) -> None:
    """The refusal is shown, the run stays, and the same command works once the remote allows it."""
    hook = remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'this push is blocked' >&2\nexit 1\n")
    hook.chmod(0o755)
    refused = trained.gitops("register")
    assert refused.code == 7
    assert "this push is blocked" in refused.err
    hook.unlink()
    assert trained.must("register").outputs["version"] == "1"


@pytest.mark.slow
def test_a_persons_own_settings_of_git_do_not_get_in_the_way(
    trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People sign commits, run hooks and ignore databases everywhere; the store is written all the same."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    (tmp_path / "ignore").write_text("*.db\n*.png\n")
    settings = f"[commit]\ngpgsign = true\n[core]\nhooksPath = {hooks}\nexcludesFile = {tmp_path}/ignore\n"
    (tmp_path / "gitconfig").write_text(settings + "[gpg]\nprogram = /bin/false\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    assert trained.must("register").outputs["version"] == "1"
    assert "mlflow.db" in trained.git("ls-tree", "--name-only", "mlflow")
    assert "confusion_matrix.png" in trained.git("ls-tree", "-r", "--name-only", "mlflow")


@pytest.mark.slow
@pytest.mark.faults
def test_others_who_always_push_first_end_in_a_sentence(
    trained: Project, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retries are bounded, and nothing is lost when they run out."""
    trained.must("register")
    trained.edit("model.toml", "[evaluation]", "[store]\nretries = 3\n\n[evaluation]")
    push_first = (
        'case " $* " in *" push "*) '
        f'new=$("$REAL" -C {remote} commit-tree -p mlflow -m race "mlflow^{{tree}}"); '
        f'"$REAL" -C {remote} update-ref refs/heads/mlflow "$new";; esac; exec "$REAL" "$@"'
    )
    folder = another_run(trained, "late")
    with monkeypatch.context() as patch:
        patch.setenv("PATH", wrapped_git(tmp_path / "bin", push_first)["PATH"])
        raced = trained.gitops("register", "--run", str(folder))
    assert raced.code == 7
    assert "3 times in a row" in raced.err
    assert trained.must("register", "--run", str(folder)).outputs["version"] == "2"


def test_an_unreachable_remote_is_an_error(trained: Project) -> None:
    """A store that cannot be found out about stops the command, with git's reason."""
    trained.git("remote", "add", "origin", str(trained.root / "nowhere"))
    result = trained.gitops("register")
    assert result.code == 7
    assert "nowhere" in result.err


def test_a_database_of_another_mlflow_is_not_touched(registered: Project) -> None:
    """Opening would migrate it for ever, so it is refused before MLflow sees it."""
    _change_database(registered, "UPDATE alembic_version SET version_num = 'future'")
    tip = registered.git("rev-parse", "mlflow")
    result = registered.gitops("store", "status")
    assert result.code == 7
    assert "another MLflow" in result.err
    assert registered.git("rev-parse", "mlflow") == tip


def test_a_store_that_fits_needs_no_upgrade(registered: Project) -> None:
    """`gitops store upgrade` is idempotent."""
    tip = registered.git("rev-parse", "mlflow")
    assert "Nothing to do" in registered.must("store", "upgrade").out
    assert registered.git("rev-parse", "mlflow") == tip


def test_a_damaged_database_is_a_sentence(registered: Project) -> None:
    """Whoever broke the file, the command says what to do."""
    _commit_to_store(registered, "mlflow.db", b"not a database, but long enough to look at" * 100)
    result = registered.gitops("store", "status")
    assert result.code == 7
    assert "damaged" in result.err


@pytest.mark.slow
def test_a_file_too_large_for_git_is_refused(trained: Project) -> None:
    """Over 50 MiB the sentence says how to move to a server, and the branch is not touched."""
    folder = another_run(trained, "large")
    with (folder / "weights.bin").open("wb") as stream:
        stream.truncate(51 * 2**20)
    manifest.seal(folder)
    result = trained.gitops("register", "--run", str(folder))
    assert result.code == 7
    assert "weights.bin is 51 MiB" in result.err
    assert "MLFLOW_TRACKING_URI" in result.err
    assert numbers(trained) == []


def test_a_store_over_its_budget_is_refused(registered: Project) -> None:
    """The budget of model.toml counts all versions together."""
    registered.edit("model.toml", "[evaluation]", "[store]\nbudget_mib = 1\n\n[evaluation]")
    folder = another_run(registered, "heavy")
    (folder / "weights.bin").write_bytes(os.urandom(2**20))
    manifest.seal(folder)
    result = registered.gitops("register", "--run", str(folder))
    assert result.code == 7
    assert "budget of 1 MiB" in result.err
    assert numbers(registered) == ["1"]


@pytest.mark.slow
def test_artefacts_stay_behind_until_they_are_asked_for(trained: Project, remote: Path) -> None:
    """A transaction on a large store fetches its database, not every model."""
    trained.git("-C", str(remote), "config", "uploadpack.allowFilter", "true")
    trained.git("remote", "set-url", "origin", f"file://{remote}")
    trained.must("register")
    branch = store.BranchStore(config.find(trained.root)).branch
    branch.refresh()
    assert (branch.root / "mlflow.db").exists()
    assert not (branch.root / "artifacts").exists()
    missing = branch.git("rev-list", "--objects", "--missing=print", "HEAD").count("\n?")
    assert missing > 0
    assert trained.must("register", "--run", str(another_run(trained, "second"))).outputs["version"] == "2"


@pytest.mark.slow
def test_a_clone_on_another_path_reads_the_store(trained: Project, remote: Path, tmp_path: Path) -> None:
    """Another person's clone trains nothing anew: it fetches the version and verifies it."""
    trained.must("register")
    other = Project(tmp_path / "elsewhere" / "clone")
    trained.git("clone", "--quiet", str(remote), str(other.root))
    told = other.must("train")
    assert "version 1 was made from the same" in told.out
    assert told.outputs["digest"] == manifest.digest_file(trained.root / ".gitops" / "run" / manifest.FILE)


@pytest.mark.slow
def test_a_model_changed_in_the_store_is_refused(trained: Project) -> None:
    """The digest travels outside the store, so a changed file is noticed before it is opened."""
    digest = trained.must("register").outputs["digest"]
    path = next(
        name for name in trained.git("ls-tree", "-r", "--name-only", "mlflow").splitlines() if name.endswith(run.MODEL)
    )
    _commit_to_store(trained, path, b"something else")
    result = trained.gitops("compare", "--digest", digest)
    assert result.code == 11
    assert "cannot be trusted" in result.err


def _commit_to_store(project: Project, path: str, content: bytes) -> None:
    """Change one file on the store branch, as an intruder would."""
    tree = project.root.parent / "intruder"
    project.git("worktree", "add", "--quiet", str(tree), "mlflow")
    (tree / path).write_bytes(content)
    intruder = Project(tree)
    intruder.commit("intrude")
    project.git("worktree", "remove", "--force", str(tree))


def _change_database(project: Project, statement: str) -> None:
    content = subprocess.run(["git", "show", "mlflow:mlflow.db"], cwd=project.root, check=True, capture_output=True)
    database = project.root.parent / "changed.db"
    database.write_bytes(content.stdout)
    with sqlite3.connect(database) as connection:
        connection.execute(statement)
    connection.close()
    _commit_to_store(project, "mlflow.db", database.read_bytes())
