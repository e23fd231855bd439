"""The record, its history in Git, and the semantic version of its release."""

import json

import pytest

from gitops_ml import git
from gitops_ml.errors import IntegrityError
from gitops_ml.registry.record import load_history, next_release, parse_record
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
    assert next_release(before, run, digest) == expected  # type: ignore[arg-type]


def test_the_json_of_a_record_is_sorted_and_stable() -> None:
    """The same record gives the same bytes, so that a promotion is a small diff."""
    text = record(1).to_json()
    assert parse_record(text, "file.json").to_json() == text
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_a_damaged_record_is_refused_with_its_file_and_key() -> None:
    """A record that is not valid stops the command."""
    with pytest.raises(IntegrityError, match=r"file.json is not a record: version"):
        parse_record(record(1).to_json().replace('"version": "1"', '"version": []'), "file.json")


def test_the_history_has_every_merged_record(project: Project) -> None:
    """There is one entry for each record on main, newest first, with the person who merged it."""
    for number in (1, 2):
        project.git("switch", "--quiet", "--create", f"promote-{number}")
        project.write("registry/production.json", record(number).to_json())
        project.commit(f"promote {number}")
        project.git("switch", "--quiet", "main")
        project.git("merge", "--quiet", "--no-ff", "--no-edit", f"promote-{number}")
    entries = load_history(project.root, "production", "main")
    assert [entry.record.version for entry in entries if entry.record] == ["2", "1"]
    assert entries[0].commit == project.git("rev-parse", "main")
    assert entries[0].who == "Ada"


def test_history_before_the_first_promotion(project: Project) -> None:
    """The command reports that no version has been promoted."""
    assert "No version has been promoted" in project.must("history").out


PEOPLE = {
    "a squash by a person's own Git": (("gitops", git.EMAIL), ("Bea", "bea@example.com"), "Bea"),
    "a squash on GitHub": (("gitops", git.EMAIL), ("GitHub", "noreply@github.com"), "unknown (GitHub squashed it)"),
    "an edit on GitHub": (("Bea", "bea@example.com"), ("GitHub", "noreply@github.com"), "Bea"),
}


@pytest.mark.parametrize(("author", "committer", "who"), PEOPLE.values(), ids=PEOPLE)
def test_the_person_who_merged_comes_from_git(
    project: Project, monkeypatch: pytest.MonkeyPatch, author: tuple[str, str], committer: tuple[str, str], who: str
) -> None:
    """The author of the proposal is not the person who merged; if GitHub does not name the person, no name is shown."""
    for role, (name, email) in {"AUTHOR": author, "COMMITTER": committer}.items():
        monkeypatch.setenv(f"GIT_{role}_NAME", name)
        monkeypatch.setenv(f"GIT_{role}_EMAIL", email)
    project.write("registry/production.json", record(1).to_json())
    project.commit()
    assert [entry.who for entry in load_history(project.root, "production", "main")] == [who]
