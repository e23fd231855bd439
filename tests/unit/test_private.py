"""Secrets: no page shows them, whoever printed them, and no process that runs what is not ours is started with them."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from gitops_ml import private
from gitops_ml.checkout import Checkout, CheckoutFailed
from gitops_ml.console import complain, say
from gitops_ml.forge.reversal import Reversal, Side, _body
from unit.sample import Project

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\nAAAAB3NzaC1yc2E\n-----END OPENSSH PRIVATE KEY-----\n"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workflow has set them all."""
    values = {"GITHUB_TOKEN": "ghs_0123", "GITOPS_TOKEN": "callers-token", "GITOPS_REGISTRY_PASSWORD": "pass word",
              "GITOPS_SIGNING_KEY": KEY, "AWS_SESSION_TOKEN": "a"}  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("secrets")
def test_what_a_model_prints_shows_no_secret() -> None:
    """Whole or in part of a line, each line of a key by itself; what is no secret stays."""
    printed = "Bearer callers-token\nb3BlbnNzaC1rZXk and ghs_0123, pass word\na word"
    assert private.redacted(printed) == "Bearer ***\n*** and ***, ***\na word"


@pytest.mark.usefixtures("secrets")
def test_an_issue_shows_no_secret() -> None:
    """Neither in the logs, nor in what was wrong."""
    bad = Side("2", "1.1.0", "sha256:" + "a" * 64)
    failed = Reversal("production", "m", bad, None, "It said callers-token.")
    shown = _body(failed, "Merge it.", "token=ghs_0123", "") + failed.body
    assert "callers-token" not in shown
    assert "ghs_0123" not in shown
    assert "token=***" in shown


@pytest.mark.usefixtures("secrets")
def test_a_commit_of_another_time_sees_no_secret(at_stage: Callable[[str], Project]) -> None:
    """It runs your code; what it says of its environment holds none of them."""
    project = at_stage("trained")
    project.write("src/gitops/__init__.py", "")
    project.write("src/gitops/__main__.py", "import os, sys\n\nsys.exit(' '.join(sorted(os.environ)))\n")
    import sys
    from pathlib import Path

    with pytest.raises(CheckoutFailed) as told:
        Checkout(project.root, Path(sys.executable)).gitops("train")
    said = str(told.value.what).split()
    assert "PATH" in said
    assert not set(private.NAMES) & set(said)


def test_no_line_of_ours_is_a_command_to_the_runner(capsys: pytest.CaptureFixture[str]) -> None:
    """GitHub's runner reads both streams, and looks past white space."""
    say("fine\n::set-env name=A::b and ##[add-mask]c")
    complain("bad\n::stop-commands::x\n  ::error::y\nfine::so")
    told = capsys.readouterr()
    assert told.out == "fine\n| ::set-env name=A::b and # #[add-mask]c\n"
    assert told.err == "bad\n| ::stop-commands::x\n|   ::error::y\nfine::so\n"
