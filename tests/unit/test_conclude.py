"""The command of CI's last job, which checks the results of the other jobs."""

import pytest

from unit.sample import Project


def test_success_of_all_jobs_is_a_success(project: Project) -> None:
    """Without a dispatched run, no status is posted."""
    assert "Everything passed: code, data." in project.must("conclude", "--results", "code=success data=success").out


@pytest.mark.parametrize("state", ["failure", "cancelled", "skipped"])
def test_any_other_result_is_a_failure(project: Project, state: str) -> None:
    """The message names the job, and the exit code is 14."""
    result = project.gitops("conclude", "--results", f"code=success data={state}")
    assert result.code == 14
    assert "data did not pass" in result.err


@pytest.mark.parametrize("results", ["code", "code=perhaps", ""])
def test_results_in_another_format_are_refused(project: Project, results: str) -> None:
    """Results that cannot be parsed must not count as a success."""
    assert project.gitops("conclude", "--results", results).code == 3


def test_a_dispatched_run_needs_a_token(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is posted to the commit, so a missing token is an error."""
    monkeypatch.setenv("GITHUB_EVENT_NAME", "workflow_dispatch")
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    result = project.gitops("conclude", "--results", "code=success")
    assert result.code == 3
    assert "GITHUB_TOKEN" in result.err
