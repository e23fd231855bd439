"""`gitops conclude`"""

import os
from pathlib import Path

import click

from gitops_ml import console
from gitops_ml.commands import find_repository
from gitops_ml.errors import ChecksFailed, ConfigError

RESULTS = ("success", "failure", "cancelled", "skipped")


@click.command()
@click.option("--results", envvar="GITOPS_RESULTS", required=True, help="Job results, as `job=result job=result`.")
@click.pass_obj
def command(project: Path, results: str) -> None:
    """Fail unless all CI jobs succeeded.

    In a dispatched run, the result is also posted as a status of the commit, because branch rules do not see the check
    runs of such a run.
    """
    result_of = _parse(results)
    failed = [job for job, result in result_of.items() if result != "success"]
    verdict = f"{', '.join(failed)} did not pass" if failed else "Everything passed"
    if os.environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch":
        _post_status(project, "failure" if failed else "success", verdict)
    if failed:
        raise ChecksFailed(f"{verdict}: {results}.", "Read the log of that job, fix the cause and push again.")
    console.echo(f"{verdict}: {', '.join(result_of)}.")


def _parse(results: str) -> dict[str, str]:
    """Return the result of each job."""
    pairs = [pair.partition("=") for pair in results.split()]
    result_of = {job: result for job, _, result in pairs}
    if not result_of or not set(result_of.values()) <= set(RESULTS):
        raise ConfigError(f"--results is {results!r}.", f"It must be `job=result ...`, with {', '.join(RESULTS)}.")
    return result_of


def _post_status(project: Path, state: str, verdict: str) -> None:
    """Post the status of the commit that is checked out."""
    from gitops_ml import git
    from gitops_ml.commands.expire import describe_expired_commit
    from gitops_ml.forge.github import connect
    from gitops_ml.forge.workflow_dispatch import post_status

    repository = find_repository(project)
    github, head = connect(repository.root), git.resolve(repository.root, "HEAD")
    assert head is not None  # noqa: S101 (CI has checked a commit out)
    # Main may have moved during the run of CI; a success must not hide that.
    expired = describe_expired_commit(repository, head) if state == "success" else ""
    post_status(github, head, "failure" if expired else state, expired or verdict)
    if expired:
        console.echo(f"{expired}.")
