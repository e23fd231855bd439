"""Inputs of evidence: changes of main that expire evidence, and changes that do not."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitops_ml import config, git
from gitops_ml.errors import ConfigError
from gitops_ml.evidence_inputs import (
    BEHAVIOUR,
    COPIED_BEHAVIOUR,
    EvidenceInputs,
    collect_evidence_inputs,
    has_uncommitted_inputs,
    join_phrases,
)
from gitops_ml.registry.evidence_expiry import changes_at_merge, current_evidence_inputs
from gitops_ml.registry.ledger import AnyFact
from gitops_ml.registry.record import load_history, load_record, parse_record
from unit.facts import held, verified
from unit.sample import Project

Change = Callable[[Project], None]
# Digests of 0.1 for this model.toml: split, training settings, gates.
OLD = (
    "sha256:20b52ad50830f9f5b9f0ad89ffc76db67d900ec59fe4158ea2161ce402671de1",
    "sha256:179d98256fc70d2ccea7aa9a993c9972912219b3545e737a0c5fec7027e8b284",
    "sha256:d1c2b6e7eb83d810b7070ca470fadd98d47123ff6e7c2a34c778ad15dd5bb536",
)
EVALUATION = '[evaluation]\nmetric = "roc_auc"'
EXPIRING: dict[str, tuple[Change, str]] = {
    "data": (lambda p: p.edit("data/rows.csv", "id", "key"), "the data"),
    "no data": (lambda p: (p.root / "data/rows.csv").unlink(), "the data"),
    "a split": (lambda p: p.edit("model.toml", "holdout = 0.4", "holdout = 0.3"), "the split"),
    "code": (lambda p: p.improve(), "your package"),
    "another file of code": (lambda p: p.write("src/sample/more.py", ""), "your package"),
    "a seed": (lambda p: p.edit("model.toml", "[evaluation]", "[training]\nseed = 9\n[evaluation]"),
               "the training settings"),
    "the lock": (lambda p: p.write("requirements/train.txt", "numpy==2.0.0\n"), "the lock"),
    "a floor": (lambda p: p.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.5"), "the gates"),
    "the metric": (lambda p: p.edit("model.toml", EVALUATION, '[evaluation]\nmetric = "accuracy"'), "the gates"),
    # Digests are computed from the keys as they are written.
    "a default that is written": (lambda p: p.edit("model.toml", "resamples =", "confidence = 0.95\nresamples ="),
                                  "the gates"),
    "behaviour tests": (lambda p: p.write(BEHAVIOUR, "one"), "behaviour.py"),
    "the positive label": (lambda p: p.edit("model.toml", 'positive = "yes"', 'positive = "no"'),
                           "the training settings and the gates"),
}  # fmt: skip
HARMLESS: dict[str, Change] = {
    "a text": lambda p: p.write("README.md", "text"),
    "a comment": lambda p: p.edit("model.toml", "[evaluation]", "# what decides\n[evaluation]"),
    "a target": lambda p: p.edit("model.toml", "[project]", "[targets.production]\nport = 9000\n[project]"),
    "a record": lambda p: p.write("registry/production.json", "{}"),
    "another test": lambda p: p.write("tests/test_more.py", ""),
    "the library": lambda p: p.vendor(),
}


def at_head(project: Project, champion: str | None = None) -> EvidenceInputs:
    """Return the inputs of evidence that is gathered at HEAD."""
    return collect_evidence_inputs(project.root, "HEAD", champion)


@pytest.mark.parametrize(("change", "phrase"), EXPIRING.values(), ids=EXPIRING)
def test_a_change_of_an_input_is_named(project: Project, change: Change, phrase: str) -> None:
    """Each part has a phrase of its own."""
    before = at_head(project)
    change(project)
    assert before.describe_changes(at_head(project)) == "", "uncommitted changes do not count"
    project.commit()
    assert before.describe_changes(at_head(project)) == phrase


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_other_changes_expire_nothing(project: Project, change: Change) -> None:
    """They need no new review."""
    before = at_head(project)
    change(project)
    project.commit()
    assert at_head(project) == before


def test_a_new_champion_expires_evidence(project: Project) -> None:
    """The gain was measured against the former champion."""
    assert at_head(project, "a").describe_changes(at_head(project, "b")) == "the champion"
    assert at_head(project, "a").describe_changes(at_head(project)) == "the champion"


def test_the_name_of_a_data_file_does_not_matter(project: Project) -> None:
    """Content decides, as in the training digest; a glob matches the same files."""
    before = at_head(project)
    project.git("mv", "data/rows.csv", "data/all.csv")
    project.edit("model.toml", '"data/rows.csv"', '"data/*.csv"')
    project.commit()
    assert at_head(project) == before
    project.write("data/deeper/more.csv", "id\n")
    project.commit()
    assert at_head(project) == before
    project.write("data/more.csv", "id\n")
    project.commit()
    assert before.describe_changes(at_head(project)) == "the data"


def test_a_shallow_clone_has_the_same_inputs(project: Project, tmp_path: Path) -> None:
    """A job has no history, and after a fetch only the content that it has requested."""
    project.git("config", "uploadpack.allowFilter", "true")
    project.improve()
    project.commit()
    project.git("clone", "--quiet", "--depth=1", f"file://{project.root}", str(tmp_path / "job"))
    assert collect_evidence_inputs(tmp_path / "job", "HEAD", None) == at_head(project)
    git.fetch_branches(tmp_path / "job")
    for revision in ("HEAD", "refs/remotes/origin/main~1"):
        commit = project.git("rev-parse", revision.replace("refs/remotes/origin/main", "main"))
        expected = collect_evidence_inputs(project.root, commit, None)
        assert collect_evidence_inputs(tmp_path / "job", revision, None) == expected


def test_rows_of_a_query_are_left_out(project: Project) -> None:
    """The other inputs still count."""
    project.edit("model.toml", 'path = "data/rows.csv"', 'query = "SELECT 1"')
    project.commit()
    before = at_head(project)
    assert before.data is None
    project.improve()
    project.commit()
    assert before.describe_changes(at_head(project)) == "your package"


def test_phrases_are_joined_to_an_enumeration() -> None:
    """None, one, two and three phrases."""
    phrases: tuple[list[str], ...] = ([], ["a"], ["a", "b"], ["a", "b", "c"])
    assert [join_phrases(each) for each in phrases] == ["", "a", "a and b", "a, b and c"]


def test_a_revision_without_model_toml_is_an_error(project: Project) -> None:
    """The message names the revision."""
    project.git("rm", "--quiet", "model.toml")
    project.commit()
    with pytest.raises(ConfigError, match=r"HEAD has no model\.toml"):
        at_head(project)


def test_only_inputs_must_be_committed(project: Project) -> None:
    """Other files may be uncommitted."""
    repository = config.find_repository(project.root)
    project.write("NOTES.md", "text")
    assert not has_uncommitted_inputs(repository)
    project.write("src/sample/more.py", "")
    assert has_uncommitted_inputs(repository)
    project.commit()
    assert not has_uncommitted_inputs(repository)


@pytest.mark.slow
def test_evidence_from_uncommitted_files_promotes_nothing(at_stage: Callable[[str], Project]) -> None:
    """Other clones do not have the gates that judged the version."""
    project = at_stage("registered")
    project.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.1")
    assert "not committed" in project.must("compare").err
    refused = project.gitops("promote", "--local")
    assert (refused.code, "not committed" in refused.err) == (6, True)
    assert project.git("branch", "--list", "promote/production") == ""


@pytest.mark.slow
def test_a_comparison_by_other_gates_is_out_of_date(at_stage: Callable[[str], Project]) -> None:
    """The message names the changed part."""
    project = at_stage("compared")
    project.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.5")
    project.commit()
    outdated = project.gitops("promote", "--local")
    assert (outdated.code, "the gates changed since" in outdated.err) == (3, True)
    project.must("compare")
    project.must("promote", "--local")


def test_the_record_has_the_inputs_of_its_evidence(at_stage: Callable[[str], Project]) -> None:
    """They are still true after the merge."""
    project = at_stage("promoted")
    record = load_record(project.root, "production", "main")
    assert record is not None
    assert record.evidence == at_head(project)
    assert changes_at_merge(project.root, load_history(project.root, "production", "main"), []) == ""
    assert record.evidence.describe_changes(current_evidence_inputs(project.root, "production", [])) == "the champion"


def test_an_older_record_has_no_inputs(at_stage: Callable[[str], Project]) -> None:
    """It is valid, and its evidence does not expire."""
    project = at_stage("promoted")
    old = json.loads((project.root / "registry/production.json").read_text())
    del old["evidence"]
    project.write("registry/production.json", json.dumps(old))
    project.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.5")
    project.commit()
    assert parse_record(json.dumps(old), "there").evidence is None
    assert changes_at_merge(project.root, load_history(project.root, "production", "main"), []) == ""


def test_a_change_before_the_merge_is_found_afterwards(at_stage: Callable[[str], Project]) -> None:
    """Later commits on main do not hide it."""
    project = at_stage("proposed")
    project.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.5")
    project.commit()
    project.git("merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    project.edit("model.toml", "roc_auc = 0.5", "roc_auc = 0.6")
    project.commit()
    assert changes_at_merge(project.root, load_history(project.root, "production", "main"), []) == "the gates"


def test_an_invalid_configuration_at_the_merge_counts_as_changed(at_stage: Callable[[str], Project]) -> None:
    """The gates at the merge are unknown."""
    project = at_stage("proposed")
    project.edit("model.toml", "[evaluation]", "[evaluatoin]")
    project.commit()
    project.git("merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    assert "model.toml" in changes_at_merge(project.root, load_history(project.root, "production", "main"), [])


@pytest.mark.slow
def test_the_champion_of_a_merge_is_the_one_before_it(at_stage: Callable[[str], Project]) -> None:
    """Facts of the ledger count from their time: a version that was held later was champion at the merge."""
    project = at_stage("promoted")
    project.improve()
    project.commit()
    project.promote()
    entries = load_history(project.root, "production", "main")
    first = entries[1].record
    assert first is not None
    hold = held(1).model_copy(update={"digest": first.digest})

    def changes(hours: int) -> str:
        facts: list[AnyFact] = [hold.model_copy(update={"at": datetime.now(UTC) + timedelta(hours=hours)})]
        return changes_at_merge(project.root, entries, facts)

    assert changes(1) == ""
    assert changes(-1) == "the champion"
    assert changes_at_merge(project.root, entries, [verified(1).model_copy(update={"digest": first.digest})]) == ""


class NewerGates(config.GatesConfig):
    """[gates] of a newer version: with one more key, which has a default."""

    novelty: float = 0.5


class NewerConfig(config.Config):
    """model.toml of a newer version."""

    gates: NewerGates = NewerGates()


def test_a_newer_version_with_one_more_key_makes_the_same_digests(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update of the library changes neither the inputs of evidence nor the training digest."""

    def lineage() -> tuple[str, str]:
        file = project.root / ".gitops" / "run" / "run.json"
        project.must("train", "--force")
        document = json.loads(file.read_text())["lineage"]
        return document["training"], document["configuration"]

    before, trained = at_head(project), lineage()
    monkeypatch.setattr(config, "Config", NewerConfig)
    assert hasattr(config.find_repository(project.root).config.gates, "novelty")
    assert at_head(project) == before
    assert lineage() == trained


def test_evidence_of_0_1_is_compared_by_the_digests_of_0_1(project: Project) -> None:
    """Digests that 0.1 wrote to the record of such a repository, with every default filled in."""
    project.write(COPIED_BEHAVIOUR, "one")
    project.commit()
    old = collect_evidence_inputs(project.root, "HEAD", None, scheme=1)
    assert (old.split, old.training, old.gates) == OLD
    assert old.behaviour is not None
    changes = old.describe_changes(collect_evidence_inputs(project.root, "HEAD", None))
    assert changes == "the split, the training settings, the gates and behaviour.py"


def test_declarations_about_cells_are_training_inputs(project: Project) -> None:
    """The same file has other rows then; without a declaration the digest is that of before."""
    before = collect_evidence_inputs(project.root, "HEAD", None).training
    project.edit("model.toml", "[split]", 'missing = ["", "NA"]\n\n[split]')
    project.commit()
    assert collect_evidence_inputs(project.root, "HEAD", None).training != before
