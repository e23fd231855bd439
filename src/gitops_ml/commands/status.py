"""`gitops status`"""

from pathlib import Path
from typing import Any

import click

from gitops_ml import console
from gitops_ml.commands import find_repository


@click.command()
@click.option("--html", "file", type=click.Path(path_type=Path), help="Also write the status as an HTML page.")
@click.option(
    "--open", "opened", is_flag=True,
    help="Open the page in the browser. Without --html, the page is .gitops/status.html.",
)  # fmt: skip
@click.pass_obj
def command(project: Path, file: Path | None, opened: bool) -> None:
    """Show which versions serve, since when and why.

    It also shows metrics, monitoring, holds, open pull requests and issues, the last workflow runs, and the cost. A
    source that cannot be reached is named.
    """
    from gitops_ml.commands.overview import collect_overview
    from gitops_ml.manifest import write_atomically

    repository = find_repository(project)
    with console.progress("status") as progress:
        progress("overview")
        overview = collect_overview(repository)
    _show(overview)
    if opened and file is None:
        file = repository.scratch / "status.html"
    if file:
        from gitops_ml.forge.status_page import render_status_page

        write_atomically(file.resolve(), render_status_page(overview))
        console.echo(f"Page: {console.relative_path(file.resolve())}")
    if file and opened:
        import webbrowser

        webbrowser.open(file.resolve().as_uri())


def _show(overview: dict[str, Any]) -> None:
    from gitops_ml.forge import status_text as texts

    title = f"{overview['model']}: versions that serve, according to main at {overview['main'] or 'no commit'}"
    serving_rows = [texts.serving_row(overview, environment) for environment in overview["environments"]]
    console.table(title, texts.SERVING_HEADERS, serving_rows)
    for title, headers, rows in texts.build_tables(overview):
        if rows:
            console.table(title, headers, [[str(cell) for cell in row] for row in rows])
    for line in texts.build_sentences(overview):
        console.echo(line)
