"""Tests of promotion without GitHub: a branch that changes the record, and aliases that follow the merge."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from gitops_ml import config
from gitops_ml.registry import store, versions
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.ledger import Held, Verified, append_facts
from gitops_ml.registry.record import Overruling, load_history, load_record
from unit.sample import Project

BRANCH = "promote/production"


@pytest.fixture
def proposed(at_stage: Callable[[str], Project]) -> Project:
    """The project with version 1 proposed."""
    return at_stage("proposed")


def aliases(project: Project) -> dict[str, str]:
    """Return the version number of each alias."""
    all_versions = versions.list_versions(store.connect(config.find_repository(project.root)), "sample")
    return {alias: version.number for version in all_versions for alias in version.aliases}


def test_proposal_changes_only_record_and_model_card(proposed: Project) -> None:
    """The proposal changes two files, and leaves the working tree and the index unchanged."""
    changed = proposed.git("diff", "--name-only", "main", BRANCH).splitlines()
    assert changed == ["docs/model-card.md", "registry/production.json"]
    assert "Model card: sample 1.0.0" in proposed.git("show", f"{BRANCH}:docs/model-card.md")
    assert proposed.git("status", "--porcelain") == ""
    record = load_record(proposed.root, "production", BRANCH)
    assert record is not None
    assert (record.version, record.release, record.figure.metric) == ("1", "1.0.0", "roc_auc")


def test_second_proposal_of_same_version_does_nothing(proposed: Project) -> None:
    """The branch stays at the same commit."""
    tip = proposed.git("rev-parse", BRANCH)
    assert "Nothing to do" in proposed.must("promote", "--local").out
    assert proposed.git("rev-parse", BRANCH) == tip


@pytest.mark.slow
def test_proposal_is_rebased_when_main_changes(proposed: Project) -> None:
    """A proposal is always one commit on top of main."""
    proposed.write("NOTES.md", "text")
    main = proposed.commit("a docs change")
    proposed.must("compare")
    proposed.must("promote", "--local")
    assert proposed.git("rev-parse", f"{BRANCH}^") == main


@pytest.mark.slow
def test_refused_challenger_is_not_proposed(project: Project) -> None:
    """Promote exits with code 6 and makes no branch if a gate refuses the challenger; a person may overrule by name."""
    project.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.999")
    project.commit()
    project.must("train")
    project.must("register")
    assert project.must("compare").outputs["verdict"] == "refuse"
    assert project.gitops("promote", "--local").code == 6
    assert project.git("branch", "--list", BRANCH) == ""
    for wrong in (["--overrule", "we need it"], ["--local", "--overrule", " "]):
        assert project.gitops("promote", *wrong).code == 2
    project.must("promote", "--local", "--overrule", "we need it")
    record = load_record(project.root, "production", BRANCH)
    assert record
    assert record.overruled == Overruling(by="Ada", why="we need it")
    project.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    assert "Ada overrules the gates: we need it" in project.must("review").err


@pytest.mark.slow
def test_version_from_uncommitted_files_is_not_proposed(project: Project) -> None:
    """A version that cannot be reproduced is refused; after a commit and a new training it is proposed."""
    project.improve()
    project.must("train")
    project.must("register")
    project.must("compare")
    refused = project.gitops("promote", "--local")
    assert refused.code == 6
    assert "PROVENANCE" in refused.err
    project.commit()
    project.propose()
    assert load_record(project.root, "production", BRANCH) is not None


def test_comparison_with_earlier_champion_is_stale(proposed: Project) -> None:
    """A comparison is not valid any more if the champion has changed."""
    proposed.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    stale = proposed.gitops("promote", "--local")
    assert stale.code == 3
    assert "the champion changed since" in stale.err


def test_promote_without_comparison_is_error(project: Project) -> None:
    """The message names the command to run first."""
    result = project.gitops("promote", "--local")
    assert result.code == 3
    assert "gitops compare" in result.err


def test_checked_out_branch_is_not_moved(proposed: Project) -> None:
    """Moving the branch would change the files of the working tree."""
    proposed.git("switch", "--quiet", "main")
    proposed.write("NOTES.md", "text")
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
    proposed.record_verification()
    proposed.must("reconcile")
    assert aliases(proposed) == {"champion": "1"}
    assert "Nothing to do" in proposed.must("reconcile").out


@pytest.mark.slow
def test_moved_alias_is_restored(proposed: Project) -> None:
    """Reconcile restores an alias that was moved by hand, and prints where it pointed."""
    proposed.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    proposed.record_verification()
    proposed.must("reconcile")
    proposed.improve()
    proposed.commit()
    proposed.must("train")
    proposed.must("register")
    model_store = store.connect(config.find_repository(proposed.root))
    model_store.write("Change by hand", lambda client: client.set_registered_model_alias("sample", "champion", "2"))
    output = proposed.must("reconcile")
    assert "Alias champion set to version 1 in MLflow; it pointed at version 2." in output.out
    assert aliases(proposed) == {"champion": "1"}


@pytest.mark.slow
def test_last_verified_version_is_champion_while_main_is_held(at_stage: Callable[[str], Project]) -> None:
    """A hold in the ledger takes effect before a pull request is reviewed."""
    project = at_stage("promoted")
    first = load_record(project.root, "production", "main")
    project.improve()
    project.commit()
    project.promote()
    second = load_record(project.root, "production", "main")
    assert first is not None
    assert second is not None
    branch, now = Branch(config.find_repository(project.root)), datetime.now(UTC)
    append_facts(branch, Verified(environment="production", digest=first.digest, at=now, by="t"))
    append_facts(branch, Held(environment="production", digest=second.digest, at=now, by="t", why="it failed"))
    project.must("reconcile")
    assert aliases(project) == {"champion": "1"}


@pytest.mark.slow
def test_reverted_merge_restores_earlier_champion(at_stage: Callable[[str], Project]) -> None:
    """A revert of the merge is a promotion of the earlier version; history keeps all three changes."""
    project = at_stage("promoted")
    project.record_verification()
    project.improve()
    project.commit()
    project.promote()
    project.must("reconcile")
    assert aliases(project) == {"champion": "1"}
    project.record_verification()
    project.must("reconcile")
    assert aliases(project) == {"champion": "2"}
    project.git("revert", "--no-edit", "--mainline", "1", "HEAD")
    project.must("reconcile")
    assert aliases(project) == {"champion": "1"}
    entries = load_history(project.root, "production", "main")
    assert [entry.record.version for entry in entries if entry.record] == ["1", "2", "1"]


@pytest.mark.slow
def test_removing_the_record_leaves_no_champion(at_stage: Callable[[str], Project]) -> None:
    """The alias is removed with the record, and the next version is judged without a champion."""
    project = at_stage("promoted")
    project.record_verification()
    project.must("reconcile")
    project.git("rm", "--quiet", "registry/production.json")
    project.commit()
    project.must("reconcile")
    assert aliases(project) == {}
    assert "the record was removed" in project.must("history").out
    assert project.must("compare").outputs["verdict"] == "promote"


def test_registry_that_contradicts_record_is_error(proposed: Project) -> None:
    """A version with another digest than the record gets no alias."""
    proposed.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    proposed.record_verification()
    model_store = store.connect(config.find_repository(proposed.root))
    model_store.write(
        "Change by hand", lambda client: client.set_model_version_tag("sample", "1", versions.DIGEST, "sha256:0")
    )
    result = proposed.gitops("reconcile")
    assert result.code == 11
    assert "No alias was moved" in result.err


@pytest.mark.slow
def test_history_shows_both_champions(at_stage: Callable[[str], Project]) -> None:
    """History lists the newest champion first, with its release."""
    project = at_stage("promoted")
    project.improve()
    project.commit()
    project.promote()
    output = project.must("history").out
    assert output.index("1.1.0") < output.index("1.0.0")
