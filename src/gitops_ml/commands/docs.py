"""`gitops docs`"""

from pathlib import Path

import click

from gitops_ml import console
from gitops_ml.commands import unknown


@click.command()
@click.argument("page", required=False)
@click.pass_obj
def command(project: Path, page: str | None) -> None:
    """Show a page of the documentation.

    Without PAGE, list the pages. They come with the library, so no network is needed.
    """
    from gitops_ml import manual

    known = manual.pages(project)
    if page is None:
        console.say("\n".join(f"{each.name:<20}{each.title}" for each in known.values()))
        console.say("\n`gitops docs PAGE` shows one; `gitops explain ID` what they say about one name in a message.")
        return
    if page.casefold() not in known:
        raise unknown("page", page, known)
    console.markdown(known[page.casefold()].text, paged=True)
