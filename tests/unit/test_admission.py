"""Who may be promoted: what is held nowhere, and was verified and has soaked in the environment before."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from gitops_ml import config
from gitops_ml.registry import ledger, record
from gitops_ml.registry.admission import barred, ready_at
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.ledger import AnyFact, Held, Lifted, Verified
from gitops_ml.registry.store import connect
from unit.sample import Project

NOW = datetime.now(UTC).replace(microsecond=0)
TWO = '\n[deploy]\nenvironments = ["staging", "production"]\n\n[targets.staging]\nsoak_hours = 24\n'


def ago(hours: float) -> datetime:
    """A moment some hours ago."""
    return NOW - timedelta(hours=hours)


@pytest.fixture
def staged(at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project with two environments; staging's record was merged three days ago."""
    project = at_stage("registered")
    project.write("model.toml", (project.root / "model.toml").read_text() + TWO)
    project.commit("two environments")
    project.must("compare")
    with monkeypatch.context() as patch:
        patch.setenv("GIT_COMMITTER_DATE", ago(72).isoformat())
        project.must("promote", "--local")
        project.git("merge", "--quiet", "--no-ff", "--no-edit", "promote/staging")
    return project


def digest_of(project: Project) -> str:
    """Of the version in staging."""
    found = record.read(project.root, "staging", "main")
    assert found
    return found.digest


def write(project: Project, *facts: AnyFact) -> None:
    """Append to the ledger."""
    ledger.append(Branch(config.find(project.root)), *facts)


def verified(project: Project, hours: float) -> Verified:
    """It passed its smoke test in staging, some hours ago."""
    return Verified(environment="staging", digest=digest_of(project), at=ago(hours), by="a run")


def held(project: Project, environment: str, hours: float) -> Held:
    """It was held somewhere, some hours ago."""
    return Held(environment=environment, digest=digest_of(project), at=ago(hours), by="Ada", why="complaints")


def why_not(project: Project, environment: str = "production") -> str | None:
    """Why the version of staging may not go there."""
    repository = config.find(project.root)
    return barred(repository, connect(repository), environment, digest_of(project))


def ready(project: Project) -> datetime | None:
    """When it has soaked in staging."""
    repository = config.find(project.root)
    return ready_at(repository, connect(repository), "staging", digest_of(project))


@pytest.mark.slow
def test_it_goes_on_once_it_was_verified_and_has_soaked(staged: Project) -> None:
    """A person who asks earlier learns what is missing; nothing is proposed."""
    assert why_not(staged) == "it does not serve in staging, verified"
    write(staged, verified(staged, 1))
    assert f"it serves in staging until {ago(-23):%Y-%m-%d %H:%M} UTC first" == why_not(staged)
    staged.must("compare", "--environment", "production")
    refused = staged.gitops("promote", "--local", "--environment", "production")
    assert (refused.code, "until" in refused.err) == (6, True)
    assert staged.git("branch", "--list", "promote/production") == ""
    staged.edit("model.toml", "soak_hours = 24", "soak_hours = 0.5")
    staged.commit("no patience")
    staged.must("compare", "--environment", "production")
    staged.must("promote", "--local", "--environment", "production")


@pytest.mark.slow
def test_two_proposals_never_meet_in_one_file(staged: Project) -> None:
    """Each environment has a card of its own, so whichever is merged first leaves the other as it was read."""
    write(staged, verified(staged, 48))
    staged.must("compare", "--environment", "production")
    staged.must("promote", "--local", "--environment", "production")
    staged.improve()
    staged.commit("better")
    staged.must("train")
    staged.must("register")
    staged.must("compare", "--environment", "staging")
    staged.must("promote", "--local", "--environment", "staging")
    files = {
        name: staged.git("diff", "--name-only", f"main...promote/{name}").split() for name in ("staging", "production")
    }
    assert files["staging"] == ["docs/model-card-staging.md", "registry/staging.json"]
    assert files["production"] == ["docs/model-card.md", "registry/production.json"]
    for name in ("staging", "production"):
        staged.git("merge", "--quiet", "--no-ff", "--no-edit", f"promote/{name}")


@pytest.mark.slow
def test_a_hold_anywhere_keeps_it_everywhere(staged: Project) -> None:
    """What is bad in production is not proposed to staging again."""
    write(staged, verified(staged, 48))
    assert why_not(staged) is None
    write(staged, held(staged, "production", 1))
    assert why_not(staged, "staging") == why_not(staged) == "it is held in production"


@pytest.mark.slow
def test_it_soaks_anew_once_a_hold_has_ended(staged: Project) -> None:
    """From the next verification on, or, where there is none, from the merge that lifted the hold."""
    hold = held(staged, "staging", 10)
    write(staged, verified(staged, 48), hold)
    assert ready(staged) is None
    more = Lifted(environment="staging", digest=hold.digest, at=hold.at, why="mended")
    staged.write(ledger.lifted_path(more), more.to_json())
    began = datetime.now(UTC).replace(microsecond=0)
    staged.commit("lift")
    found = ready(staged)
    assert found
    assert began <= found - timedelta(hours=24) <= datetime.now(UTC)
    write(staged, verified(staged, 3))
    assert ready(staged) == ago(3) + timedelta(hours=24)


@pytest.mark.slow
def test_it_soaks_anew_when_it_comes_back(staged: Project) -> None:
    """What another version has replaced in between begins again with the merge that restores it."""
    write(staged, verified(staged, 48))
    assert ready(staged) == ago(48) + timedelta(hours=24)
    text = (staged.root / "registry" / "staging.json").read_text()
    staged.edit("registry/staging.json", digest_of(staged), "sha256:" + "0" * 64)
    staged.commit("another")
    staged.write("registry/staging.json", text)
    staged.commit("back")
    found = ready(staged)
    assert found
    assert found >= NOW + timedelta(hours=24)
