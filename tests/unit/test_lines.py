"""Lines of versions: what counts as promoted, what ends a line, and whose rules are protected."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gitops_ml.commands import find_champion
from gitops_ml.commands.compare import _find_protection
from gitops_ml.config import find_repository
from gitops_ml.errors import IntegrityError
from gitops_ml.registry import reconcile
from gitops_ml.registry.ledger import AnyFact
from gitops_ml.registry.lines import EndedLine, Line, load_ended_digests, load_line, next_ending_path
from gitops_ml.training.review import Review, review
from unit.facts import record, verified
from unit.sample import Project

Step = Callable[[Project], object]
RECORD, ENDED = "registry/production.json", "registry/ended/line-1.json"
ENDING = EndedLine(why="another table", versions={"production": "1"}).to_json()


def promote(number: int, environment: str = "production") -> Step:
    """Commit the record of a version."""

    def step(project: Project) -> None:
        project.write(f"registry/{environment}.json", record(number).to_json())
        project.commit()

    return step


def remove(path: str) -> Step:
    """Commit the removal of a file."""

    def step(project: Project) -> None:
        project.git("rm", "--quiet", path)
        project.commit()

    return step


def end(project: Project, path: str = ENDED) -> None:
    """Commit the end of the line, as the merge of `gitops start-over` does."""
    project.write(path, ENDING)
    project.commit()


def end_with_more(project: Project) -> None:
    """Commit the end of the line together with a lower floor."""
    loosen(project)
    end(project)


def loosen(project: Project) -> None:
    """Lower a floor, without a commit."""
    project.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.5")


def retrain(project: Project) -> None:
    """Change what is trained, without a commit."""
    project.edit("src/sample/features.py", '["x1"]', '["x1", "x2"]')


def rewrite_history(project: Project) -> None:
    """Make the present files the only commit of main."""
    project.git("rm", "--quiet", RECORD)
    tree = project.git("write-tree")
    project.git("reset", "--quiet", "--hard", project.git("commit-tree", tree, "-m", "again"))


def load(project: Project, facts: Sequence[AnyFact] = ()) -> Line:
    """Return the line on main."""
    return load_line(project.root, "main", facts)


# what happened on main, the ledger, and whether a version of the current line was ever promoted
HISTORIES: dict[str, tuple[tuple[Step, ...], tuple[AnyFact, ...], bool]] = {
    "no record": ((), (), False),
    "a record": ((promote(1),), (), True),
    "the record was deleted": ((promote(1), remove(RECORD)), (), True),
    "another environment's record, deleted": ((promote(1, "staging"), remove("registry/staging.json")), (), True),
    "the history was rewritten, and the ledger knows": ((promote(1), rewrite_history), (verified(1),), True),
    "the line was ended": ((promote(1), end), (verified(1),), False),
    "ended without a promotion": ((end,), (), False),
    "ended, then the next version": ((promote(1), end, promote(2)), (), True),
    "ended, then an earlier version again": ((promote(1), promote(2), end, promote(1)), (), False),
    "ended, and the record deleted": ((promote(1), end, remove(RECORD)), (), False),
    "ended together with other changes": ((promote(1), end_with_more), (), True),
    "the end was taken back": ((promote(1), end, remove(ENDED)), (), True),
    "ended twice": (
        (promote(1), end, promote(2), lambda project: end(project, "registry/ended/line-2.json")), (), False,
    ),
    "ended, promoted, and rolled back over the end": ((promote(1), end, promote(2), promote(1)), (), True),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "facts", "has_versions"), HISTORIES.values(), ids=HISTORIES)
def test_the_history_of_main_tells_whether_a_version_was_promoted(
    project: Project, steps: tuple[Step, ...], facts: tuple[AnyFact, ...], has_versions: bool
) -> None:
    """Files that were deleted count; only the reviewed end of the line, in a commit of its own, changes that."""
    for step in steps:
        step(project)
    assert load(project, facts).has_versions is has_versions


def test_a_shallow_clone_does_not_show_that_nothing_was_promoted(project: Project) -> None:
    """The missing history may have a record."""
    project.git("clone", "--quiet", "--depth", "1", f"file://{project.root}", "shallow")
    assert load(Project(project.root / "shallow")).has_versions


def test_versions_of_an_ended_line_are_no_champions(project: Project) -> None:
    """They serve, but challengers are not compared with them."""
    for step in (promote(1), promote(2), end, promote(3)):
        step(project)
    line = load(project)
    champions = [line.select_champion(record(number)) for number in (1, 2, 3)]
    assert [each.version if each else None for each in champions] == [None, None, "3"]
    assert line.begun_at == project.git("rev-parse", "HEAD")
    assert load_ended_digests(project.root, "HEAD") == {"1111", "2222"} == line.ended_digests
    assert load_ended_digests(project.root, "HEAD~2") == frozenset()


def test_an_end_that_is_no_record_of_one_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the command writes these files; the champion keeps serving."""
    monkeypatch.setattr(reconcile, "load_current_facts", lambda *_: ())
    promote(1)(project)
    project.write(ENDED, "{}")
    project.commit()
    with pytest.raises(IntegrityError, match=r"registry/ended/line-1.json at .*: why: Field required"):
        load(project)
    assert load_ended_digests(project.root, "HEAD") == {"1111"}
    store: Any = None
    champion = find_champion(find_repository(project.root), "production", store)
    assert champion is not None
    assert champion.version == "1"


def test_the_path_of_an_end_is_never_that_of_another(project: Project) -> None:
    """Also after a file was removed: only a commit that adds a file ends a line."""
    assert next_ending_path(project.root, "HEAD") == ENDED
    for step in (end, lambda project: end(project, "registry/ended/line-2.json"), remove(ENDED)):
        step(project)
    assert next_ending_path(project.root, "HEAD") == "registry/ended/line-3.json"


def review_push(project: Project, before: str | None) -> Review:
    """Return the review of the commit that is checked out, after a push."""
    return review(find_repository(project.root), before, None, _find_protection(load(project))).review


def push(project: Project, *changes: Step) -> Review:
    """Make changes, commit them together, and return the review of this push."""
    before = project.git("rev-parse", "HEAD")
    for change in changes:
        change(project)
    project.commit()
    return review_push(project, before)


FLOOR = ("floor.roc_auc: 0.6 → 0.5",)


def test_before_the_first_promotion_the_rules_of_the_commit_apply(project: Project) -> None:
    """The reviewer reads which rules these are."""
    reviewed = push(project, loosen, retrain)
    assert reviewed.together == ()
    assert reviewed.first is not None
    assert reviewed.first.startswith("No version was ever promoted, so there are no earlier rules to protect.")
    assert "Floors: roc_auc 0.5. Gates that are off: none." in reviewed.first


# what a saboteur does with the record in the push that loosens a rule and changes what is trained
ESCAPES: dict[str, Step] = {
    "nothing": lambda project: None,
    "deletes the record": lambda project: project.git("rm", "--quiet", RECORD),
    "renames the environment": lambda project: project.git("mv", RECORD, "registry/prod.json"),
    "ends the line in the same commit": lambda project: project.write(ENDED, ENDING),
    "ends the line in a commit of the same push": end,
}


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
def test_after_it_no_push_escapes_the_earlier_rules(project: Project, escape: Step) -> None:
    """What was promoted once is protected, whatever the push does to the record."""
    promote(1)(project)
    assert push(project, escape, loosen, retrain).together == FLOOR


@pytest.mark.parametrize("before", [True, False], ids=["by a push", "by a dispatch"])
@pytest.mark.slow
def test_a_later_change_does_not_hide_what_was_refused(project: Project, before: bool) -> None:
    """A push of a text is judged by the commit that changed what is trained, as a dispatch is."""
    promote(1)(project)
    push(project, loosen, retrain)
    pushed = project.git("rev-parse", "HEAD")
    project.write("NOTES.md", "Text.\n")
    project.commit()
    assert review_push(project, pushed if before else None).together == FLOOR


def test_rules_are_protected_from_the_first_promotion_on(project: Project) -> None:
    """What the first champion was judged by is no loosening, and what comes later is."""
    push(project, loosen, retrain)
    promote(1)(project)
    assert (review_push(project, None).together, review_push(project, None).alone) == ((), ())
    project.edit("model.toml", "roc_auc = 0.5", "roc_auc = 0.4")
    project.commit()
    assert review_push(project, None).alone == ("floor.roc_auc: 0.5 → 0.4",)


@pytest.mark.parametrize("order", ["the end first", "the table first"])
@pytest.mark.slow
def test_after_the_end_of_the_line_another_table_is_a_first_champion(project: Project, order: str) -> None:
    """The end is a merge of its own; a table that was refused before it can be compared again after it."""
    promote(1)(project)
    if order == "the end first":
        end(project)
        reviewed = push(project, loosen, retrain)
    else:
        assert push(project, loosen, retrain).together == FLOOR
        end(project)
        reviewed = review_push(project, None)
    assert reviewed.first is not None
    assert reviewed.first.startswith(
        "The line of versions was ended (another table), and no version was promoted since"
    )
    promote(2)(project)
    project.edit("model.toml", "roc_auc = 0.5", "roc_auc = 0.4")
    project.edit("src/sample/features.py", '["x1", "x2"]', '["x2"]')
    project.commit()
    assert review_push(project, project.git("rev-parse", "HEAD^")).together == ("floor.roc_auc: 0.5 → 0.4",)


def test_a_push_of_the_end_alone_is_judged_as_before(project: Project) -> None:
    """Train runs on it too; the version that serves is compared with itself."""
    promote(1)(project)
    before = project.git("rev-parse", "HEAD")
    end(project)
    assert review_push(project, before).first is None
