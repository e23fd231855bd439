"""`gitops validate`"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find_repository
from gitops_ml.errors import DataRefused, GitopsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_ml.config import Repository
    from gitops_ml.training.row_checker import RowChecker
    from gitops_ml.training.validate import Validation
    from gitops_ml.user_package import UserPackage

MAX_SHOWN = 50
PAGE = "validation/report.html"


@click.command()
@click.pass_obj
def command(project: Path) -> None:
    """Validate every row against schema.py.

    All violations are listed at once, with examples. .gitops/validation/report.html has all of them, and each column
    of the schema. In a pull request from a fork, which has no secrets, the rows of a query are not validated.
    """
    from gitops_ml import user_package
    from gitops_ml.query import DatabaseWithheld

    repository = find_repository(project)
    package = user_package.load_user_package(repository)
    user_package.check_monitored_columns(repository, package)
    try:
        page = repository.scratch / PAGE
        report = partial(_write_report, page, repository, package)
        validation = validate_data(repository, package, keep_rows=False, report=report)
    except DatabaseWithheld as error:  # a fork's pull request is not to be red for that
        console.echo(f"The rows are not validated. {error.problem}\n{error.next_step}")
        console.append_summary(f"➖ The rows are not validated. {error.problem} {error.next_step}")
        return
    console.echo(f"Accepted: {validation.rows} rows, {validation.digest[:19]}.")
    console.echo(_name_report(page))
    console.set_output("data", validation.digest)


def validate_data(
    repository: "Repository", package: "UserPackage | RowChecker", *, keep_rows: bool, is_partial: bool = False,
    label: str = "data", report: "Callable[[Validation], Path] | None" = None,
) -> "Validation":  # fmt: skip
    """Validate the data, and show the violations of the schema if there are any.

    Args:
        repository: Repository of the data.
        package: User package with the schema, or a checker that has the schema elsewhere.
        keep_rows: True to return the rows too.
        is_partial: True if the rows are only a part of the data.
        label: Name of the rows in messages.
        report: Function that writes a report of the result, whatever it is, and returns its file.

    Returns:
        Number of rows, digest, violations, and the rows if `keep_rows` is set.

    Raises:
        DataRefused: The rows violate the schema, or some have no target.
        ConfigError: `positive` of model.toml is no label of the target, or the target has only one label.
    """
    from gitops_ml.training.labels import check_labels
    from gitops_ml.training.validate import validate

    with console.progress("validate") as progress:
        validation = validate(
            repository,
            package,
            keep_rows=keep_rows,
            is_partial=is_partial,
            progress=lambda rows: progress(f"{rows} rows read"),
        )
    schema = f"src/{repository.config.project.package}/schema.py"
    page = report(validation) if report else None
    if validation.problems:
        _show(validation, label)
        if page:
            console.echo(_name_report(page))
        raise DataRefused(
            f"Some of the {validation.rows} rows of {label} violate {len(validation.problems)} rule(s) of {schema}.",
            _advise(repository, validation, schema),
        )
    if not is_partial:
        check_labels(repository.config, validation.labels, validation.unlabeled)
    console.append_summary(f"✅ {validation.rows} rows of {label} match the schema.")
    return validation


def _write_report(page: Path, repository: "Repository", package: "UserPackage", validation: "Validation") -> Path:
    """Write the result and the schema as a page, and return its file."""
    from gitops_ml import manifest
    from gitops_ml.forge.validation_page import ValidationReport, render_validation_page

    data, columns = repository.config.data, package.schema.columns
    roles = {data.key: "key", data.target: "target"} | dict.fromkeys(data.known_later, "known later")
    rules = {name: [str(check.error or check.name) for check in column.checks] + ["unique"] * column.unique
             for name, column in columns.items()}  # fmt: skip
    report = ValidationReport(
        rows=validation.rows,
        digest=validation.digest,
        source=data.path,
        schema=f"src/{repository.config.project.package}/schema.py",
        violations=_violations(validation),
        columns=[[name, roles.get(name, "feature"), _name_type(column.dtype), "; ".join(rules[name]),
                  "yes" if column.nullable else "no"] for name, column in columns.items()],
        present=dict(validation.present),
    )  # fmt: skip
    manifest.write_atomically(page, render_validation_page(report))
    return page


def _name_type(dtype: object) -> str:
    """Return the name that people write in schema.py; pandas has longer ones for text."""
    return "str" if str(dtype).startswith("string") else str(dtype)


def _name_report(page: Path) -> str:
    return f"The report is {console.relative_path(page)}."


def _violations(validation: "Validation") -> list[list[object]]:
    return [[each.column, each.check, each.failing or "", "; ".join(each.examples)] for each in validation.problems]


def _advise(repository: "Repository", validation: "Validation", schema: str) -> str:
    """Return what to do about the violations, as the gate RULES will judge it."""
    from gitops_ml.rows.cell_advice import advise_about_cells

    cells = advise_about_cells((each.column, each.check, each.examples) for each in validation.problems)
    cells = f" {cells}" if cells else ""
    if _has_rules_to_protect(repository.root):
        return (
            f"Fix the rows. If they are right, for example because there is a new category, change {schema} in a "
            "commit of its own, and push or merge it first; then add the rows. In one push, the gate RULES refuses "
            f"both: docs/runbook.md, The data is refused.{cells}"
        )
    return (
        f"Fix the rows, or change {schema}. Before the first promotion, one commit may change both; `gitops docs "
        f"own-data` explains the lines of {schema}.{cells}"
    )


def _has_rules_to_protect(root: Path) -> bool:
    """Return False if main's history shows that no version of this line was promoted."""
    from gitops_ml import git
    from gitops_ml.registry.lines import load_line

    try:
        return load_line(root, git.main_ref(root), []).has_versions
    except GitopsError:  # such as new rows in a folder that is no clone
        return True


def _show(validation: "Validation", label: str) -> None:
    from gitops_ml.forge.markdown import format_table

    headers = ["column", "rule", "failing rows", "examples"]
    rows = _violations(validation)[:MAX_SHOWN]
    title = f"{len(validation.problems)} rule(s) violated in {validation.rows} rows"
    title += f"; the first {MAX_SHOWN} are shown" if len(validation.problems) > MAX_SHOWN else ""
    console.table(title, headers, rows)
    console.append_summary(f"### ❌ {label.capitalize()}: {title}\n\n{format_table(headers, rows)}")
