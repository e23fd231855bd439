"""The ledger, and the desired record that follows from the record on main and the ledger."""

from datetime import timedelta
from pathlib import Path

import pytest

from gitops_ml import config
from gitops_ml.errors import IntegrityError
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.ledger import (
    FILE,
    Fact,
    LiftedHold,
    append_facts,
    desired_record,
    is_held,
    is_latest_verification,
    is_verified,
    lifted_hold_path,
    load_facts,
    load_lifted_holds,
    without_lifted_holds,
)
from gitops_ml.registry.record import HistoryEntry
from unit.facts import NOW, entry, expired, held, override, record, verified
from unit.sample import Project

MAIN = [entry(3, -1), entry(2, -2), entry(1, -3)]


CASES: dict[str, tuple[list[Fact], str | None]] = {
    "no facts: main": ([], "3"),
    "main verified: main": ([verified(3)], "3"),
    "main held, none verified: none": ([held(3)], None),
    "main held: the last verified": ([verified(1), verified(2), held(3)], "2"),
    "main held, the last verified held too": ([verified(1), verified(2), held(3), held(2)], "1"),
    "a hold in another environment does not count": ([held(3, "staging")], "3"),
    "a verification in another environment does not count": ([verified(2, "staging"), held(3)], None),
    "main expired: the last verified": ([verified(1), verified(2), expired("c")], "2"),
    "main expired, none verified: none": ([expired("c")], None),
    "another merge expired: main": ([verified(1), expired("d")], "3"),
    "an override wins over an expired merge": ([expired("c"), verified(2), override(1, 2)], "1"),
    "an override in force wins": ([override(1, 2)], "1"),
    "an override wins over a hold": ([held(3), verified(2), override(1, 2)], "1"),
    "an override that has ended does not count": ([override(1, -1)], "3"),
    "the newest override wins": ([override(1, 2), override(2, 2)], "2"),
    "an override of a version that was never on main": ([override(9, 2)], "3"),
    "an override of a version that is held": ([verified(2), override(1, 2), held(1)], "3"),
}


@pytest.mark.parametrize(("facts", "version"), CASES.values(), ids=CASES)
def test_main_and_ledger_give_one_desired_record(facts: list[Fact], version: str | None) -> None:
    """It is the newest record on main that is not held, or else the last verified one; an override wins."""
    desired = desired_record(MAIN, facts, NOW)
    assert (desired.version if desired else None) == version


def test_without_a_record_there_is_no_desired_record() -> None:
    """Before the first promotion no version may run."""
    assert desired_record([], [verified(1)], NOW) is None


def test_an_override_ends_when_main_names_its_version() -> None:
    """From that merge on main counts again, even if it changes again before the override's end."""
    rolled_back = [entry(1, 1), *MAIN]
    promoted_again = [entry(4, 2), *rolled_back]
    facts = [override(1, 24 * 7)]
    desired = [desired_record(entries, facts, NOW) for entries in (MAIN, rolled_back, promoted_again)]
    assert desired == [record(1), record(1), record(4)]


def test_with_a_removed_record_there_is_no_desired_record() -> None:
    """Earlier verifications do not count after the record was removed."""
    removed = HistoryEntry("c", NOW.isoformat(), "Ada", None)
    assert desired_record([removed, *MAIN], [verified(2)], NOW) is None


def test_only_the_lifted_hold_is_dropped() -> None:
    """A later hold on the same digest is another hold."""
    first, second = held(3), held(3).model_copy(update={"at": NOW + timedelta(days=1)})
    lifted = LiftedHold(environment="production", digest="3333", at=first.at, why="a network failure")
    assert desired_record(MAIN, without_lifted_holds([verified(2), first], [lifted]), NOW) == record(3)
    assert is_held(without_lifted_holds([first, second], [lifted]), "production", "3333")


def test_a_lifted_hold_is_a_file_on_main(project: Project) -> None:
    """Two lifted holds are two files, which can be merged in any order; a damaged file is refused by name."""
    lifted = [LiftedHold(environment="production", digest=str(number) * 4, at=NOW, why="text") for number in (2, 3)]
    for hold in lifted:
        project.git("switch", "--quiet", "--create", f"lift-{hold.digest}", "main")
        project.write(lifted_hold_path(hold), hold.to_json())
        project.commit()
    project.git("switch", "--quiet", "main")
    for hold in lifted:
        project.git("merge", "--quiet", "--no-ff", "--no-edit", f"lift-{hold.digest}")
    assert load_lifted_holds(project.root, "HEAD") == lifted
    assert load_lifted_holds(project.root, "no-such-revision") == []
    project.write(lifted_hold_path(lifted[0]), "{}")
    project.commit()
    with pytest.raises(IntegrityError, match=r"registry/lifted/production-2222-20260601T000000Z.json at HEAD: envir"):
        load_lifted_holds(project.root, "HEAD")


def test_a_verification_is_for_one_image() -> None:
    """The same version in another image must pass its smoke test again; a process has no image."""
    one, other = (record(3).model_copy(update={"image": f"r@sha256:{number}"}) for number in (1, 2))
    tested = verified(3).model_copy(update={"image": one.image})
    assert [is_verified([tested], each) for each in (one, other, record(3))] == [True, False, False]
    assert is_verified([verified(3)], one), "a process answered, whatever image the record names"
    assert not is_latest_verification([verified(3)], one), "the image must be published"


def test_the_last_verification_in_the_environment_counts() -> None:
    """After another version was verified, the image must be published again; a hold or an override publishes none."""
    in_staging = verified(2, "staging")
    assert is_latest_verification([verified(3), in_staging], record(3))
    assert is_latest_verification([verified(3), held(4), override(3, 2)], record(3))
    assert is_latest_verification([verified(3), expired("c")], record(3)), "an expired merge was never deployed"
    assert not is_latest_verification([verified(3), verified(2)], record(3))
    assert is_latest_verification([verified(3), verified(2), verified(3)], record(3))
    assert not is_latest_verification([], record(3))


def test_the_ledger_keeps_the_order_of_facts_without_duplicates(project: Project) -> None:
    """A fact that the ledger has already is not appended again."""
    branch = Branch(config.find_repository(project.root))
    for fact in (verified(1), held(2), verified(1), expired("c")):
        append_facts(branch, fact)
    branch.refresh()
    assert load_facts(branch.root) == [verified(1), held(2), expired("c")]


def test_an_invalid_line_is_refused_with_its_number(tmp_path: Path) -> None:
    """A damaged ledger stops every command, because its facts are trusted."""
    (tmp_path / FILE).write_text(verified(1).model_dump_json() + '\n{"kind": "held"}\n')
    with pytest.raises(IntegrityError, match="line 2 is not a valid entry"):
        load_facts(tmp_path)
