"""`gitops conclude`"""

import os
from pathlib import Path

import click

from gitops_ml import console
from gitops_ml.commands import find
from gitops_ml.errors import ChecksFailed, ConfigError

WORDS = ("success", "failure", "cancelled", "skipped")


@click.command()
@click.option("--results", envvar="GITOPS_RESULTS", required=True, help="As `job=result job=result`.")
@click.pass_obj
def command(project: Path, results: str) -> None:
    """Say whether all of CI passed.

    Where CI was dispatched, say it as a status of the commit too, for there a check run is not enough for branch rules.
    """
    ended = _parse(results)
    failed = [job for job, result in ended.items() if result != "success"]
    verdict = f"{', '.join(failed)} did not pass" if failed else "Everything passed"
    if os.environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch":
        _post(project, "failure" if failed else "success", verdict)
    if failed:
        raise ChecksFailed(f"{verdict}: {results}.", "The log of that job says why; mend it and push again.")
    console.say(f"{verdict}: {', '.join(ended)}.")


def _parse(results: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in results.split()]
    ended = {job: result for job, _, result in pairs}
    if not ended or not set(ended.values()) <= set(WORDS):
        raise ConfigError(f"--results is {results!r}.", f"It must be `job=result ...`, with {', '.join(WORDS)}.")
    return ended


def _post(project: Path, state: str, verdict: str) -> None:
    from gitops_ml import git
    from gitops_ml.commands.expire import expired_at
    from gitops_ml.forge.checks import post
    from gitops_ml.forge.github import connect

    repository = find(project)
    github, head = connect(repository.root), git.resolve(repository.root, "HEAD")
    assert head is not None  # noqa: S101 (CI has checked a commit out)
    # Main may have moved while CI was at work; its success must not hide that.
    expired = expired_at(repository, head) if state == "success" else ""
    post(github, head, "failure" if expired else state, expired or verdict)
    if expired:
        console.say(f"{expired}.")
