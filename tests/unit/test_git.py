"""Git in GitHub Actions: with the token of the job, which is written to no file and sent to no other server."""

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_ml import git
from gitops_ml.errors import StoreError

SERVER = "https://github.example"


@pytest.fixture
def in_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables of GitHub Actions."""
    for name, value in {"GITHUB_ACTIONS": "true", "GITHUB_TOKEN": "secret", "GITHUB_SERVER_URL": SERVER}.items():
        monkeypatch.setenv(name, value)


def header(url: str, tmp_path: Path) -> str:
    """Return the header that git sends to a URL."""
    return git.run(tmp_path, "config", "--get-urlmatch", "http.extraheader", url)


@pytest.mark.usefixtures("in_a_job")
def test_the_token_is_sent_to_github_only(tmp_path: Path) -> None:
    """It is sent as the password of basic authentication."""
    assert header(f"{SERVER}/ada/sample.git", tmp_path).startswith("AUTHORIZATION: basic ")
    with pytest.raises(git.GitError):
        header("https://other.example/x.git", tmp_path)


@pytest.mark.usefixtures("in_a_job")
def test_the_token_is_written_to_no_file(tmp_path: Path) -> None:
    """The settings of the clone do not change."""
    git.run(tmp_path, "init", "--quiet")
    git.run(tmp_path, "status")
    assert "extraheader" not in (tmp_path / ".git" / "config").read_text()


@pytest.mark.usefixtures("in_a_job")
def test_the_header_of_actions_checkout_is_replaced(tmp_path: Path) -> None:
    """GitHub refuses a request with two headers."""
    git.run(tmp_path, "init", "--quiet")
    git.run(tmp_path, "config", f"http.{SERVER}/.extraheader", "AUTHORIZATION: basic old")
    headers = git.run(tmp_path, "config", "--get-all", f"http.{SERVER}/.extraheader").splitlines()
    assert headers[-2] == ""
    assert "old" not in headers[-1]


def test_the_git_of_a_user_gets_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the environment of a user may have another purpose."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    assert git.credential_settings() == []
    with pytest.raises(git.GitError):
        header("https://github.com/ada/sample.git", tmp_path)


def test_settings_follow_those_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings of GIT_CONFIG_COUNT stay in force."""
    for name, value in {"COUNT": "1", "KEY_0": "user.name", "VALUE_0": "Ada"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    git.run(tmp_path, "init", "--quiet")
    env = git.config_environment([("user.email", "ada@example.com")])
    assert git.run(tmp_path, "config", "user.name", env=env) == "Ada"
    assert git.run(tmp_path, "config", "user.email", env=env) == "ada@example.com"


def test_fetch_branches_completes_a_shallow_clone(tmp_path: Path) -> None:
    """The checkout of a job has one commit; commands need the history of main and of every proposal."""
    source = tmp_path / "source"
    source.mkdir()
    author = {**git.COMMITTER, **git.AUTHOR}
    git.run(source, "init", "--quiet", "--initial-branch", "main")
    for number in range(3):
        git.run(source, "commit", "--quiet", "--allow-empty", "--message", str(number), env=author)
    git.run(source, "branch", "promote/production")
    git.run(source, "branch", "other")
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{source}", tmp_path / "clone"], check=True)
    git.fetch_branches(tmp_path / "clone")
    assert git.run(tmp_path / "clone", "rev-list", "--count", "refs/remotes/origin/main") == "3"
    assert git.resolve(tmp_path / "clone", "refs/remotes/origin/promote/production")
    git.run(source, "branch", "-D", "promote/production")
    git.fetch_branches(tmp_path / "clone")
    assert git.resolve(tmp_path / "clone", "refs/remotes/origin/promote/production") is None


def test_a_job_on_another_branch_does_not_take_it_for_main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workflow that was started on a branch must not deploy a record that is not merged."""
    source, clone = tmp_path / "source", tmp_path / "clone"
    source.mkdir()
    author = {**git.COMMITTER, **git.AUTHOR}
    git.run(source, "init", "--quiet", "--initial-branch", "main")
    git.run(source, "commit", "--quiet", "--allow-empty", "--message", "merged", env=author)
    git.run(source, "switch", "--quiet", "--create", "topic")
    git.run(source, "commit", "--quiet", "--allow-empty", "--message", "unmerged", env=author)
    git.run(tmp_path, "clone", "--quiet", "--depth=1", "--branch=topic", f"file://{source}", "clone")
    assert git.main_ref(clone) == "HEAD"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with pytest.raises(StoreError, match="has no main"):
        git.main_ref(clone)
    git.fetch_branches_if_tracked(clone)
    assert git.resolve(clone, git.main_ref(clone)) == git.resolve(source, "main")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return the port of a server that accepts connections and never answers."""
    accepted = list[socket.socket]()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted.append(server.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in accepted:
        connection.close()


REMOTE_READS = {
    "ls-remote over HTTP": ("http", ["ls-remote", "origin"]),
    "fetch over HTTP": ("http", ["fetch", "--quiet", "origin"]),
    "ls-remote over ssh": ("ssh", ["ls-remote", "origin"]),
    "fetch over ssh": ("ssh", ["fetch", "--quiet", "origin"]),
    "ls-remote over git": ("git", ["ls-remote", "origin"]),
}


@pytest.mark.parametrize(("scheme", "command"), REMOTE_READS.values(), ids=REMOTE_READS)
def test_a_remote_that_never_answers_is_given_up(
    scheme: str, command: list[str], silent_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read from a remote ends after some seconds of silence (here two), with an error that names the command."""
    if scheme == "ssh":
        assert shutil.which("ssh"), "this test needs ssh"
    monkeypatch.setattr(git, "SILENCE", 2)
    monkeypatch.setattr(git, "LIMITS", (("http.lowSpeedLimit", "1"), ("http.lowSpeedTime", "2")))
    monkeypatch.setattr(git, "LISTING_TIMEOUT", 8)
    git.run(tmp_path, "init", "--quiet")
    git.run(tmp_path, "remote", "add", "origin", f"{scheme}://127.0.0.1:{silent_port}/sample.git")
    began = time.monotonic()
    with pytest.raises(git.GitError) as error:
        git.run(tmp_path, *command)
    assert 1.5 < time.monotonic() - began < 15  # it was silence that ended it
    assert f"`git {command[0]}` failed" in str(error.value)


def test_limits_of_remotes_are_acceptable() -> None:
    """A person waits for half a minute of silence, and for a list of branches at most a minute."""
    assert dict(git.LIMITS)["http.lowSpeedTime"] == str(git.SILENCE) == "30"
    assert git.LISTING_TIMEOUT == 60


def test_the_ssh_command_of_a_user_is_kept(tmp_path: Path) -> None:
    """It may name a key or a proxy."""
    git.run(tmp_path, "init", "--quiet")
    git.run(tmp_path, "config", "core.sshCommand", "false")
    git.run(tmp_path, "remote", "add", "origin", "ssh://127.0.0.1/sample.git")
    with pytest.raises(git.GitError, match="read from remote"):
        git.run(tmp_path, "ls-remote", "origin")
