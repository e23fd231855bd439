"""What evidence is bound to: which changes of main it notices, and which it does not."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitops_ml import config, git
from gitops_ml.bound import BEHAVIOUR, COPIED_BEHAVIOUR, Bound, bound, listed, uncommitted
from gitops_ml.errors import ConfigError
from gitops_ml.registry.expiry import at_merge, today
from gitops_ml.registry.ledger import AnyFact
from gitops_ml.registry.record import history, parse, read
from unit.facts import held, verified
from unit.sample import Project

Change = Callable[[Project], None]
# What 0.1 itself made of this model.toml: split, training tables, gates.
OLD = (
    "sha256:20b52ad50830f9f5b9f0ad89ffc76db67d900ec59fe4158ea2161ce402671de1",
    "sha256:179d98256fc70d2ccea7aa9a993c9972912219b3545e737a0c5fec7027e8b284",
    "sha256:d1c2b6e7eb83d810b7070ca470fadd98d47123ff6e7c2a34c778ad15dd5bb536",
)
EVALUATION = '[evaluation]\nmetric = "roc_auc"'
NOTICED: dict[str, tuple[Change, str]] = {
    "data": (lambda p: p.edit("data/rows.csv", "id", "key"), "the data"),
    "no data": (lambda p: (p.root / "data/rows.csv").unlink(), "the data"),
    "a split": (lambda p: p.edit("model.toml", "holdout = 0.4", "holdout = 0.3"), "the split"),
    "code": (lambda p: p.improve(), "your package"),
    "another file of code": (lambda p: p.write("src/sample/more.py", ""), "your package"),
    "a seed": (lambda p: p.edit("model.toml", "[evaluation]", "[training]\nseed = 9\n[evaluation]"),
               "the training tables"),
    "the lock": (lambda p: p.write("requirements/train.txt", "numpy==2.0.0\n"), "the lock"),
    "a floor": (lambda p: p.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.5"), "the gates"),
    "the metric": (lambda p: p.edit("model.toml", EVALUATION, '[evaluation]\nmetric = "accuracy"'), "the gates"),
    # Digests are made of the keys as they are written.
    "a default that is written": (lambda p: p.edit("model.toml", "resamples =", "confidence = 0.95\nresamples ="),
                                  "the gates"),
    "behaviour tests": (lambda p: p.write(BEHAVIOUR, "one"), "behaviour.py"),
    "the positive label": (lambda p: p.edit("model.toml", 'positive = "yes"', 'positive = "no"'),
                           "the training tables and the gates"),
}  # fmt: skip
QUIET: dict[str, Change] = {
    "words": lambda p: p.write("README.md", "words"),
    "a comment": lambda p: p.edit("model.toml", "[evaluation]", "# what decides\n[evaluation]"),
    "a place": lambda p: p.edit("model.toml", "[project]", "[targets.production]\nport = 9000\n[project]"),
    "a record": lambda p: p.write("registry/production.json", "{}"),
    "another test": lambda p: p.write("tests/test_more.py", ""),
    "the library": lambda p: p.vendor(),
}


def at_head(project: Project, champion: str | None = None) -> Bound:
    """What evidence would be bound to that is gathered at HEAD."""
    return bound(project.root, "HEAD", champion)


@pytest.mark.parametrize(("change", "words"), NOTICED.values(), ids=NOTICED)
def test_a_change_of_what_decides_is_named(project: Project, change: Change, words: str) -> None:
    """Each part has its word."""
    before = at_head(project)
    change(project)
    assert before.changed(at_head(project)) == "", "what is not committed does not count"
    project.commit()
    assert before.changed(at_head(project)) == words


@pytest.mark.parametrize("change", QUIET.values(), ids=QUIET)
def test_other_changes_are_not_noticed(project: Project, change: Change) -> None:
    """A reviewer is not asked again for them."""
    before = at_head(project)
    change(project)
    project.commit()
    assert at_head(project) == before


def test_another_champion_is_noticed(project: Project) -> None:
    """The gain was measured over the one of then."""
    assert at_head(project, "a").changed(at_head(project, "b")) == "the champion"
    assert at_head(project, "a").changed(at_head(project)) == "the champion"


def test_what_a_data_file_is_called_does_not_matter(project: Project) -> None:
    """As for the training digest, content decides; a glob finds the same files."""
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
    assert before.changed(at_head(project)) == "the data"


def test_a_checkout_of_one_commit_says_the_same(project: Project, tmp_path: Path) -> None:
    """A job has no history, and after a refresh no content that it has not asked for."""
    project.git("config", "uploadpack.allowFilter", "true")
    project.improve()
    project.commit()
    project.git("clone", "--quiet", "--depth=1", f"file://{project.root}", str(tmp_path / "job"))
    assert bound(tmp_path / "job", "HEAD", None) == at_head(project)
    git.refresh(tmp_path / "job")
    for revision in ("HEAD", "refs/remotes/origin/main~1"):
        there = project.git("rev-parse", revision.replace("refs/remotes/origin/main", "main"))
        assert bound(tmp_path / "job", revision, None) == bound(project.root, there, None)


def test_rows_of_a_query_cannot_be_told(project: Project) -> None:
    """They are left out; all else still counts."""
    project.edit("model.toml", 'path = "data/rows.csv"', 'query = "SELECT 1"')
    project.commit()
    before = at_head(project)
    assert before.data is None
    project.improve()
    project.commit()
    assert before.changed(at_head(project)) == "your package"


def test_several_changes_make_one_sentence() -> None:
    """As people list things."""
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_a_revision_without_a_configuration_is_a_sentence(project: Project) -> None:
    """Nothing can be told of it."""
    project.git("rm", "--quiet", "model.toml")
    project.commit()
    with pytest.raises(ConfigError, match=r"HEAD has no model\.toml"):
        at_head(project)


def test_only_what_evidence_rests_on_must_be_committed(project: Project) -> None:
    """Notes may lie about."""
    repository = config.find(project.root)
    project.write("NOTES.md", "words")
    assert not uncommitted(repository)
    project.write("src/sample/more.py", "")
    assert uncommitted(repository)
    project.commit()
    assert not uncommitted(repository)


def test_evidence_from_uncommitted_files_promotes_nothing(at_stage: Callable[[str], Project]) -> None:
    """Nobody else could see by which gates it was judged."""
    project = at_stage("registered")
    project.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.1")
    assert "not committed" in project.must("compare").err
    refused = project.gitops("promote", "--local")
    assert (refused.code, "not committed" in refused.err) == (6, True)
    assert project.git("branch", "--list", "promote/production") == ""


@pytest.mark.slow
def test_a_comparison_by_other_gates_is_out_of_date(at_stage: Callable[[str], Project]) -> None:
    """The sentence names what changed."""
    project = at_stage("compared")
    project.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.5")
    project.commit()
    stale = project.gitops("promote", "--local")
    assert (stale.code, "the gates changed since" in stale.err) == (3, True)
    project.must("compare")
    project.must("promote", "--local")


def test_the_record_says_what_its_evidence_is_bound_to(at_stage: Callable[[str], Project]) -> None:
    """And the merge leaves it true."""
    project = at_stage("promoted")
    record = read(project.root, "production", "main")
    assert record is not None
    assert record.evidence == at_head(project)
    assert at_merge(project.root, history(project.root, "production", "main"), []) == ""
    assert record.evidence.changed(today(project.root, "production", [])) == "the champion"


def test_an_older_record_is_bound_to_nothing(at_stage: Callable[[str], Project]) -> None:
    """It is read, and treated as before."""
    project = at_stage("promoted")
    old = json.loads((project.root / "registry/production.json").read_text())
    del old["evidence"]
    project.write("registry/production.json", json.dumps(old))
    project.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.5")
    project.commit()
    assert parse(json.dumps(old), "there").evidence is None
    assert at_merge(project.root, history(project.root, "production", "main"), []) == ""


def test_what_changed_before_the_merge_is_found_afterwards(at_stage: Callable[[str], Project]) -> None:
    """Also when main has gone on since."""
    project = at_stage("proposed")
    project.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.5")
    project.commit()
    project.git("merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    project.edit("model.toml", "roc_auc = 0.5", "roc_auc = 0.6")
    project.commit()
    assert at_merge(project.root, history(project.root, "production", "main"), []) == "the gates"


def test_a_configuration_that_cannot_be_read_at_the_merge_counts_as_changed(
    at_stage: Callable[[str], Project],
) -> None:
    """Nobody can tell by which gates it would have been judged."""
    project = at_stage("proposed")
    project.edit("model.toml", "[evaluation]", "[evaluatoin]")
    project.commit()
    project.git("merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    assert "model.toml" in at_merge(project.root, history(project.root, "production", "main"), [])


@pytest.mark.slow
def test_the_champion_of_a_merge_is_the_one_before_it(at_stage: Callable[[str], Project]) -> None:
    """By the ledger of then: what was held later was champion when it counted."""
    project = at_stage("promoted")
    project.improve()
    project.commit()
    project.promote()
    entries = history(project.root, "production", "main")
    first = entries[1].record
    assert first is not None
    hold = held(1).model_copy(update={"digest": first.digest})

    def found(hours: int) -> str:
        facts: list[AnyFact] = [hold.model_copy(update={"at": datetime.now(UTC) + timedelta(hours=hours)})]
        return at_merge(project.root, entries, facts)

    assert found(1) == ""
    assert found(-1) == "the champion"
    assert at_merge(project.root, entries, [verified(1).model_copy(update={"digest": first.digest})]) == ""


class NewerGates(config.Gates):
    """[gates] as a newer version may know it: with one more key, which has a default."""

    novelty: float = 0.5


class NewerConfig(config.Config):
    """model.toml as a newer version may know it."""

    gates: NewerGates = NewerGates()


def test_a_newer_version_with_one_more_key_makes_the_same_digests(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what evidence is bound to nor the training digest changes by an update of the library."""

    def lineage() -> tuple[str, str]:
        made = project.root / ".gitops" / "run" / "run.json"
        project.must("train", "--force")
        found = json.loads(made.read_text())["lineage"]
        return found["training"], found["configuration"]

    before, trained = at_head(project), lineage()
    monkeypatch.setattr(config, "Config", NewerConfig)
    assert hasattr(config.find(project.root).config.gates, "novelty")
    assert at_head(project) == before
    assert lineage() == trained


def test_evidence_of_0_1_is_compared_by_the_digests_of_0_1(project: Project) -> None:
    """Digests that 0.1 wrote into the record of such a repository, with every default filled in."""
    project.write(COPIED_BEHAVIOUR, "one")
    project.commit()
    then = bound(project.root, "HEAD", None, scheme=1)
    assert (then.split, then.training, then.gates) == OLD
    assert then.behaviour is not None
    assert (
        then.changed(bound(project.root, "HEAD", None)) == "the split, the training tables, the gates and behaviour.py"
    )
