"""`gitops eject`"""

from pathlib import Path

import click

from gitops_ml import bundled, console
from gitops_ml.commands import find, unknown


@click.command()
@click.argument("name")
@click.pass_obj
def command(project: Path, name: str) -> None:
    """Copy the library's files into deploy, for you to edit.

    NAME is compose, prometheus or grafana. A file that is in deploy/NAME already stays as it is. Commands read yours
    instead of the library's from then on; remove one to read the library's again.
    """
    if name not in bundled.PARTS:
        raise unknown("part", name, bundled.PARTS)
    root = find(project).root
    folder = bundled.ejected(root, name)
    copied, differing = _copy(bundled.DATA / name, folder)
    where = folder.relative_to(root)
    for file in copied:
        console.say(f"Copied {where}/{file}.")
    for file in differing:
        console.say(f"{where}/{file} differs from the library's, and stays as it is.")
    if copied:
        console.say("Commands read these files now. Commit them; `gitops docs targets` says what they do.")
    else:
        console.say(f"Nothing to do: {where} has every file.")


def _copy(source: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Copy the files that a folder lacks; their paths, and those of files that are there and differ."""
    copied, differing = [], []
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        path = file.relative_to(source)
        made = folder / path
        if not made.exists():
            made.parent.mkdir(parents=True, exist_ok=True)
            new = made.with_name(f"{made.name}.new")
            new.write_bytes(file.read_bytes())
            new.replace(made)  # whole, or not there
            copied.append(path.as_posix())
        elif made.read_bytes() != file.read_bytes():
            differing.append(path.as_posix())
    return copied, differing
