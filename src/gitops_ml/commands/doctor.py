"""`gitops doctor`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find_root, resolve_environment
from gitops_ml.errors import ConfigError, GitopsError, ProblemsFound

if TYPE_CHECKING:
    from gitops_ml.config import Config, Repository
    from gitops_ml.doctor_checks import CheckRow

NOTHING_LEARNED = (
    "No version is trained on rows that [ingest] adds: with a fixed `cutoff`, each new row is held out. Replace it by "
    "`holdout = 0.2` under [split], which holds out the newest rows."
)
INVALID_CONFIG = "model.toml is not valid, so the location of the store cannot be read."


@click.command()
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT", help="The environment.  [default: the last one in model.toml]"
)
@click.pass_obj
def command(project: Path, environment: str | None) -> None:
    """Check the setup, and say how to fix each problem.

    The checks cover the clone, the store and GitHub. They change nothing.
    """
    rows = list(_run_checks(find_root(project), environment))
    _show_rows(rows)
    problems = [row.id for row in rows if row.verdict == "problem"]
    if problems:
        raise ProblemsFound(
            f"{len(problems)} problem(s): {', '.join(problems)}.", "The table says how to fix each of them."
        )


def _run_checks(root: Path, environment: str | None) -> "list[CheckRow]":
    """Run all checks, and return their results: model.toml, the clone, the store, GitHub."""
    from gitops_ml import locks
    from gitops_ml.forge import clone_checks

    config_row, repository = _check_config(root)
    local_rows = [check.run(root) for check in (*clone_checks.CHECKS, *locks.CHECKS)]
    environment = resolve_environment(repository, environment) if repository else environment or "production"
    return [config_row, *local_rows, *_check_store(repository), *_check_github(root, repository, environment)]


def _check_config(root: Path) -> "tuple[CheckRow, Repository | None]":
    """Return the result of the check of model.toml, and the repository; None if model.toml is not valid."""
    from gitops_ml import user_package
    from gitops_ml.config import find_repository
    from gitops_ml.doctor_checks import CheckRow

    repository = None
    try:
        repository = find_repository(root)
        if repository.config.monitoring.left_out:
            user_package.check_monitored_columns(repository, user_package.load_user_package(repository))
        if learns_nothing(repository.config):
            return CheckRow("MODEL", "warning", NOTHING_LEARNED), repository
        return CheckRow("MODEL", "ok", "model.toml is valid."), repository
    except ConfigError as error:
        return CheckRow("MODEL", "problem", " ".join(f"{error.problem} {error.next_step}".split())), repository


def learns_nothing(config: "Config") -> bool:
    """Return whether all rows that are ingested are held out for ever, so that no version is trained on them.

    Args:
        config: Configuration of the repository.
    """
    return config.ingest.source != "none" and config.split.cutoff is not None


def _check_store(repository: "Repository | None") -> "list[CheckRow]":
    """Run the checks of the store, and return their results."""
    from gitops_ml.registry import store_checks

    if repository is None:
        return [check.unknown_row(INVALID_CONFIG) for check in store_checks.CHECKS]
    with console.progress("doctor") as progress:
        progress("check the store")
        context, (first, *others) = store_checks.open_store_context(repository), store_checks.CHECKS
        connection = first.run(context)
        if connection.verdict != "ok":
            return [connection, *(check.unknown_row("The store cannot be reached.") for check in others)]
        return [connection, *(check.run(context) for check in others)]


def _check_github(root: Path, repository: "Repository | None", environment: str) -> "list[CheckRow]":
    """Run the checks of GitHub, and return their results; without a token or a connection they are unknown."""
    from gitops_ml.config import StoreConfig
    from gitops_ml.forge import choice_checks, github_checks
    from gitops_ml.forge.github import connect

    branch = (repository.config.store if repository else StoreConfig()).branch
    first, *others = checks = (*github_checks.CHECKS, *choice_checks.CHECKS)
    with console.progress("doctor") as progress:
        progress("check GitHub")
        try:
            remote = github_checks.open_repository(connect(root), root, environment, branch)
        except GitopsError as error:
            return [
                first.to_row(github_checks.connection_result(error)),
                *(check.unknown_row(error.problem) for check in others),
            ]
        return [check.run(remote) for check in checks]


def _show_rows(rows: "list[CheckRow]") -> None:
    """Print the table, and add it to the GitHub Actions job summary."""
    from collections import Counter

    from gitops_ml.forge.markdown import format_table

    headers, cells = ["check", "status", "result and fix"], [[row.id, row.verdict, row.text] for row in rows]
    counts = Counter(row.verdict for row in rows)
    total = f"{len(rows)} checks: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}."
    console.table("Doctor", headers, cells)
    console.echo(total)
    console.append_summary(f"### Doctor\n\n{format_table(headers, cells)}\n\n{total}")
