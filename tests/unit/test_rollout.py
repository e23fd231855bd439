"""Deployment, with a place that does what a test wants."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from gitops_ml import config, console
from gitops_ml.commands.rollout import settle
from gitops_ml.commands.site import Site, open_site
from gitops_ml.deploying.target import Rollout, Running, Target
from gitops_ml.errors import ContainerError
from gitops_ml.registry.reconcile import facts_of
from gitops_ml.registry.record import Record, read
from unit.sample import Project


@dataclass
class Place:
    """A target where a version comes up, is well, and cannot be reached.

    Attributes:
        serves: What it says of what serves.
        did: Every change, in order.
    """

    serves: Running | None = None
    did: list[str] = field(default_factory=list)

    def running(self) -> Running | None:
        """Whatever the test says."""
        return self.serves

    def start(self, wanted: Rollout) -> str:
        """Where nobody listens."""
        self.did.append("start")
        return "http://127.0.0.1:1"

    def alive(self) -> bool:
        """It is up."""
        return True

    def well(self) -> bool:
        """And says so."""
        return True

    def switch(self, wanted: Rollout) -> None:
        """Let it serve."""
        self.did.append("switch")

    def logs(self) -> str:
        """Nothing."""
        return ""

    def end(self) -> None:
        """Let nothing serve."""
        self.did.append("end")

    def abandon(self) -> str:
        """Take it away."""
        self.did.append("abandon")
        return ""


@dataclass(frozen=True)
class Stage(Site):
    """A site at such a place."""

    place: Place

    def target(self, wanted: Record) -> Target:
        """That place."""
        return self.place


@pytest.fixture
def stage(at_stage: Callable[[str], Project]) -> Stage:
    """Version 1 is on main, and nobody waits long."""
    project = at_stage("promoted")
    project.edit("model.toml", "[project]", "[targets.production]\nready_seconds = 1\n\n[project]")
    project.commit()
    site = open_site(config.find(project.root), "production")
    return Stage(site.repository, site.environment, site.store, site.github, site.who, Place())


def test_an_error_leaves_nothing_running_that_was_only_tried(stage: Stage) -> None:
    """Nobody found out about the version, and it does not stay up beside the one that serves."""
    with pytest.raises(ContainerError, match="cannot be asked"):
        settle(stage)
    assert stage.place.did == ["start", "abandon"]
    assert facts_of(stage.repository, stage.store) == []


def test_what_serves_otherwise_than_it_should_is_brought_up_again(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """The version is the right one, and its settings are those of yesterday."""
    digest = read(stage.repository.root, "production", "main").digest  # type: ignore[union-attr]
    stage.place.serves = Running(digest, None, "http://127.0.0.1:1", "its settings have changed")
    with pytest.raises(ContainerError):
        settle(stage)
    assert "Version 1 is brought up again: its settings have changed." in capsys.readouterr().out
    assert stage.place.did == ["start", "abandon"]


def test_what_a_program_printed_is_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a job's output GitHub's runner obeys lines that begin with two colons, after spaces too, and old ones."""
    console.quote("It printed:", "one\n  ::set-output name=url::x\n##[add-path]/x\n")
    console.say(" ::warning::x")
    console.complain("::error::x")
    told = capsys.readouterr()
    assert told.out.splitlines() == ["It printed:", "| one", "|   ::set-output name=url::x", "| # #[add-path]/x",
                                     "|  ::warning::x"]  # fmt: skip
    assert told.err == "| ::error::x\n"


def test_what_printed_nothing_is_not_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    """No title above nothing."""
    console.quote("It printed:", " \n")
    assert capsys.readouterr().out == ""
