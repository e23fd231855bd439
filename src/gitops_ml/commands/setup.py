"""`gitops setup`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find
from gitops_ml.errors import ForgeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_ml.forge.github import GitHub
    from gitops_ml.forge.settings import Plan, Step

OWNER = (
    "It takes the token of someone who administers the repository, which no job has: "
    "`GITHUB_TOKEN=$(gh auth token) gitops setup`. It does what is left then, and nothing twice."
)


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do none of it.")
@click.pass_obj
def command(project: Path, dry_run: bool) -> None:
    """Set the repository on GitHub up.

    Labels, rulesets, environments, and what workflows may do; only what differs, with your own token.
    """
    from gitops_ml.forge.github import connect

    root = find(project).root
    github = connect(root)
    planned = _plan(github, root)
    for words in planned.left_out:
        console.say(words)
    if not planned.steps:
        console.say(f"Nothing to do: {github.repository} is as it should be.")
    elif dry_run:
        console.say("\n".join(f"Would {step.todo}." for step in planned.steps))
    else:
        _take(github, planned.steps)


def _plan(github: "GitHub", root: Path) -> "Plan":
    """What is missing; nothing is written before all could be read."""
    from gitops_ml.forge.settings import plan

    try:
        return plan(github, root)
    except ForgeError as error:
        raise ForgeError(f"{error.what} Nothing was done; all is left.", _next(error), error.status) from error


def _take(github: "GitHub", steps: "Sequence[Step]") -> None:
    """Take every step, or say which were taken and which are left."""
    for number, step in enumerate(steps):
        try:
            github.send(step.method, step.path, step.body)
        except ForgeError as error:
            done = ", ".join(other.done for other in steps[:number]) or "nothing"
            left = ", ".join(other.todo for other in steps[number:])
            raise ForgeError(f"{error.what} Done: {done}. Left: {left}.", _next(error), error.status) from error
        console.say(f"{step.done}.")


def _next(error: ForgeError) -> str:
    """What to do about a refusal: GitHub shows those who may not administer a repository less than it has."""
    may_not = error.status == 404 or error.what.startswith("The token may not")
    return OWNER if may_not else error.next
