"""Promotion without a forge: a branch whose one change is the record, and aliases that follow the merge."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from gitops_ml import config
from gitops_ml.registry import store, versions
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.ledger import Held, Verified, append
from gitops_ml.registry.record import history, read
from unit.sample import Project

BRANCH = "promote/production"


@pytest.fixture
def proposed(at_stage: Callable[[str], Project]) -> Project:
    """The project with version 1 proposed."""
    return at_stage("proposed")


def aliases(project: Project) -> dict[str, str]:
    """Which version each alias points at."""
    found = versions.known(store.connect(config.find(project.root)), "sample")
    return {alias: version.number for version in found for alias in version.aliases}


def test_a_proposal_changes_the_record_and_its_card_and_nothing_else(proposed: Project) -> None:
    """The reviewer sees two files; the person's own files and index are not touched."""
    changed = proposed.git("diff", "--name-only", "main", BRANCH).splitlines()
    assert changed == ["docs/model-card.md", "registry/production.json"]
    assert "Model card: sample 1.0.0" in proposed.git("show", f"{BRANCH}:docs/model-card.md")
    assert proposed.git("status", "--porcelain") == ""
    record = read(proposed.root, "production", BRANCH)
    assert record is not None
    assert (record.version, record.release, record.figure.metric) == ("1", "1.0.0", "roc_auc")


def test_proposing_the_same_again_does_nothing(proposed: Project) -> None:
    """The branch stays at the same commit."""
    tip = proposed.git("rev-parse", BRANCH)
    assert "Nothing to do" in proposed.must("promote", "--local").out
    assert proposed.git("rev-parse", BRANCH) == tip


@pytest.mark.slow
def test_when_main_moves_the_proposal_is_cut_from_it_again(proposed: Project) -> None:
    """A proposal is always one commit on top of main."""
    proposed.write("NOTES.md", "words")
    main = proposed.commit("a docs change")
    proposed.must("compare")
    proposed.must("promote", "--local")
    assert proposed.git("rev-parse", f"{BRANCH}^") == main


@pytest.mark.slow
def test_a_refused_challenger_is_not_proposed(project: Project) -> None:
    """A gate's no ends promote with exit code 6 and no branch."""
    project.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.999")
    project.commit()
    project.must("train")
    project.must("register")
    assert project.must("compare").outputs["verdict"] == "refuse"
    assert project.gitops("promote", "--local").code == 6
    assert project.git("branch", "--list", BRANCH) == ""


@pytest.mark.slow
def test_a_version_from_uncommitted_files_is_not_proposed(project: Project) -> None:
    """What nobody could make again may not serve; after a commit it is trained anew and may."""
    project.improve()
    project.must("train")
    project.must("register")
    project.must("compare")
    refused = project.gitops("promote", "--local")
    assert refused.code == 6
    assert "PROVENANCE" in refused.err
    project.commit()
    project.propose()
    assert read(project.root, "production", BRANCH) is not None


def test_a_comparison_with_an_earlier_champion_is_stale(proposed: Project) -> None:
    """If the champion changed since, the evidence says nothing."""
    proposed.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    stale = proposed.gitops("promote", "--local")
    assert stale.code == 3
    assert "the champion changed since" in stale.err


def test_without_a_comparison_there_is_nothing_to_promote(project: Project) -> None:
    """The sentence names the command that is missing."""
    result = project.gitops("promote", "--local")
    assert result.code == 3
    assert "gitops compare" in result.err


def test_a_branch_that_is_checked_out_is_left_alone(proposed: Project) -> None:
    """Moving it would change files under a person's hands."""
    proposed.git("switch", "--quiet", "main")
    proposed.write("NOTES.md", "words")
    proposed.commit()
    proposed.git("switch", "--quiet", BRANCH)
    result = proposed.gitops("promote", "--local")
    assert result.code == 7
    assert "git switch main" in result.err


@pytest.mark.slow
def test_aliases_follow_the_proposal_and_the_merge(proposed: Project) -> None:
    """Challenger while it is proposed, champion once it is merged and verified; a second reconcile does nothing."""
    proposed.must("reconcile")
    assert aliases(proposed) == {"challenger": "1"}
    proposed.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    proposed.must("reconcile")
    assert aliases(proposed) == {}
    proposed.verified()
    proposed.must("reconcile")
    assert aliases(proposed) == {"champion": "1"}
    assert "Nothing to do" in proposed.must("reconcile").out


@pytest.mark.slow
def test_an_alias_that_somebody_moved_is_put_back(proposed: Project) -> None:
    """An alias is a projection; reconcile says what it found."""
    proposed.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    proposed.verified()
    proposed.must("reconcile")
    proposed.improve()
    proposed.commit()
    proposed.must("train")
    proposed.must("register")
    where = store.connect(config.find(proposed.root))
    where.write("intrude", lambda client: client.set_registered_model_alias("sample", "champion", "2"))
    told = proposed.must("reconcile")
    assert "Alias champion set to version 1; it pointed at version 2." in told.out
    assert aliases(proposed) == {"champion": "1"}


@pytest.mark.slow
def test_while_main_is_held_the_last_verified_version_is_champion(at_stage: Callable[[str], Project]) -> None:
    """The ledger brakes faster than a review."""
    project = at_stage("promoted")
    first = read(project.root, "production", "main")
    project.improve()
    project.commit()
    project.promote()
    second = read(project.root, "production", "main")
    assert first is not None
    assert second is not None
    branch, now = Branch(config.find(project.root)), datetime.now(UTC)
    append(branch, Verified(environment="production", digest=first.digest, at=now, by="t"))
    append(branch, Held(environment="production", digest=second.digest, at=now, by="t", why="it failed"))
    project.must("reconcile")
    assert aliases(project) == {"champion": "1"}


@pytest.mark.slow
def test_reverting_a_merge_brings_the_earlier_champion_back(at_stage: Callable[[str], Project]) -> None:
    """Rolling back is a change like any other; history keeps all three."""
    project = at_stage("promoted")
    project.verified()
    project.improve()
    project.commit()
    project.promote()
    project.must("reconcile")
    assert aliases(project) == {"champion": "1"}
    project.verified()
    project.must("reconcile")
    assert aliases(project) == {"champion": "2"}
    project.git("revert", "--no-edit", "--mainline", "1", "HEAD")
    project.must("reconcile")
    assert aliases(project) == {"champion": "1"}
    entries = history(project.root, "production", "main")
    assert [entry.record.version for entry in entries if entry.record] == ["1", "2", "1"]


@pytest.mark.slow
def test_removing_the_record_leaves_no_champion(at_stage: Callable[[str], Project]) -> None:
    """Starting over: the alias goes with the record, and the next version is judged without a champion."""
    project = at_stage("promoted")
    project.verified()
    project.must("reconcile")
    project.git("rm", "--quiet", "registry/production.json")
    project.commit()
    project.must("reconcile")
    assert aliases(project) == {}
    assert "the record was removed" in project.must("history").out
    assert project.must("compare").outputs["verdict"] == "promote"


def test_a_registry_that_disagrees_with_the_record_is_not_believed(proposed: Project) -> None:
    """The record pins a digest; a version of that number with another digest gets no alias."""
    proposed.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    proposed.verified()
    where = store.connect(config.find(proposed.root))
    where.write("intrude", lambda client: client.set_model_version_tag("sample", "1", versions.DIGEST, "sha256:0"))
    result = proposed.gitops("reconcile")
    assert result.code == 11
    assert "No alias was moved" in result.err


@pytest.mark.slow
def test_history_shows_both_champions(at_stage: Callable[[str], Project]) -> None:
    """Newest first, with the release that tells callers what changed."""
    project = at_stage("promoted")
    project.improve()
    project.commit()
    project.promote()
    told = project.must("history").out
    assert told.index("1.1.0") < told.index("1.0.0")
