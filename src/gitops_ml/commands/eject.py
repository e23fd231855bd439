"""`gitops eject`"""

from pathlib import Path

import click

from gitops_ml import bundled, console
from gitops_ml.commands import find_repository, unknown_name_error


@click.command()
@click.argument("name")
@click.pass_obj
def command(project: Path, name: str) -> None:
    """Copy files of the library into the repository for you to edit.

    NAME is compose, prometheus or grafana, whose files go to deploy/NAME: commands read each copied file instead of the
    library's file; to use the library's file again, remove your copy. Or NAME is notebooks: notebooks/champion.ipynb
    loads the champion. Existing files are not overwritten.
    """
    if name not in bundled.PARTS:
        raise unknown_name_error("part", name, bundled.PARTS)
    root = find_repository(project).root
    folder = bundled.ejected_folder(root, name)
    copied, differing = _copy(bundled.DATA / name, folder)
    relative = folder.relative_to(root)
    for file in copied:
        console.echo(f"Copied {relative}/{file}.")
    for file in differing:
        console.echo(f"{relative}/{file} differs from the library's file and was not overwritten.")
    if copied and name == bundled.NOTEBOOKS:
        console.echo("Open it with Jupyter, with the Python of `.venv`.")
    elif copied:
        console.echo("Commands read these files now. Commit them; `gitops docs targets` explains them.")
    else:
        console.echo(f"Nothing to do: {relative} has every file.")


def _copy(source: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Copy the files that a folder lacks.

    Returns:
        The relative paths of the copied files, and of existing files with other content.
    """
    copied, differing = [], []
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        path = file.relative_to(source)
        target = folder / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f"{target.name}.new")
            partial.write_bytes(file.read_bytes())
            partial.replace(target)  # atomic: a reader never sees half a file
            copied.append(path.as_posix())
        elif target.read_bytes() != file.read_bytes():
            differing.append(path.as_posix())
    return copied, differing
