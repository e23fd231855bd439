"""`gitops doctor`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import resolve_environment
from gitops_ml.errors import ConfigError, GitopsError, ProblemsFound

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.doctor_checks import CheckRow

INVALID = "model.toml is not valid, so the store is not known."


@click.command()
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT", help="The environment.  [default: the last one in model.toml]"
)
@click.pass_obj
def command(project: Path, environment: str | None) -> None:
    """Check the setup, and say how to fix each problem.

    The checks cover the clone, the store and GitHub. They change nothing.
    """
    rows = list(_examine(_find_root(project), environment))
    _show(rows)
    problems = [row.id for row in rows if row.verdict == "problem"]
    if problems:
        raise ProblemsFound(f"{len(problems)} problem(s): {', '.join(problems)}.", "The table says how to fix each.")


def _find_root(project: Path) -> Path:
    """Return the folder that holds model.toml, which need not be valid."""
    from gitops_ml.config import FILE

    start = project.resolve()
    root = next((folder for folder in (start, *start.parents) if (folder / FILE).is_file()), None)
    if root is None:
        raise ConfigError(
            f"There is no {FILE} in {start} or above it.",
            "Go to the generated repository, or name it with `--project`.",
        )
    return root


def _examine(root: Path, environment: str | None) -> "list[CheckRow]":
    """Return the results of all checks: model.toml, the clone, the store, GitHub."""
    from gitops_ml import locks
    from gitops_ml.forge import clone_checks

    configured, repository = _check_configuration(root)
    local = [check.run(root) for check in (*clone_checks.CHECKS, *locks.CHECKS)]
    environment = resolve_environment(repository, environment) if repository else environment or "production"
    return [configured, *local, *_check_store(repository), *_check_github(root, repository, environment)]


def _check_configuration(root: Path) -> "tuple[CheckRow, Repository | None]":
    """Return whether model.toml is valid, and the repository if it is."""
    from gitops_ml.config import find_repository
    from gitops_ml.doctor_checks import CheckRow

    try:
        return CheckRow("MODEL", "ok", "model.toml is valid."), find_repository(root)
    except ConfigError as error:
        return CheckRow("MODEL", "problem", " ".join(f"{error.problem} {error.next_step}".split())), None


def _check_store(repository: "Repository | None") -> "list[CheckRow]":
    """Return the results of the store's checks."""
    from gitops_ml.registry import store_checks

    if repository is None:
        return [check.unknown_row(INVALID) for check in store_checks.CHECKS]
    with console.progress("doctor") as progress:
        progress("check the store")
        subject, (first, *others) = store_checks.open_store_context(repository), store_checks.CHECKS
        reached = first.run(subject)
        if reached.verdict != "ok":
            return [reached, *(check.unknown_row("The store cannot be reached.") for check in others)]
        return [reached, *(check.run(subject) for check in others)]


def _check_github(root: Path, repository: "Repository | None", environment: str) -> "list[CheckRow]":
    """Return the results of GitHub's checks; they are unknown without a token or a connection."""
    from gitops_ml.config import StoreConfig
    from gitops_ml.forge import github_checks
    from gitops_ml.forge.github import connect

    branch = (repository.config.store if repository else StoreConfig()).branch
    first, *others = github_checks.CHECKS
    with console.progress("doctor") as progress:
        progress("check GitHub")
        try:
            subject = github_checks.open_repository(connect(root), root, environment, branch)
        except GitopsError as error:
            return [
                first.to_row(github_checks.connection_result(error)),
                *(check.unknown_row(error.problem) for check in others),
            ]
        return [check.run(subject) for check in github_checks.CHECKS]


def _show(rows: "list[CheckRow]") -> None:
    """Print the table, and add it to the step summary."""
    from collections import Counter

    from gitops_ml.forge.markdown import format_table

    headers, cells = ["check", "verdict", "result and fix"], [[row.id, row.verdict, row.text] for row in rows]
    counts = Counter(row.verdict for row in rows)
    total = f"{len(rows)} checks: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}."
    console.table("Doctor", headers, cells)
    console.echo(total)
    console.append_summary(f"### Doctor\n\n{format_table(headers, cells)}\n\n{total}")
