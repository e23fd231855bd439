"""The MLflow store on a branch: transactions lose nothing if other processes push, a process dies, or a push fails."""

import contextlib
import json
import multiprocessing
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitops_ml import config, manifest, run
from gitops_ml.cli import main
from gitops_ml.errors import IntegrityError
from gitops_ml.registry import store, versions
from unit.sample import Project

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def trained(at_stage: Callable[[str], Project]) -> Project:
    """Return the project with a run that is not registered yet."""
    return at_stage("trained")


@pytest.fixture
def registered(at_stage: Callable[[str], Project]) -> Project:
    """Return the project with version 1 in the store."""
    return at_stage("registered")


@pytest.fixture
def remote(trained: Project) -> Path:
    """Return the remote of the project whose run is not registered yet."""
    return trained.add_remote()


def copy_run(project: Project, name: str) -> Path:
    """Copy the run in .gitops/run, with another training digest, and return its folder."""
    folder = project.root / ".gitops" / name
    shutil.copytree(project.root / ".gitops" / "run", folder)
    document = run.read_run(folder, manifest.digest_file(folder / manifest.FILE))
    lineage = document.lineage.model_copy(update={"training": manifest.digest_bytes(name.encode())})
    (folder / run.FILE).write_text(document.model_copy(update={"lineage": lineage}).to_json())
    manifest.write_manifest(folder)
    return folder


def version_numbers(project: Project) -> list[str]:
    """Return the numbers of the versions in the store."""
    found = versions.list_versions(store.connect(config.find_repository(project.root)), "sample")
    return [version.number for version in found]


def register(project: Project, folder: Path) -> int:
    """Run `gitops register` and return its exit code."""
    return main(["--project", str(project.root), "register", "--run", str(folder)])


def _register_and_exit(project: Project, folder: Path) -> None:
    sys.exit(register(project, folder))


def wrap_git(folder: Path, script: str) -> dict[str, str]:
    """Return environment variables that replace `git` by a script; $REAL is git itself, $COUNT the number of calls."""
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
def test_the_same_run_is_registered_once(trained: Project) -> None:
    """A second call finds the version and does not change the branch."""
    first = trained.must("register")
    tip = trained.git("rev-parse", "mlflow")
    second = trained.must("register")
    assert (first.outputs["version"], second.outputs["version"]) == ("1", "1")
    assert trained.git("rev-parse", "mlflow") == tip


def test_a_process_can_open_one_store_after_another(registered: Project) -> None:
    """The environment variable that MLflow sets for an open store is removed again."""
    assert version_numbers(registered) == ["1"]
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert version_numbers(registered) == ["1"]


@pytest.mark.slow
def test_two_runs_of_the_same_training_are_one_version(trained: Project) -> None:
    """If two machines train the same at the same time, they register one version."""
    trained.must("register")
    folder = trained.root / ".gitops" / "again"
    trained.must("train", "--out", str(folder), "--force")
    document = run.read_run(folder, manifest.digest_file(folder / manifest.FILE))
    (folder / run.FILE).write_text(document.model_copy(update={"forced": False}).to_json())
    manifest.write_manifest(folder)
    assert trained.must("register", "--run", str(folder)).outputs["version"] == "1"


def register_at_once(project: Project, folders: list[Path]) -> list[int | None]:
    """Register all folders at the same time, each in its own process, and return the exit codes."""
    writers = [FORK.Process(target=_register_and_exit, args=(project, folder)) for folder in folders]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    return [writer.exitcode for writer in writers]


@pytest.mark.slow
@pytest.mark.faults
def test_eight_concurrent_writers_lose_nothing(registered: Project) -> None:
    """All runs are in the store, numbered without gaps or duplicates, and the database is not damaged."""
    bare = registered.add_remote()
    assert register_at_once(registered, [copy_run(registered, f"run-{number}") for number in range(8)]) == [0] * 8
    assert version_numbers(registered) == [str(number) for number in range(1, 10)]
    database = registered.root / "mlflow.db"
    show = ["git", "show", "mlflow:mlflow.db"]
    database.write_bytes(subprocess.run(show, cwd=bare, check=True, capture_output=True).stdout)
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (9,)


@pytest.mark.slow
@pytest.mark.faults
def test_two_concurrent_first_writers_make_one_store(trained: Project, remote: Path) -> None:
    """If there is no branch yet, the process that pushes second starts again from the branch of the first."""
    assert register_at_once(trained, [copy_run(trained, "one"), copy_run(trained, "two")]) == [0, 0]
    assert version_numbers(trained) == ["1", "2"]


@pytest.mark.slow
@pytest.mark.faults
def test_a_run_is_registered_once_after_a_kill_at_any_git_command(
    registered: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL after each Git command leaves a valid state, from which the next call registers the run."""
    registered.add_remote()
    folder, before = copy_run(registered, "killed"), registered.git("rev-parse", "mlflow")
    killed = 0
    for call in range(1, 60):
        registered.git("push", "--quiet", "--force", "origin", f"{before}:refs/heads/mlflow")
        with monkeypatch.context() as patch:
            script = f'"$REAL" "$@"; code=$?; [ "$COUNT" -eq {call} ] && kill -9 $PPID; exit $code'
            patch.setenv("PATH", wrap_git(tmp_path / "bin", script)["PATH"])
            ended = register_at_once(registered, [folder])
        if ended == [0]:
            break
        killed += 1
        assert register(registered, folder) == 0
        assert version_numbers(registered) == ["1", "2"]
    assert killed >= 8


@pytest.mark.slow
@pytest.mark.faults
def test_a_push_whose_response_was_lost_is_not_repeated(
    trained: Project, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push that succeeded without a response counts as done."""
    script = '"$REAL" "$@"; code=$?; case " $* " in *" push "*) exit 1;; esac; exit $code'
    monkeypatch.setenv("PATH", wrap_git(tmp_path / "bin", script)["PATH"])
    assert trained.must("register").outputs["version"] == "1"
    assert version_numbers(trained) == ["1"]


@pytest.mark.slow
@pytest.mark.faults
def test_a_push_that_the_remote_refuses_is_an_error(trained: Project, remote: Path) -> None:
    """The message of the remote is shown, and the same command works when the remote allows the push."""
    hook = remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'this push is blocked' >&2\nexit 1\n")
    hook.chmod(0o755)
    refused = trained.gitops("register")
    assert refused.code == 7
    assert "this push is blocked" in refused.err
    hook.unlink()
    assert trained.must("register").outputs["version"] == "1"


@pytest.mark.slow
def test_the_users_git_settings_do_not_affect_the_store(
    trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is written although the user signs commits, has hooks, and ignores databases."""
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
def test_other_processes_that_always_push_first_are_an_error(
    trained: Project, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of retries is limited, and nothing is lost after the last one."""
    trained.must("register")
    trained.edit("model.toml", "[evaluation]", "[store]\nretries = 3\n\n[evaluation]")
    push_first = (
        'case " $* " in *" push "*) '
        f'new=$("$REAL" -C {remote} commit-tree -p mlflow -m race "mlflow^{{tree}}"); '
        f'"$REAL" -C {remote} update-ref refs/heads/mlflow "$new";; esac; exec "$REAL" "$@"'
    )
    folder = copy_run(trained, "late")
    with monkeypatch.context() as patch:
        patch.setenv("PATH", wrap_git(tmp_path / "bin", push_first)["PATH"])
        result = trained.gitops("register", "--run", str(folder))
    assert result.code == 7
    assert "3 times in a row" in result.err
    assert trained.must("register", "--run", str(folder)).outputs["version"] == "2"


def test_an_unreachable_remote_is_an_error(trained: Project) -> None:
    """A store that cannot be reached stops the command, with the message of git."""
    trained.git("remote", "add", "origin", str(trained.root / "nowhere"))
    result = trained.gitops("register")
    assert result.code == 7
    assert "nowhere" in result.err


def test_a_database_of_another_mlflow_is_not_opened(registered: Project) -> None:
    """MLflow would migrate it irreversibly, so it is refused before MLflow opens it."""
    _change_database(registered, "UPDATE alembic_version SET version_num = 'future'")
    tip = registered.git("rev-parse", "mlflow")
    result = registered.gitops("store", "status")
    assert result.code == 7
    assert "another MLflow" in result.err
    assert registered.git("rev-parse", "mlflow") == tip


def test_a_store_of_the_installed_mlflow_needs_no_upgrade(registered: Project) -> None:
    """`gitops store upgrade` changes nothing."""
    tip = registered.git("rev-parse", "mlflow")
    assert "Nothing to do" in registered.must("store", "upgrade").out
    assert registered.git("rev-parse", "mlflow") == tip


def test_a_damaged_database_is_an_error(registered: Project) -> None:
    """The message says that the database is damaged, and what to do."""
    _commit_to_store(registered, "mlflow.db", b"not a database, but long enough to look at" * 100)
    result = registered.gitops("store", "status")
    assert result.code == 7
    assert "damaged" in result.err


@pytest.mark.slow
def test_a_file_too_large_for_git_is_refused(trained: Project) -> None:
    """Above 50 MiB the message says how to move to a server, and the branch is not changed."""
    folder = copy_run(trained, "large")
    with (folder / "weights.bin").open("wb") as stream:
        stream.truncate(51 * 2**20)
    manifest.write_manifest(folder)
    result = trained.gitops("register", "--run", str(folder))
    assert result.code == 7
    assert "weights.bin is 51 MiB" in result.err
    assert "MLFLOW_TRACKING_URI" in result.err
    assert version_numbers(trained) == []


def test_a_store_over_its_budget_is_refused(registered: Project) -> None:
    """The budget in model.toml is for all versions together."""
    registered.edit("model.toml", "[evaluation]", "[store]\nbudget_mib = 1\n\n[evaluation]")
    folder = copy_run(registered, "heavy")
    (folder / "weights.bin").write_bytes(os.urandom(2**20))
    manifest.write_manifest(folder)
    result = registered.gitops("register", "--run", str(folder))
    assert result.code == 7
    assert "budget of 1 MiB" in result.err
    assert version_numbers(registered) == ["1"]


@pytest.mark.slow
def test_artefacts_are_fetched_on_demand(trained: Project, remote: Path) -> None:
    """A transaction on a large store fetches the database, but not the models."""
    trained.git("-C", str(remote), "config", "uploadpack.allowFilter", "true")
    trained.git("remote", "set-url", "origin", f"file://{remote}")
    trained.must("register")
    branch = store.BranchStore(config.find_repository(trained.root)).branch
    branch.refresh()
    assert (branch.root / "mlflow.db").exists()
    assert not (branch.root / "artifacts").exists()
    missing = branch.git("rev-list", "--objects", "--missing=print", "HEAD").count("\n?")
    assert missing > 0
    assert trained.must("register", "--run", str(copy_run(trained, "second"))).outputs["version"] == "2"


@pytest.mark.slow
def test_a_clone_on_another_path_reads_the_store(trained: Project, remote: Path, tmp_path: Path) -> None:
    """In another user's clone the version is not trained again, but fetched and verified."""
    trained.must("register")
    other = Project(tmp_path / "other" / "clone")
    trained.git("clone", "--quiet", str(remote), str(other.root))
    result = other.must("train")
    assert "version 1 was trained with the same" in result.out
    assert result.outputs["digest"] == manifest.digest_file(trained.root / ".gitops" / "run" / manifest.FILE)


@pytest.mark.slow
def test_a_model_changed_in_the_store_is_refused(trained: Project) -> None:
    """The digest is not taken from the store, so a changed file is detected before it is opened."""
    digest = trained.must("register").outputs["digest"]
    path = next(
        name for name in trained.git("ls-tree", "-r", "--name-only", "mlflow").splitlines() if name.endswith(run.MODEL)
    )
    _commit_to_store(trained, path, b"something else")
    result = trained.gitops("compare", "--digest", digest)
    assert result.code == 11
    assert "cannot be trusted" in result.err


def _commit_to_store(project: Project, path: str, content: bytes) -> None:
    """Change one file on the store branch, as an attacker would."""
    tree = project.root.parent / "attacker"
    project.git("worktree", "add", "--quiet", str(tree), "mlflow")
    (tree / path).write_bytes(content)
    attacker = Project(tree)
    attacker.commit("change a file")
    project.git("worktree", "remove", "--force", str(tree))


def _change_database(project: Project, statement: str) -> None:
    content = subprocess.run(["git", "show", "mlflow:mlflow.db"], cwd=project.root, check=True, capture_output=True)
    database = project.root.parent / "changed.db"
    database.write_bytes(content.stdout)
    with sqlite3.connect(database) as connection:
        connection.execute(statement)
    connection.close()
    _commit_to_store(project, "mlflow.db", database.read_bytes())


def _change_json(name: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Return a function that changes a JSON document of a run."""

    def apply(folder: Path) -> None:
        document = json.loads((folder / name).read_text())
        change(document)
        (folder / name).write_text(json.dumps(document))

    return apply


def _write(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


BAD_RUNS: dict[str, Callable[[Path], object]] = {
    "a description that is no JSON": _write(run.FILE, "{"),
    "a description that is deep": _write(run.FILE, "[" * 100_000),
    "a huge number": _write(run.FILE, '{"model": ' + "9" * 6000 + "}"),
    "half a character": _change_json(run.FILE, lambda it: it.update(model="\ud800")),
    "no classes": _change_json(run.FILE, lambda it: it.update(classes=[])),
    "no columns": _change_json(run.FILE, lambda it: it.update(columns={})),
    "no libraries": _change_json(run.FILE, lambda it: it["lineage"].update(libraries={})),
    "no recorded rows": _change_json(run.EXPECTED, lambda it: it.pop("rows")),
    "recorded rows that are text": _write(run.EXPECTED, '{"rows": "x", "predictions": []}'),
    "recorded rows that are no JSON": _write(run.EXPECTED, "x"),
    "an example that is an object": _write(run.EXAMPLE, "{}"),
    "a reference without columns": _write(run.REFERENCE, '{"prediction": {}}'),
    "a key sample that is an object": _write(run.KEY_SAMPLE, "{}"),
    "a baseline that is a number": _write(run.ATTRIBUTION_BASELINE, "NaN"),
    "a pipe": lambda folder: os.mkfifo(folder / "pipe"),
}


@pytest.mark.parametrize("damage", BAD_RUNS.values(), ids=BAD_RUNS)
def test_a_run_with_a_bad_document_is_not_registered(trained: Project, damage: Callable[[Path], object]) -> None:
    """The digest is right, because the training job can write any files; a sentence says which one is wrong."""
    folder = trained.root / ".gitops" / "run"
    damage(folder)
    with contextlib.suppress(IntegrityError):  # a pipe has no digest
        manifest.write_manifest(folder)
    result = trained.gitops("register")
    assert result.code == 11
    assert len(result.err) < 1000
