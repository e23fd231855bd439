"""A record must be true: records that say something else than their file, the repository or the pinned files."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from gitops_ml import config
from gitops_ml.errors import IntegrityError
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.ledger import Held, append_facts
from gitops_ml.registry.record import Record, load_history, load_record, record_path
from unit.sample import Project

PATH = record_path("production")


@pytest.fixture
def promoted(at_stage: Callable[[str], Project]) -> Project:
    """The project with version 1 on main, not deployed yet."""
    return at_stage("promoted")


def read(project: Project, revision: str = "HEAD") -> Record:
    """Return the record of production."""
    found = load_record(project.root, "production", revision)
    assert found
    return found


def forge(project: Project, **changes: object) -> None:
    """Change keys of the record by hand and commit it to main."""
    document = Record.model_validate(read(project).model_dump() | changes)
    project.write(PATH, document.to_json())
    project.commit("Tidy up")


FOREIGN = {
    "another spelling of the environment": ({"environment": "Production"}, "'Production'"),
    "another environment": ({"environment": "staging"}, "'staging'"),
    "another model": ({"model": "other"}, "'other'"),
}


@pytest.mark.parametrize(("changes", "value"), FOREIGN.values(), ids=FOREIGN)
def test_a_record_of_something_else_is_refused(promoted: Project, changes: dict[str, str], value: str) -> None:
    """Environment and model of a record are those of its file and of its repository, wherever a record is read."""
    forge(promoted, **changes)
    for read_records in (load_record, load_history):
        with pytest.raises(IntegrityError, match=f"{PATH} at .*{value}"):
            read_records(promoted.root, "production", "HEAD")
    for command in (["deploy"], ["reconcile"], ["history"], ["status"], ["review"], ["rollback", "--why", "trouble"]):
        refused = promoted.gitops(*command)
        assert (refused.code, value in refused.err) == (11, True), (command, refused)


def test_one_changed_word_does_not_end_a_hold(promoted: Project) -> None:
    """A held version does not serve because its record calls the environment by another name."""
    hold = Held(environment="production", digest=read(promoted).digest, at=datetime.now(UTC), by="Ada", why="wrong")
    append_facts(Branch(config.find_repository(promoted.root)), hold)
    forge(promoted, environment="Production")
    refused = promoted.gitops("deploy")
    assert refused.code == 11
    assert "verified" not in refused.out


def test_a_repaired_record_ends_the_refusal(promoted: Project) -> None:
    """A false record in the history of main is never restored; it blocks nothing after main has a true one."""
    first = read(promoted)
    forge(promoted, environment="Production")
    promoted.git("revert", "--no-edit", "HEAD")
    assert [entry.record for entry in load_history(promoted.root, "production", "HEAD")] == [first, first]


def test_a_renamed_model_keeps_its_history(promoted: Project) -> None:
    """Each record is compared with model.toml as it was when the record was merged."""
    first = read(promoted)
    promoted.edit("model.toml", 'name = "sample"', 'name = "renamed"')
    promoted.commit()
    assert [entry.record for entry in load_history(promoted.root, "production", "HEAD")] == [first]
    assert read(promoted) == first


CONTRADICTIONS = {
    "the commit of another branch": ("lineage.commit", lambda project: project.git("rev-parse", "unmerged")),
    "other data": ("lineage.data", lambda _: f"sha256:{'0' * 64}"),
    "another lock": ("lineage.lock", lambda _: f"sha256:{'0' * 64}"),
    "other columns": ("columns", lambda _: {"x1": "float64"}),
    "other labels": ("classes", lambda _: ("yes", "no")),
    "another run": ("run", lambda _: "0" * 32),
    "a version that the store does not have": ("version", lambda _: "9"),
}


@pytest.mark.parametrize(("key", "value"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_record_that_contradicts_its_files_is_refused(
    promoted: Project, key: str, value: Callable[[Project], object]
) -> None:
    """What the digest pins is believed, and nothing that the record says beside it."""
    promoted.git("branch", "unmerged", promoted.git("commit-tree", "-m", "A back door", "HEAD^{tree}"))
    promoted.record_verification()
    lineage, _, name = key.rpartition(".")
    changed = {name: value(promoted)}
    forge(promoted, **({"lineage": read(promoted).lineage.model_dump() | changed} if lineage else changed))
    for command in ("deploy", "reconcile", "review", "compare"):
        refused = promoted.gitops(command)
        assert (refused.code, f"{key} " in refused.err or f"{key}:" in refused.err) == (11, True), (command, refused)
