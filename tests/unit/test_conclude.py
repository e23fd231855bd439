"""CI's last job: what it says of the jobs before it."""

import pytest

from unit.sample import Project


def test_all_green_is_green(project: Project) -> None:
    """Nothing is posted outside of a dispatched run."""
    assert "Everything passed: code, data." in project.must("conclude", "--results", "code=success data=success").out


@pytest.mark.parametrize("result", ["failure", "cancelled", "skipped"])
def test_whatever_is_not_success_is_red(project: Project, result: str) -> None:
    """The sentence names the job; CI has an exit code of its own."""
    ended = project.gitops("conclude", "--results", f"code=success data={result}")
    assert ended.code == 14
    assert "data did not pass" in ended.err


@pytest.mark.parametrize("results", ["code", "code=perhaps", ""])
def test_results_in_another_form_are_refused(project: Project, results: str) -> None:
    """A green that means nothing would be worse than none."""
    assert project.gitops("conclude", "--results", results).code == 3


def test_a_dispatched_run_needs_a_token(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its result is posted to the commit, so a missing token is said at once."""
    monkeypatch.setenv("GITHUB_EVENT_NAME", "workflow_dispatch")
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    ended = project.gitops("conclude", "--results", "code=success")
    assert ended.code == 3
    assert "GITHUB_TOKEN" in ended.err
