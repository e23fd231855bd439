"""Admission to an environment: no hold anywhere, and verified and soaked in the environment before."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from gitops_ml import config
from gitops_ml.registry import ledger, record
from gitops_ml.registry.admission import explain_unsoaked, find_blocker, soak_end
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.ledger import AnyFact, Held, LiftedHold, Verified
from gitops_ml.registry.reconcile import load_current_facts
from gitops_ml.registry.store import connect
from unit.sample import Project

NOW = datetime.now(UTC).replace(microsecond=0)
TWO_ENVIRONMENTS = '\n[deploy]\nenvironments = ["staging", "production"]\n\n[targets.staging]\nsoak_hours = 24\n'


def ago(hours: float) -> datetime:
    """Return the time some hours ago."""
    return NOW - timedelta(hours=hours)


@pytest.fixture
def staged(at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return the project with two environments; staging's record was merged three days ago."""
    project = at_stage("registered")
    project.write("model.toml", (project.root / "model.toml").read_text() + TWO_ENVIRONMENTS)
    project.commit("two environments")
    project.must("compare")
    with monkeypatch.context() as patch:
        patch.setenv("GIT_COMMITTER_DATE", ago(72).isoformat())
        project.must("promote", "--local")
        project.git("merge", "--quiet", "--no-ff", "--no-edit", "promote/staging")
    return project


def staging_digest(project: Project) -> str:
    """Return the digest of the version in staging."""
    staging = record.load_record(project.root, "staging", "main")
    assert staging
    return staging.digest


def append(project: Project, *facts: AnyFact) -> None:
    """Append facts to the ledger."""
    ledger.append_facts(Branch(config.find_repository(project.root)), *facts)


def verified(project: Project, hours: float) -> Verified:
    """Return the fact that the version passed its smoke test in staging some hours ago."""
    return Verified(environment="staging", digest=staging_digest(project), at=ago(hours), by="a run")


def held(project: Project, environment: str, hours: float) -> Held:
    """Return the fact that the version was held some hours ago."""
    return Held(environment=environment, digest=staging_digest(project), at=ago(hours), by="Ada", why="complaints")


def blocker(project: Project, environment: str = "production") -> str | None:
    """Return the reason why the version of staging may not be promoted to an environment."""
    repository = config.find_repository(project.root)
    return find_blocker(repository, connect(repository), environment, staging_digest(project))


def staging_soak_end(project: Project) -> datetime | None:
    """Return the time at which the version has soaked in staging."""
    repository = config.find_repository(project.root)
    return soak_end(repository, connect(repository), "staging", staging_digest(project))


@pytest.mark.slow
def test_a_version_is_admitted_when_it_is_verified_and_has_soaked(staged: Project) -> None:
    """A promotion before that is refused with the reason, and nothing is proposed."""
    assert blocker(staged) == "it does not serve in staging, or is not verified there"
    append(staged, verified(staged, 1))
    assert blocker(staged) == f"it must serve in staging until {ago(-23):%Y-%m-%d %H:%M} UTC first"
    staged.must("compare", "--environment", "production")
    refused = staged.gitops("promote", "--local", "--environment", "production")
    assert (refused.code, "until" in refused.err) == (6, True)
    assert staged.git("branch", "--list", "promote/production") == ""
    staged.edit("model.toml", "soak_hours = 24", "soak_hours = 0.5")
    staged.commit("a shorter soak time")
    staged.must("compare", "--environment", "production")
    staged.must("promote", "--local", "--environment", "production")


@pytest.mark.slow
def test_two_proposals_change_no_file_in_common(staged: Project) -> None:
    """Each environment has its own model card, so that the merge of one proposal does not change the other."""
    append(staged, verified(staged, 48))
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
def test_a_hold_in_one_environment_blocks_all(staged: Project) -> None:
    """A version that is held in production is not proposed to staging either."""
    append(staged, verified(staged, 48))
    assert blocker(staged) is None
    append(staged, held(staged, "production", 1))
    assert blocker(staged, "staging") == blocker(staged) == "it is held in production"


@pytest.mark.slow
def test_the_soak_time_starts_again_after_a_lifted_hold(staged: Project) -> None:
    """It starts at the next verification, or at the merge that lifted the hold if there is none."""
    hold = held(staged, "staging", 10)
    append(staged, verified(staged, 48), hold)
    assert staging_soak_end(staged) is None
    lifted = LiftedHold(environment="staging", digest=hold.digest, at=hold.at, why="fixed")
    staged.write(ledger.lifted_hold_path(lifted), lifted.to_json())
    start = datetime.now(UTC).replace(microsecond=0)
    staged.commit("lift")
    end = staging_soak_end(staged)
    assert end
    assert start <= end - timedelta(hours=24) <= datetime.now(UTC)
    append(staged, verified(staged, 3))
    assert staging_soak_end(staged) == ago(3) + timedelta(hours=24)


@pytest.mark.slow
def test_the_soak_time_starts_again_when_a_version_is_restored(staged: Project) -> None:
    """After another version, it starts at the merge that restores the record."""
    append(staged, verified(staged, 48))
    assert staging_soak_end(staged) == ago(48) + timedelta(hours=24)
    text = (staged.root / "registry" / "staging.json").read_text()
    staged.edit("registry/staging.json", staging_digest(staged), "sha256:" + "0" * 64)
    staged.commit("another version")
    staged.write("registry/staging.json", text)
    staged.commit("restore the version")
    end = staging_soak_end(staged)
    assert end
    assert end >= NOW + timedelta(hours=24)


def copy_to_production(project: Project) -> None:
    """Write staging's record as the record of production, as if a comparison there had earned it, and commit it."""
    staging = record.load_record(project.root, "staging", "main")
    assert staging
    copied = staging.model_copy(update={"environment": "production"})
    ledger.append_comparison(Branch(config.find_repository(project.root)), copied, "a run")
    project.write("registry/production.json", copied.to_json())
    project.commit("Promote to production")


def test_both_records_in_one_merge_do_not_skip_the_soak_time(staged: Project) -> None:
    """Review and deploy ask for the hours in the environment before; a pull request has none of them."""
    main = staged.git("rev-parse", "main")
    staged.git("switch", "--quiet", "--create", "both", f"{main}^1")
    staged.git("merge", "--quiet", "--squash", main)
    copy_to_production(staged)
    staged.git("branch", "--force", "main", f"{main}^1")
    refused = staged.gitops("review")
    assert (refused.code, "it does not serve in staging" in refused.err) == (17, True), refused
    staged.git("switch", "--quiet", "main")
    staged.git("merge", "--quiet", "--ff-only", "both")
    append(staged, verified(staged, -0.001))
    staged.edit("model.toml", "soak_hours = 24", "soak_hours = 0")
    staged.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    for command in ("review", "deploy"):
        refused = staged.gitops(command)
        assert (refused.code, "it must serve in staging until" in refused.err) == (17, True), refused
    assert not [each for each in load_current_facts(config.find_repository(staged.root)) if each.kind == "held"]


def test_a_version_that_has_soaked_stays_admitted(staged: Project) -> None:
    """Another version may follow it in staging before its own merge to production."""
    append(staged, verified(staged, 48))
    digest = staging_digest(staged)
    staged.edit("registry/staging.json", digest, "sha256:" + "0" * 64)
    staged.commit("another version in staging")
    repository = config.find_repository(staged.root)
    assert find_blocker(repository, connect(repository), "production", digest)
    assert explain_unsoaked(repository, connect(repository), "production", digest) is None
    append(staged, Held(environment="staging", digest=digest, at=ago(1), by="Ada", why="complaints"))
    assert explain_unsoaked(repository, connect(repository), "production", digest) == "it is held in staging"
