"""Tests of the deployment with a fake target."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from gitops_ml import config, console
from gitops_ml.commands.deploy_context import DeployContext, open_deploy_context
from gitops_ml.commands.rollout import converge_or_fail
from gitops_ml.deploying.target import Rollout, RunningVersion, Target
from gitops_ml.errors import ContainerError
from gitops_ml.registry.reconcile import load_current_facts
from gitops_ml.registry.record import Record, load_record
from unit.sample import Project


@dataclass
class FakeTarget:
    """Target whose version starts and passes its health check, but cannot be reached.

    Attributes:
        running_version: Version that the target reports as running.
        changes: Changes to the target, in order.
    """

    running_version: RunningVersion | None = None
    changes: list[str] = field(default_factory=list)

    def running(self) -> RunningVersion | None:
        """Return the version that the test sets."""
        return self.running_version

    def start(self, rollout: Rollout) -> str:
        """Return an address without a server."""
        self.changes.append("start")
        return "http://127.0.0.1:1"

    def is_alive(self) -> bool:
        """Return True: the process runs."""
        return True

    def is_ready(self) -> bool:
        """Return True: the health check passes."""
        return True

    def switch(self, rollout: Rollout) -> None:
        """Note the switch."""
        self.changes.append("switch")

    def logs(self) -> str:
        """Return no output."""
        return ""

    def stop(self) -> None:
        """Note the stop."""
        self.changes.append("stop")

    def discard(self) -> str:
        """Note the removal."""
        self.changes.append("discard")
        return ""


@dataclass(frozen=True)
class FakeContext(DeployContext):
    """Deploy context with a fake target."""

    fake_target: FakeTarget

    def choose_target(self, wanted: Record) -> Target:
        """Return the fake target."""
        return self.fake_target


@pytest.fixture
def context(at_stage: Callable[[str], Project]) -> FakeContext:
    """Return the context of a project with version 1 on main and a short timeout."""
    project = at_stage("promoted")
    project.edit("model.toml", "[project]", "[targets.production]\nready_seconds = 1\n\n[project]")
    project.commit()
    opened = open_deploy_context(config.find_repository(project.root), "production")
    return FakeContext(opened.repository, opened.environment, opened.store, opened.github, opened.actor, FakeTarget())


@pytest.mark.slow
def test_error_stops_version_under_test(context: FakeContext) -> None:
    """A version that could not be tested is stopped, and no fact is written to the ledger."""
    with pytest.raises(ContainerError, match="cannot be reached"):
        converge_or_fail(context)
    assert context.fake_target.changes == ["start", "discard"]
    assert [fact.kind for fact in load_current_facts(context.repository, context.store)] == ["compared"]


def test_version_with_other_settings_is_restarted(context: FakeContext, capsys: pytest.CaptureFixture[str]) -> None:
    """The wanted version runs with outdated settings."""
    digest = load_record(context.repository.root, "production", "main").digest  # type: ignore[union-attr]
    context.fake_target.running_version = RunningVersion(
        digest, None, "http://127.0.0.1:1", "its settings have changed"
    )
    with pytest.raises(ContainerError):
        converge_or_fail(context)
    assert "Version 1 is started again: its settings have changed." in capsys.readouterr().out
    assert context.fake_target.changes == ["start", "discard"]


def test_quoted_output_is_no_workflow_command(capsys: pytest.CaptureFixture[str]) -> None:
    """GitHub's runner obeys lines that begin with two colons, also after spaces, and the older `##[` syntax."""
    console.echo_quoted("It printed:", "one\n  ::set-output name=url::x\n##[add-path]/x\n")
    console.echo(" ::warning::x")
    console.echo_error("::error::x")
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ["It printed:", "| one", "|   ::set-output name=url::x", "| # #[add-path]/x",
                                     "|  ::warning::x"]  # fmt: skip
    assert captured.err == "| ::error::x\n"


def test_empty_output_is_not_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    """Empty output has no title."""
    console.echo_quoted("It printed:", " \n")
    assert capsys.readouterr().out == ""
