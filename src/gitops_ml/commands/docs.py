"""`gitops docs`"""

from pathlib import Path

import click

from gitops_ml import console
from gitops_ml.commands import unknown_name_error


@click.command()
@click.argument("page", required=False)
@click.pass_obj
def command(project: Path, page: str | None) -> None:
    """Show a page of the documentation.

    Without PAGE, list the pages. The library contains them, so no network is needed.
    """
    from gitops_ml import manual

    pages = manual.load_pages(project)
    if page is None:
        console.echo("\n".join(f"{each.name:<20}{each.title}" for each in pages.values()))
        console.echo("\n`gitops docs PAGE` shows a page; `gitops explain ID` explains a name that a message contains.")
        return
    if page.casefold() not in pages:
        raise unknown_name_error("page", page, pages)
    console.markdown(pages[page.casefold()].text, paged=True)
