"""`gitops explain`"""

from pathlib import Path

import click

from gitops_ml import console
from gitops_ml.commands import unknown_name_error


@click.command()
@click.argument("id")
@click.pass_obj
def command(project: Path, id: str) -> None:
    """Explain a gate, a check, an alarm, an exit code or a key.

    ID is the id of a gate (CHAMPION), of a check of the doctor or of an alarm (GitopsDataDrift), an exit code (12), a
    command, a table or a key of model.toml (split.holdout), or a variable. Upper and lower case are the same.
    """
    from gitops_ml import manual

    pages = manual.load_pages(project)
    entries = manual.find_entries(id, pages)
    if not entries:
        names = {name for entry in manual.list_entries(pages) for name in entry.names}
        raise unknown_name_error("explanation of", id, names, "`gitops docs` lists the pages.")
    console.markdown("\n\n".join(f"# {entry.title}\n\n{entry.text}" for entry in entries))
