"""Output for people: no secret of an address, no character that a terminal obeys, no command of GitHub's runner."""

import contextlib
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gitops_ml import console, secrets
from gitops_ml.errors import GitopsError
from gitops_ml.printable import show_addresses, show_invisible
from gitops_ml.sink import open_location
from unit.sample import Project

ESC, RIGHT_TO_LEFT = "\x1b", "\u202e"
TEXTS = [
    f"{ESC}[2J",
    f"a{RIGHT_TO_LEFT}b",
    "##[error]x",
    "##\x1b[[error]x",
    "x\r::add-mask::y",
    "x\u2028::stop::y",
    "\ud800",
]
ADDRESSES = {
    "http://host:5000?token=s3cr3t": "http://host:5000",
    "http://host:5000/mlflow/?token=s3cr3t#s3cr3t": "http://host:5000/mlflow/",
    "https://ada:s3cr3t@host/path": "https://host/path",
    "https://s3cr3t@host:8443/a/b.csv?sig=s3cr3t": "https://host:8443/a/b.csv",
    "postgresql+psycopg://ada:s3/cr3t@host/base": "postgresql+psycopg://host/base",
    "postgresql://ada:s3@cr3t@host/base?sslmode=require": "postgresql://host/base",
    "s3://bucket/folder@2026": "s3://bucket/folder@2026",
    "http://[::1]:5000/x?s3cr3t": "http://[::1]:5000/x",
    "http://host:80/@ada": "http://host:80/@ada",
    "/srv/log": "/srv/log",
    "git@github.com:ada/sample.git": "git@github.com:ada/sample.git",
    "See 'https://host/a?s3cr3t=1', then (https://host/b?s3cr3t).": "See 'https://host/a', then (https://host/b).",
    "Max retries exceeded with url: /?token=s3cr3t/api/2.0 (Caused by x)": (
        "Max retries exceeded with url: / (Caused by x)"
    ),
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_shown_with_scheme_host_and_path(address: str) -> None:
    """A user, a password, a query and a fragment may be secret."""
    assert show_addresses(address) == ADDRESSES[address]


def test_the_message_of_an_error_has_no_secret_of_an_address() -> None:
    """Messages of errors reach pages and pull requests too, not only the terminal."""
    error = GitopsError("https://ada:s3cr3t@host/x?k=s3cr3t refuses.", "Check https://host/x?k=s3cr3t.")
    assert "s3cr3t" not in f"{error} {error.problem} {error.next_step}"
    assert error.problem == "https://host/x refuses."


@pytest.mark.parametrize("command", [("doctor",), ("store", "status")], ids=" ".join)
def test_a_token_in_the_query_of_the_server_is_not_printed(
    project: Project, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """MLflow and requests quote the address, whole and in parts."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9/mlflow?token=s3cr3t-t0ken")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    summary = project.root / ".gitops" / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    result = project.gitops(*command)
    printed = result.out + result.err + (summary.read_text() if summary.exists() else "")
    assert result.code != 0
    assert "s3cr3t" not in printed
    assert "http://127.0.0.1:9/mlflow" in re.sub(r"[│\s]", "", printed)


def test_a_token_of_the_remote_is_not_printed(project: Project) -> None:
    """Git quotes the address of a remote that it cannot reach."""
    project.git("remote", "add", "origin", "http://ada:s3cr3t@127.0.0.1:9/sample.git?private=s3cr3t")
    result = project.gitops("store", "status")
    assert result.code == 7
    assert "http://127.0.0.1:9/sample.git" in result.err
    assert "s3cr3t" not in result.out + result.err


def test_a_token_of_the_sink_is_not_printed(project: Project) -> None:
    """An address of a log that cannot be opened is shown without its query."""
    with pytest.raises(GitopsError) as caught:
        open_location("nosuch://ada:s3cr3t@host/log?token=s3cr3t", project.root)
    assert "s3cr3t" not in str(caught.value)


def test_passwords_of_addresses_in_the_environment_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs quote a part of an address, in which nothing says that it is one."""
    monkeypatch.setenv("WAREHOUSE", "postgresql://ada:p%40ssw0rd9@host/base?tab=repository&token=abcdefg8")
    assert secrets.redact("p@ssw0rd9 p%40ssw0rd9 abcdefg8 repository") == "*** *** *** repository"


def _print_everything(text: str) -> None:
    """Pass a text to each function that prints."""
    console.echo(text)
    console.echo_error(text)
    console.echo_quoted(text, text)
    console.warn(text)
    console.table(text, [text, "x"], [[text, 1]])
    console.markdown(text)
    console.append_summary(text)
    console.set_output("name", text)
    with console.progress(text, timed=True) as progress:
        progress(text)


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_no_text_is_a_command_to_runner_or_terminal(
    text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each function that prints passes its text through one function; every line of both streams is harmless."""
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.setenv(name, str(tmp_path / name))
    _print_everything(text)
    output = capsys.readouterr()
    files = "".join((tmp_path / name).read_text(encoding="utf-8") for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"))
    printed = output.out + output.err
    assert "##[" not in printed
    assert not [line for line in printed.splitlines() if line.lstrip().startswith("::")]
    assert [each for each in (ESC, RIGHT_TO_LEFT, "\r", "\u2028", "\ud800") if each in printed + files] == []
    assert len((tmp_path / "GITHUB_OUTPUT").read_text(encoding="utf-8").splitlines()) == 1


def test_a_wrapped_title_is_no_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A title is wrapped at the width of its table, so that a word of it may begin a line."""
    monkeypatch.setenv("COLUMNS", "30")
    console.table("a title of twenty-four ch ::add-mask::x", ["x"], [["1"]])
    assert not [line for line in capsys.readouterr().out.splitlines() if line.lstrip().startswith("::")]


def test_invisible_characters_are_written_out() -> None:
    """A reader sees which character is in the name of a column."""
    assert show_invisible(f"a{ESC}[2J {RIGHT_TO_LEFT}\t\n") == r"a\x1b[2J \u202e" + "\t\n"


def test_a_name_of_a_column_reaches_a_terminal_written_out(project: Project) -> None:
    """On a terminal, a table of `validate` shows the characters of a header and clears nothing."""
    data = project.root / "data" / "rows.csv"
    header, _, rest = data.read_text().partition("\n")
    data.write_text(f"{header},{ESC}[2J{RIGHT_TO_LEFT}##[error]\n" + rest.replace("\n", ",1\n"))
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "gitops_ml", "--project", str(project.root), "validate"]
    done = subprocess.Popen(command, stdout=child, stderr=child, env={**os.environ, "COLUMNS": "200"})
    os.close(child)
    printed = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while part := os.read(parent, 65536):
            printed += part
    os.close(parent)
    assert done.wait() == 4
    text = printed.decode()
    assert f"{ESC}[2J" not in text
    assert RIGHT_TO_LEFT not in text
    assert "##[" not in text
    assert r"\x1b" in text


def test_a_wrong_argument_is_no_command(project: Project) -> None:
    """The message of a wrong option quotes it."""
    result = project.gitops("train", f"--{ESC}##[error]x")
    assert result.code == 2
    assert "##[" not in result.err
    assert ESC not in result.err


def test_a_warning_of_a_library_is_no_command() -> None:
    """pandas and scikit-learn warn on standard error, and name columns."""
    warn = r"import sys, warnings; sys.argv[1:] = ['config']; warnings.warn('x' + chr(27) + '##[error]x')"
    code = f"from gitops_ml import cli; cli.gitops.main = lambda **_: exec({warn!r}); cli.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "UserWarning: x" in done.stderr
    assert ESC not in done.stderr
    assert "##[" not in done.stderr
