"""`gitops validate`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find
from gitops_ml.errors import DataRefused

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.contract import Yours
    from gitops_ml.training.validate import Validation

CAP = 50


@click.command()
@click.pass_obj
def command(project: Path) -> None:
    """Check every row against schema.py.

    All problems are listed at once, with examples.
    """
    from gitops_ml import contract

    repository = find(project)
    validation = checked(repository, contract.load(repository), keep=False)
    console.say(f"Accepted: {validation.rows} rows, {validation.digest[:19]}.")
    console.output("data", validation.digest)


def checked(
    repository: "Repository", yours: "Yours", *, keep: bool, part: bool = False, what: str = "data"
) -> "Validation":
    """Validate; show the problems, if there are any, and stop.

    Args:
        repository: Whose data it is.
        yours: Whose schema the rows must keep.
        keep: Return the rows too.
        part: These are some rows of many.
        what: The rows are of, in words.

    Raises:
        DataRefused: With the number of problems, after the table.
    """
    from gitops_ml.training.validate import validate

    with console.progress("validate") as progress:
        validation = validate(repository, yours, keep=keep, part=part, progress=lambda rows: progress(f"{rows} rows"))
    if validation.problems:
        _show(validation, what)
        raise DataRefused(
            f"{len(validation.problems)} rule(s) of src/{repository.config.project.package}/schema.py broken in "
            f"{validation.rows} rows of {what}.",
            "Mend the data, or, if it is right and the world has changed, the schema.",
        )
    console.summarise(f"✅ {validation.rows} rows of {what} keep the schema.")
    return validation


def _show(validation: "Validation", what: str) -> None:
    from gitops_ml.forge.report import table

    headers = ["column", "rule", "failing rows", "examples"]
    rows = [[p.column, p.check, p.failing or "", "; ".join(p.examples)] for p in validation.problems[:CAP]]
    title = f"{len(validation.problems)} rule(s) broken in {validation.rows} rows"
    title += f"; the first {CAP} are" if len(validation.problems) > CAP else ""
    console.table(title, headers, rows)
    console.summarise(f"### ❌ {what.capitalize()}: {title}\n\n{table(headers, rows)}")
