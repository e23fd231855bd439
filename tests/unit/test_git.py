"""Git as a job runs it: with the job's token, which is kept in no file and shown to no other server."""

import subprocess
from pathlib import Path

import pytest

from gitops_ml import git
from gitops_ml.errors import StoreError

SERVER = "https://github.example"


@pytest.fixture
def in_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Actions sets."""
    for name, value in {"GITHUB_ACTIONS": "true", "GITHUB_TOKEN": "secret", "GITHUB_SERVER_URL": SERVER}.items():
        monkeypatch.setenv(name, value)


def header(url: str, tmp_path: Path) -> str:
    """What git would send to an address."""
    return git.run(tmp_path, "config", "--get-urlmatch", "http.extraheader", url)


@pytest.mark.usefixtures("in_a_job")
def test_the_token_goes_to_its_own_server(tmp_path: Path) -> None:
    """As the basic password that GitHub wants from a job."""
    assert header(f"{SERVER}/ada/sample.git", tmp_path).startswith("AUTHORIZATION: basic ")
    with pytest.raises(git.GitError):
        header("https://elsewhere.example/x.git", tmp_path)


@pytest.mark.usefixtures("in_a_job")
def test_the_token_is_written_nowhere(tmp_path: Path) -> None:
    """The clone's own settings stay as they are."""
    git.run(tmp_path, "init", "--quiet")
    git.run(tmp_path, "status")
    assert "extraheader" not in (tmp_path / ".git" / "config").read_text()


@pytest.mark.usefixtures("in_a_job")
def test_a_header_that_checkout_left_is_dropped(tmp_path: Path) -> None:
    """GitHub refuses a request with two of them."""
    git.run(tmp_path, "init", "--quiet")
    git.run(tmp_path, "config", f"http.{SERVER}/.extraheader", "AUTHORIZATION: basic old")
    listed = git.run(tmp_path, "config", "--get-all", f"http.{SERVER}/.extraheader").splitlines()
    assert listed[-2] == ""
    assert "old" not in listed[-1]


def test_outside_of_a_job_a_persons_git_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in a person's environment may be for something else."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    assert git.credentials() == []
    with pytest.raises(git.GitError):
        header("https://github.com/ada/sample.git", tmp_path)


def test_settings_come_after_those_that_are_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever set GIT_CONFIG_COUNT keeps what was set."""
    for name, value in {"COUNT": "1", "KEY_0": "user.name", "VALUE_0": "Ada"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    git.run(tmp_path, "init", "--quiet")
    env = git.settings([("user.email", "ada@example.com")])
    assert git.run(tmp_path, "config", "user.name", env=env) == "Ada"
    assert git.run(tmp_path, "config", "user.email", env=env) == "ada@example.com"


def test_refresh_gives_a_shallow_clone_its_history(tmp_path: Path) -> None:
    """A job's checkout knows one commit; who may decide needs main's, and every proposal."""
    source = tmp_path / "source"
    source.mkdir()
    author = {**git.IDENTITY, **git.AUTHOR}
    git.run(source, "init", "--quiet", "--initial-branch", "main")
    for number in range(3):
        git.run(source, "commit", "--quiet", "--allow-empty", "--message", str(number), env=author)
    git.run(source, "branch", "promote/production")
    git.run(source, "branch", "elsewhere")
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{source}", tmp_path / "clone"], check=True)
    git.refresh(tmp_path / "clone")
    assert git.run(tmp_path / "clone", "rev-list", "--count", "refs/remotes/origin/main") == "3"
    assert git.resolve(tmp_path / "clone", "refs/remotes/origin/promote/production")
    git.run(source, "branch", "-D", "promote/production")
    git.refresh(tmp_path / "clone")
    assert git.resolve(tmp_path / "clone", "refs/remotes/origin/promote/production") is None


def test_a_job_on_another_branch_fetches_main_and_takes_nothing_else_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that nobody merged must not serve because somebody pressed a button on its branch."""
    source, clone = tmp_path / "source", tmp_path / "clone"
    source.mkdir()
    author = {**git.IDENTITY, **git.AUTHOR}
    git.run(source, "init", "--quiet", "--initial-branch", "main")
    git.run(source, "commit", "--quiet", "--allow-empty", "--message", "merged", env=author)
    git.run(source, "switch", "--quiet", "--create", "topic")
    git.run(source, "commit", "--quiet", "--allow-empty", "--message", "unmerged", env=author)
    git.run(tmp_path, "clone", "--quiet", "--depth=1", "--branch=topic", f"file://{source}", "clone")
    assert git.main_ref(clone) == "HEAD"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with pytest.raises(StoreError, match="does not know main"):
        git.main_ref(clone)
    git.catch_up(clone)
    assert git.resolve(clone, git.main_ref(clone)) == git.resolve(source, "main")
