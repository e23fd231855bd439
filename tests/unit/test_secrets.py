"""Secrets: they are masked in every page, and processes that run other code do not get them."""

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_ml import cli, secrets
from gitops_ml.checkout import Checkout, CheckoutFailed
from gitops_ml.console import echo, echo_error
from gitops_ml.errors import ConfigError
from gitops_ml.forge.rollback_text import Rollback, RollbackVersion, _render_issue_body
from unit.sample import Project

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\nAAAAB3NzaC1yc2E\n-----END OPENSSH PRIVATE KEY-----\n"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def secret_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set secrets as a workflow does."""
    values = {"GITHUB_TOKEN": "ghs_0123", "GITOPS_TOKEN": "callers-token", "GITOPS_REGISTRY_PASSWORD": "pass word",
              "GITOPS_SIGNING_KEY": KEY, "AWS_SESSION_TOKEN": "a"}  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("secret_variables")
def test_the_output_of_a_model_contains_no_secret() -> None:
    """Values are masked as a whole line, as a part of it, and line by line of a key; other text stays."""
    printed = "Bearer callers-token\nb3BlbnNzaC1rZXk and ghs_0123, pass word\na word"
    assert secrets.redact(printed) == "Bearer ***\n*** and ***, ***\na word"


@pytest.mark.usefixtures("secret_variables")
def test_an_issue_contains_no_secret() -> None:
    """Neither the logs nor the reason contain one."""
    bad = RollbackVersion("2", "1.1.0", "sha256:" + "a" * 64)
    failed = Rollback("production", "m", bad, None, "The output was callers-token.")
    text = _render_issue_body(failed, "Merge it.", "token=ghs_0123", "") + failed.body
    assert "callers-token" not in text
    assert "ghs_0123" not in text
    assert "token=***" in text


@pytest.mark.usefixtures("secret_variables")
def test_a_command_of_another_commit_gets_no_secret(at_stage: Callable[[str], Project]) -> None:
    """It runs your code; its environment contains no secret."""
    project = at_stage("trained")
    project.write("src/gitops/__init__.py", "")
    project.write("src/gitops/__main__.py", "import os, sys\n\nsys.exit(' '.join(sorted(os.environ)))\n")
    with pytest.raises(CheckoutFailed) as caught:
        Checkout(project.root, Path(sys.executable)).run_gitops("train")
    variables = str(caught.value.problem).split()
    assert "PATH" in variables
    assert not set(secrets.SECRET_NAMES) & set(variables)


def test_an_empty_secret_of_other_programs_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workflow sets it for every secret that may exist; MLflow and cloud storage would read it as a value."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    with secrets.prepare_environment():
        assert "MLFLOW_TRACKING_URI" not in os.environ
        assert "AWS_DEFAULT_REGION" not in os.environ
        assert os.environ["AWS_ACCESS_KEY_ID"] == "AKIA"


def test_the_key_of_google_is_a_private_file_while_a_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lies in the runner's temporary folder; afterwards nothing is left, also after an error."""
    monkeypatch.setenv("RUNNER_TEMP", str(tmp_path))
    monkeypatch.setenv(secrets.GOOGLE_KEY, '{"private_key": "abcdef"}')
    monkeypatch.delenv(secrets.GOOGLE_FILE, raising=False)

    def fail() -> None:
        file = Path(os.environ[secrets.GOOGLE_FILE])
        assert file.is_relative_to(tmp_path)
        assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert json.loads(file.read_text()) == {"private_key": "abcdef"}
        assert not {secrets.GOOGLE_FILE, secrets.GOOGLE_KEY} & secrets.environment_without_secrets().keys()
        raise RuntimeError

    with pytest.raises(RuntimeError), secrets.prepare_environment():
        fail()
    assert list(tmp_path.iterdir()) == []
    assert secrets.GOOGLE_FILE not in os.environ


def test_the_file_that_a_user_named_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the key, the variable of Google's packages is the user's."""
    monkeypatch.delenv(secrets.GOOGLE_KEY, raising=False)
    monkeypatch.setenv(secrets.GOOGLE_FILE, "/etc/key.json")
    with secrets.prepare_environment():
        assert os.environ[secrets.GOOGLE_FILE] == "/etc/key.json"
        assert secrets.GOOGLE_FILE in secrets.environment_without_secrets()


@pytest.mark.parametrize("key", ["abcdef", "[1]", "/home/ada/key.json"])
def test_a_key_that_is_no_json_is_refused_without_being_quoted(
    key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Some users set the path of the file, or a part of it."""
    monkeypatch.setenv(secrets.GOOGLE_KEY, key)
    assert cli.main(["config"]) == ConfigError.exit_code
    err = capsys.readouterr().err
    assert "is not a JSON object" in err
    assert key not in err


def test_no_line_of_output_is_a_command_to_the_runner(capsys: pytest.CaptureFixture[str]) -> None:
    """GitHub's runner reads both streams, and ignores leading white space."""
    echo("fine\n::set-env name=A::b and ##[add-mask]c")
    echo_error("bad\n::stop-commands::x\n  ::error::y\nfine::so")
    output = capsys.readouterr()
    assert output.out == "fine\n| ::set-env name=A::b and # #[add-mask]c\n"
    assert output.err == "bad\n| ::stop-commands::x\n|   ::error::y\nfine::so\n"
