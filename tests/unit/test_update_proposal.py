"""What a person reads about an update on GitHub, and when an issue is opened, refreshed and closed."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_ml import cli, git
from gitops_ml.commands import update_pull_request
from gitops_ml.forge import update_issue, update_proposal_text
from gitops_ml.forge.github import GitHub, connect
from gitops_ml.forge.update_proposal_text import Obstacle
from gitops_ml.update_report import ReportItem, ReportSection, UpdateReport
from gitops_ml.updating import new_library
from unit.fake_issues import FakeIssues

GOLDEN = Path(__file__).parent / "golden"
COMMAND = "make setup && .venv/bin/gitops update --to 0.3.0 --propose"
CI = ".github/workflows/ci.yml"
REPORT = UpdateReport(
    earlier="0.2.0", version="0.3.0",
    training="This update retrains nothing: the locks of training and serving stay as they are.", retrains=False,
    conflicts=(), main="a" * 40, tree="b" * 40,
    sections=(
        ReportSection("Changed", (
            ReportItem(CI, "the template changed it; your changes are kept", "+3 -1"),
            ReportItem("Makefile", "the template changed it", "+2 -2"),
            ReportItem("docs/new_page.md", "new in the template"),
            ReportItem("requirements/gitops.txt, vendor/gitops_ml-0.3.0-py3-none-any.whl",
                       "the library, 0.3.0 instead of 0.2.0"),
        )),
        ReportSection("Not changed", (ReportItem(".github/workflows/pages.yml", "you deleted it; it stays deleted"),)),
        ReportSection("New gates, which are on by default (`gitops docs update`)", (ReportItem("EXAMPLE"),)),
        ReportSection("New questions of the template, with the answers that were taken",
                      (ReportItem("licence", "'MIT'"),)),
    ),
)  # fmt: skip
RETRAINING = replace(
    REPORT, retrains=True, conflicts=("Makefile",),
    training="This update retrains, because these packages change in the locks of training and serving: numpy, scipy.",
    sections=(
        ReportSection("Conflicts: edit these files on the branch until no marker is left, and commit",
                      (ReportItem("Makefile", "both you and the template changed the same lines"),)),
        *REPORT.sections,
    ),
)  # fmt: skip
OBSTACLE = Obstacle(update_proposal_text.explain_workflow_files(""), COMMAND)


def golden(name: str) -> str:
    """Return a text that people read."""
    return (GOLDEN / name).read_text()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (update_proposal_text.render_pull_request(REPORT, git.UPDATE_BRANCH, 7), "update-pull-request.md"),
        (update_proposal_text.render_pull_request(RETRAINING, git.UPDATE_BRANCH, None), "update-conflicts.md"),
        (update_proposal_text.render_issue(REPORT, OBSTACLE), "update-issue.md"),
    ],
    ids=["pull request", "conflicts", "issue"],
)
def test_people_read_the_golden_texts(text: str, name: str) -> None:
    """The verdict on training first; then what to do; then each file with the reason."""
    assert text == golden(name)


def test_the_report_is_the_text_of_the_commit() -> None:
    """In plain text, as `gitops update` prints it."""
    assert REPORT.message.startswith("Update gitops-ml from 0.2.0 to 0.3.0\n\nThis update retrains nothing: ")
    assert f"\n\nChanged:\n- {CI} (+3 -1): the template changed it; your changes are kept\n- Makefile" in REPORT.message
    assert "\n- EXAMPLE\n" in REPORT.message


def test_a_newer_library_may_write_more_than_this_one_reads() -> None:
    """The report travels from the new library's process to this one's."""
    document = json.loads(REPORT.to_json())
    document["sections"][0]["items"][0]["link"] = document["later"] = "unknown here"
    assert UpdateReport.from_json(json.dumps(document)) == REPORT


def test_the_title_says_which_version_is_proposed() -> None:
    """A pull request that was closed is known by it."""
    assert update_proposal_text.parse_version(REPORT.subject) == "0.3.0"
    assert update_proposal_text.parse_version("Update the runbook to 3") is None


def test_a_long_update_keeps_within_githubs_limit() -> None:
    """Conflicts and reasons are cut before the end is, which says what a merge does."""
    items = tuple(ReportItem(f"src/{number}/{'x' * 300}.py", "a reason " * 90) for number in range(900))
    report = replace(REPORT, sections=(ReportSection("Changed", items),))
    for text, last in (
        (update_proposal_text.render_pull_request(report, "b", 7), "Closes #7."),
        (update_proposal_text.render_issue(report, OBSTACLE), "<!-- gitops update: 0.3.0 -->"),
    ):
        assert len(text) < 60_000
        assert text.strip().endswith(last)
        assert "more; the message of the commit lists all" in text


def test_file_names_are_no_markup() -> None:
    """A path is text of the repository."""
    items = (ReportItem("a|b`<img>@ada.md", "the template changed it"),)
    text = update_proposal_text.render_pull_request(
        replace(REPORT, sections=(ReportSection("Changed", items),)), "b", 0
    )
    assert "a\\|b\\`&lt;img&gt;@&#8203;ada.md" in text


# The issue -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def issues() -> FakeIssues:
    """GitHub's issues."""
    return FakeIssues()


def keep(issues: FakeIssues, report: UpdateReport = REPORT) -> str:
    """Keep the issue."""
    return update_issue.keep_issue(issues, report, OBSTACLE)  # type: ignore[arg-type]


def close(issues: FakeIssues, pinned: str | None) -> str:
    """Close the issue if it is no longer needed."""
    return update_issue.close_issue(issues, pinned)  # type: ignore[arg-type]


def test_one_issue_is_opened_refreshed_and_not_repeated(issues: FakeIssues) -> None:
    """A newer version takes it over."""
    assert keep(issues).startswith("Opened https://github.com/o/r/issues/1: Update gitops-ml: a person has to run")
    assert "is up to date" in keep(issues)
    assert issues.writes == ["POST"]
    assert "Updated" in keep(issues, replace(REPORT, version="0.4.0"))
    assert (issues.writes, len(issues.issues)) == (["POST", "PATCH"], 1)


def test_an_issue_that_a_person_closed_stays_closed_for_its_version(issues: FakeIssues) -> None:
    """The next version opens another one; a workflow's own closing decides nothing."""
    from datetime import UTC, datetime

    keep(issues)
    issues.close(1, "User", datetime.now(UTC))
    assert "was closed by a person. It is not reopened for version 0.3.0" in keep(issues)
    assert "issues/2" in keep(issues, replace(REPORT, version="0.4.0"))
    issues.close(2, "Bot", datetime.now(UTC))
    assert "issues/3" in keep(issues, replace(REPORT, version="0.4.0"))


@pytest.mark.parametrize(("pinned", "is_closed"), [("0.2.0", False), ("0.3.0", True), ("0.4.0", True), (None, True)])
def test_the_issue_ends_when_main_has_the_version(issues: FakeIssues, pinned: str | None, is_closed: bool) -> None:
    """None: the index has no newer version any more."""
    keep(issues)
    assert bool(close(issues, pinned)) == is_closed
    assert issues.issues[0]["state"] == ("closed" if is_closed else "open")
    assert close(issues, "9.0") == ("" if is_closed else "Closed https://github.com/o/r/issues/1, which is no longer "
                                    "needed.")  # fmt: skip


def test_an_issue_of_another_user_is_not_touched(issues: FakeIssues) -> None:
    """Anyone may write the same title."""
    issues.author = {"login": "eve", "type": "User"}
    keep(issues)
    assert close(issues, None) == ""


# The command ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that pins 0.2.0."""
    for name, text in {"model.toml": "", "requirements/gitops.txt": "gitops-ml==0.2.0\n"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for command in (["init", "--quiet", "--initial-branch", "main"], ["add", "--all"]):
        git.run(tmp_path, *command)
    git.run(tmp_path, "commit", "--quiet", "--message", "Start", env={**git.COMMITTER, **git.AUTHOR})
    git.run(tmp_path, "update-ref", "refs/remotes/origin/main", "HEAD")
    return tmp_path


@pytest.mark.parametrize("in_workflow", [True, False])
def test_a_schedule_is_green_before_the_library_is_published(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], in_workflow: bool
) -> None:
    """A person who runs the command reads what else can be named."""
    done = []

    def refuse(*arguments: object) -> None:
        raise new_library.NotOnIndex("There is no version of gitops-ml on the package index.", "Name a checkout.")

    monkeypatch.setattr(new_library, "fetch_library", refuse)
    monkeypatch.setattr(git, "fetch_branches", lambda root: None)
    monkeypatch.setattr(update_pull_request, "conclude_without_update", lambda *arguments: done.append(arguments[1:]))
    monkeypatch.setenv("GITOPS_TO", "")
    if in_workflow:
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert cli.main(["--project", str(repository), "update", "--propose"]) == (0 if in_workflow else 3)
    reason = "Nothing to do. There is no version of gitops-ml on the package index."
    assert done == ([(git.UPDATE_BRANCH, reason, "0.2.0", False)] if in_workflow else [])
    assert ("Name a checkout" in capfd.readouterr().err) != in_workflow


def test_the_branch_of_a_proposal_is_one_that_commands_fetch(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Otherwise commits of people on it would not be seen."""
    assert cli.main(["--project", str(tmp_path), "update", "--propose", "--branch", "mine"]) == 2
    assert "must begin with 'update/'; it is 'mine'" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--merged", "m"], "--merged needs --propose"),
        (["--merged", "m", "--propose"], "--merged needs --propose, and the digest"),
        (["--out", "m", "--propose"], "--out is for a proposal in another clone"),
    ],
)
def test_options_that_do_not_fit_are_usage_errors(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    """A merge is written or proposed; a proposal of another job's merge needs its digest."""
    assert cli.main(["--project", str(tmp_path), "update", *arguments]) == 2
    assert says in capfd.readouterr().err


def test_a_person_who_is_logged_in_to_gh_needs_no_variable(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workflow never asks it."""
    program = repository / "bin" / "gh"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$*" = "auth token --hostname github.com" ] && echo gho_1234\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
    assert connect(repository, with_gh=True) == GitHub("o/r", "gho_1234")
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_5678")
    assert connect(repository, with_gh=True).token == "ghp_5678"  # noqa: S105 (of a test)
