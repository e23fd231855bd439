"""`gitops doctor`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import where
from gitops_ml.errors import ConfigError, GitopsError, ProblemsFound

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.health import Row

INVALID = "model.toml is not as it must be, so nobody knows where the store is."


@click.command()
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT", help="Where to promote.  [default: the last one in model.toml]"
)
@click.pass_obj
def command(project: Path, environment: str | None) -> None:
    """Look for what would fail, before it does.

    In the clone, in the store and on GitHub; each finding comes with its fix. Nothing is changed.
    """
    rows = list(_rows(_root(project), environment))
    _show(rows)
    problems = [row.id for row in rows if row.verdict == "problem"]
    if problems:
        raise ProblemsFound(
            f"{len(problems)} problem(s): {', '.join(problems)}.", "The table says what to do about each of them."
        )


def _root(project: Path) -> Path:
    """The folder that holds model.toml, whatever is in it."""
    from gitops_ml.config import FILE

    start = project.resolve()
    root = next((folder for folder in (start, *start.parents) if (folder / FILE).is_file()), None)
    if root is None:
        raise ConfigError(
            f"There is no {FILE} in {start} or above it.",
            "Go to the generated repository, or name it with `--project`.",
        )
    return root


def _rows(root: Path, environment: str | None) -> "list[Row]":
    """Every line of the table, from what is nearest to what is farthest."""
    from gitops_ml import locks
    from gitops_ml.forge import clone

    configured, repository = _configured(root)
    local = [check.examine(root) for check in (*clone.CHECKS, *locks.CHECKS)]
    environment = where(repository, environment) if repository else environment or "production"
    return [configured, *local, *_store(repository), *_github(root, repository, environment)]


def _configured(root: Path) -> "tuple[Row, Repository | None]":
    """Whether model.toml is valid, and what it says if it is."""
    from gitops_ml.config import find
    from gitops_ml.health import Row

    try:
        return Row("MODEL", "ok", "model.toml is valid."), find(root)
    except ConfigError as error:
        return Row("MODEL", "problem", " ".join(f"{error.what} {error.next}".split())), None


def _store(repository: "Repository | None") -> "list[Row]":
    """What the store says."""
    from gitops_ml.registry import health

    if repository is None:
        return [check.unknown(INVALID) for check in health.CHECKS]
    with console.progress("doctor") as progress:
        progress("looking at the store")
        shelf, (first, *others) = health.find(repository), health.CHECKS
        reached = first.examine(shelf)
        if reached.verdict != "ok":
            return [reached, *(check.unknown("The store cannot be reached.") for check in others)]
        return [reached, *(check.examine(shelf) for check in others)]


def _github(root: Path, repository: "Repository | None", environment: str) -> "list[Row]":
    """What GitHub says, where it can be asked."""
    from gitops_ml.config import Store
    from gitops_ml.forge import health
    from gitops_ml.forge.github import connect

    branch = (repository.config.store if repository else Store()).branch
    first, *others = health.CHECKS
    with console.progress("doctor") as progress:
        progress("asking GitHub")
        try:
            site = health.visit(connect(root), root, environment, branch)
        except GitopsError as error:
            return [first.row(health.refused(error)), *(check.unknown(error.what) for check in others)]
        return [check.examine(site) for check in health.CHECKS]


def _show(rows: "list[Row]") -> None:
    from collections import Counter

    from gitops_ml.forge.report import table

    headers, cells = ["check", "verdict", "what, and what to do"], [[row.id, row.verdict, row.text] for row in rows]
    counted = Counter(row.verdict for row in rows)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counted.items())
    console.table("Doctor", headers, cells)
    console.say(f"{len(rows)} checks: {told}.")
    console.summarise(f"### Doctor\n\n{table(headers, cells)}\n\n{len(rows)} checks: {told}.")
