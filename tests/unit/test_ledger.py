"""The ledger, and what record and ledger together want to run."""

from datetime import timedelta
from pathlib import Path

import pytest

from gitops_ml import config
from gitops_ml.errors import IntegrityError
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.ledger import (
    FILE,
    Fact,
    Lifted,
    append,
    in_force,
    is_held,
    is_newest,
    is_verified,
    lifted,
    lifted_path,
    read,
    wanted,
)
from gitops_ml.registry.record import Entry
from unit.facts import NOW, entry, expired, held, override, record, verified
from unit.sample import Project

MAIN = [entry(3, -1), entry(2, -2), entry(1, -3)]


CASES: dict[str, tuple[list[Fact], str | None]] = {
    "no facts: main": ([], "3"),
    "main verified: main": ([verified(3)], "3"),
    "main held, none verified: nothing may run": ([held(3)], None),
    "main held: the last verified": ([verified(1), verified(2), held(3)], "2"),
    "main held, the last verified held too": ([verified(1), verified(2), held(3), held(2)], "1"),
    "a hold elsewhere does not count": ([held(3, "staging")], "3"),
    "a verification elsewhere does not count": ([verified(2, "staging"), held(3)], None),
    "main expired: the last verified": ([verified(1), verified(2), expired("c")], "2"),
    "main expired, none verified: nothing may run": ([expired("c")], None),
    "another merge expired: main": ([verified(1), expired("d")], "3"),
    "an override wins over what expired": ([expired("c"), verified(2), override(1, 2)], "1"),
    "an unexpired override wins": ([override(1, 2)], "1"),
    "an override wins over a hold": ([held(3), verified(2), override(1, 2)], "1"),
    "an expired override does not count": ([override(1, -1)], "3"),
    "the newest override wins": ([override(1, 2), override(2, 2)], "2"),
    "an override of something that never was on main": ([override(9, 2)], "3"),
    "an override of what is held by now": ([verified(2), override(1, 2), held(1)], "3"),
}


@pytest.mark.parametrize(("facts", "version"), CASES.values(), ids=CASES)
def test_record_and_ledger_want_one_version(facts: list[Fact], version: str | None) -> None:
    """The newest record on main that is not held, or else the last verified one; an override wins."""
    found = wanted(MAIN, facts, NOW)
    assert (found.version if found else None) == version


def test_without_a_record_nothing_is_wanted() -> None:
    """Before the first promotion nothing may run."""
    assert wanted([], [verified(1)], NOW) is None


def test_an_override_ends_when_main_says_the_same() -> None:
    """From the merge on, main counts again: also when it moves on while the override's time is not over."""
    rolled_back = [entry(1, 1), *MAIN]
    onward = [entry(4, 2), *rolled_back]
    facts = [override(1, 24 * 7)]
    found = [wanted(entries, facts, NOW) for entries in (MAIN, rolled_back, onward)]
    assert found == [record(1), record(1), record(4)]


def test_a_removed_record_wants_nothing() -> None:
    """To start over is to start over, whatever was verified before."""
    removed = Entry("c", NOW.isoformat(), "Ada", None)
    assert wanted([removed, *MAIN], [verified(2)], NOW) is None


def test_only_what_people_lifted_is_lifted() -> None:
    """A hold that is written later, on the same digest, is another hold."""
    first, second = held(3), held(3).model_copy(update={"at": NOW + timedelta(days=1)})
    end = Lifted(environment="production", digest="3333", at=first.at, why="it was the network")
    assert wanted(MAIN, in_force([verified(2), first], [end]), NOW) == record(3)
    assert is_held(in_force([first, second], [end]), "production", "3333")


def test_a_lift_is_a_file_on_main(project: Project) -> None:
    """What is written is read back, and two at a time are in no way of each other; a broken one is refused by name."""
    ends = [Lifted(environment="production", digest=str(number) * 4, at=NOW, why="words") for number in (2, 3)]
    for end in ends:
        project.git("switch", "--quiet", "--create", f"lift-{end.digest}", "main")
        project.write(lifted_path(end), end.to_json())
        project.commit()
    project.git("switch", "--quiet", "main")
    for end in ends:
        project.git("merge", "--quiet", "--no-ff", "--no-edit", f"lift-{end.digest}")
    assert lifted(project.root, "HEAD") == ends
    assert lifted(project.root, "no-such-revision") == []
    project.write(lifted_path(ends[0]), "{}")
    project.commit()
    with pytest.raises(IntegrityError, match=r"registry/lifted/production-2222-20260601T000000Z.json at HEAD: envir"):
        lifted(project.root, "HEAD")


def test_a_verification_is_for_one_image() -> None:
    """The same version in another image has to be heard again."""
    other = record(3).model_copy(update={"image": "r@sha256:1"})
    assert (is_verified([verified(3)], record(3)), is_verified([verified(3)], other)) == (True, False)


def test_what_was_verified_last_in_a_place_counts() -> None:
    """After another version its image has to be published again; a hold or an override publishes nothing."""
    elsewhere = verified(2, "staging")
    assert is_newest([verified(3), elsewhere], record(3))
    assert is_newest([verified(3), held(4), override(3, 2)], record(3))
    assert is_newest([verified(3), expired("c")], record(3)), "what expired never came up"
    assert not is_newest([verified(3), verified(2)], record(3))
    assert is_newest([verified(3), verified(2), verified(3)], record(3))
    assert not is_newest([], record(3))


def test_the_ledger_keeps_facts_in_order_and_each_once(project: Project) -> None:
    """Appending the same fact twice is appending it once."""
    branch = Branch(config.find(project.root))
    for fact in (verified(1), held(2), verified(1), expired("c")):
        append(branch, fact)
    branch.refresh()
    assert read(branch.root) == [verified(1), held(2), expired("c")]


def test_a_line_that_is_no_fact_is_refused_with_its_number(tmp_path: Path) -> None:
    """The ledger is trusted, so a damaged one stops everything."""
    (tmp_path / FILE).write_text(verified(1).model_dump_json() + '\n{"kind": "held"}\n')
    with pytest.raises(IntegrityError, match="line 2"):
        read(tmp_path)
