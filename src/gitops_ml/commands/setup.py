"""`gitops setup`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find_repository
from gitops_ml.errors import ForgeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_ml.forge.github import GitHub
    from gitops_ml.forge.repository_settings import SetupPlan, SetupStep

ADMINISTRATOR_NEEDED = (
    "Use the token of an administrator of the repository, because workflow tokens do not have this permission: "
    "`GITHUB_TOKEN=$(gh auth token) gitops setup`. The command then does only the steps that are left."
)


@click.command()
@click.option("--dry-run", is_flag=True, help="Print the steps without doing them.")
@click.pass_obj
def command(project: Path, dry_run: bool) -> None:
    """Set up the repository on GitHub.

    It creates labels, rulesets and environments, and sets the permissions of workflows. It changes only settings that
    differ, with your own token.
    """
    from gitops_ml.forge.github import connect

    root = find_repository(project).root
    github = connect(root)
    planned = _plan(github, root)
    for message in planned.skipped:
        console.echo(message)
    if not planned.steps:
        console.echo(f"Nothing to do: {github.repository} is as it should be.")
    elif dry_run:
        console.echo("\n".join(f"Would {step.todo}." for step in planned.steps))
    else:
        _run_steps(github, planned.steps)


def _plan(github: "GitHub", root: Path) -> "SetupPlan":
    """Return the steps that are missing; all settings are read before the first one is changed."""
    from gitops_ml.forge.repository_settings import plan_setup

    try:
        return plan_setup(github, root)
    except ForgeError as error:
        raise ForgeError(f"{error.problem} Nothing was changed.", _next_step(error), error.status) from error


def _run_steps(github: "GitHub", steps: "Sequence[SetupStep]") -> None:
    """Run every step; an error names the steps that are done and the steps that are left."""
    for number, step in enumerate(steps):
        try:
            github.send(step.method, step.path, step.body)
        except ForgeError as error:
            done = ", ".join(other.done for other in steps[:number]) or "nothing"
            left = ", ".join(other.todo for other in steps[number:])
            raise ForgeError(f"{error.problem} Done: {done}. Left: {left}.", _next_step(error), error.status) from error
        console.echo(f"{step.done}.")


def _next_step(error: ForgeError) -> str:
    """Return the next step after an error: GitHub shows fewer settings to users who are not administrators."""
    is_forbidden = error.status == 404 or error.problem.startswith("The token may not")
    return ADMINISTRATOR_NEEDED if is_forbidden else error.next_step
