"""The record, its history in Git, and the semantic version of what it names."""

import json

import pytest

from gitops_ml import git
from gitops_ml.errors import IntegrityError
from gitops_ml.registry.record import history, parse, release
from gitops_ml.run import Run
from unit.facts import record
from unit.sample import Project


def _run(columns: dict[str, str], classes: tuple[str, ...] = ()) -> Run:
    return Run(
        model="m", task="regression", created="", forced=False, key="id", target="y", columns=columns, classes=classes,
        parameters={}, metrics={}, lineage=record(1).lineage,
    )  # fmt: skip


RELEASES = {
    "first": (None, _run({}), "2222", "1.0.0"),
    "another model": (record(1), _run({}), "2222", "1.1.0"),
    "another column": (record(1), _run({"x": "float64"}), "2222", "2.0.0"),
    "another label": (record(1), _run({}, ("new",)), "2222", "2.0.0"),
    "another image only": (record(1), _run({}), "1111", "1.0.1"),
}


@pytest.mark.parametrize(("before", "run", "digest", "expected"), RELEASES.values(), ids=RELEASES)
def test_the_release_tells_callers_what_changed(before: object, run: Run, digest: str, expected: str) -> None:
    """MAJOR for other columns or labels, MINOR for another model, PATCH for another image."""
    assert release(before, run, digest) == expected  # type: ignore[arg-type]


def test_a_record_is_written_sorted_and_stable() -> None:
    """The same record is the same bytes, so that a promotion is a small diff."""
    text = record(1).to_json()
    assert parse(text, "there").to_json() == text
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_a_damaged_record_is_refused_with_its_place() -> None:
    """Nothing is served from a record that somebody wrote by hand."""
    with pytest.raises(IntegrityError, match=r"there is not a record: version"):
        parse(record(1).to_json().replace('"version": "1"', '"version": []'), "there")


def test_history_tells_who_merged_what_when(project: Project) -> None:
    """One line for each record that main had, newest first, by whoever merged it."""
    for number in (1, 2):
        project.git("switch", "--quiet", "--create", f"promote-{number}")
        project.write("registry/production.json", record(number).to_json())
        project.commit(f"promote {number}")
        project.git("switch", "--quiet", "main")
        project.git("merge", "--quiet", "--no-ff", "--no-edit", f"promote-{number}")
    entries = history(project.root, "production", "main")
    assert [entry.record.version for entry in entries if entry.record] == ["2", "1"]
    assert entries[0].commit == project.git("rev-parse", "main")
    assert entries[0].who == "Ada"


def test_history_of_nothing_is_empty(project: Project) -> None:
    """Before the first promotion the command says so."""
    assert "No version was promoted" in project.must("history").out


PEOPLE = {
    "a squash by a person's own Git": (("gitops", git.EMAIL), ("Bea", "bea@example.com"), "Bea"),
    "a squash on GitHub": (("gitops", git.EMAIL), ("GitHub", "noreply@github.com"), "somebody (GitHub squashed it)"),
    "an edit on GitHub": (("Bea", "bea@example.com"), ("GitHub", "noreply@github.com"), "Bea"),
}


@pytest.mark.parametrize(("author", "committer", "who"), PEOPLE.values(), ids=PEOPLE)
def test_who_merged_is_what_git_can_tell(
    project: Project, monkeypatch: pytest.MonkeyPatch, author: tuple[str, str], committer: tuple[str, str], who: str
) -> None:
    """Whoever made the proposal merged nothing; where GitHub does not say who did, nobody is named."""
    for role, (name, email) in {"AUTHOR": author, "COMMITTER": committer}.items():
        monkeypatch.setenv(f"GIT_{role}_NAME", name)
        monkeypatch.setenv(f"GIT_{role}_EMAIL", email)
    project.write("registry/production.json", record(1).to_json())
    project.commit()
    assert [entry.who for entry in history(project.root, "production", "main")] == [who]
