"""`gitops status`"""

from pathlib import Path
from typing import Any

import click

from gitops_ml import console
from gitops_ml.commands import find


@click.command()
@click.option("--html", "file", type=click.Path(path_type=Path), help="Write a page for a browser, too.")
@click.option("--open", "opened", is_flag=True, help="Show that page in the browser; without --html in .gitops.")
@click.pass_obj
def command(project: Path, file: Path | None, opened: bool) -> None:
    """Say who serves, since when and why, and how it fares.

    With figures, monitoring, holds, what is open, the last runs, and what all this costs. What cannot be asked is said.
    """
    from gitops_ml.commands.overview import overview
    from gitops_ml.manifest import write_atomically

    repository = find(project)
    with console.progress("status") as progress:
        progress("who serves, and what is open")
        found = overview(repository)
    _show(found)
    if opened and file is None:
        file = repository.scratch / "status.html"
    if file:
        from gitops_ml.forge.status_page import status_page

        write_atomically(file.resolve(), status_page(found))
        console.say(f"Page: {console.near(file.resolve())}")
    if file and opened:
        import webbrowser

        webbrowser.open(file.resolve().as_uri())


def _show(found: dict[str, Any]) -> None:
    from gitops_ml.forge import status_words as words

    console.table(f"{found['model']}: who serves, by main at {found['main'] or 'no commit'}",
                  words.SERVING, [words.serving(found, each) for each in found["environments"]])  # fmt: skip
    for title, headers, rows in words.tables(found):
        if rows:
            console.table(title, headers, [[str(cell) for cell in row] for row in rows])
    for line in words.sentences(found):
        console.say(line)
