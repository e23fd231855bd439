# machinery
"""`gitops history`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops import console
from gitops.commands import find, main_revision, where

if TYPE_CHECKING:
    from gitops.registry.record import Entry


@click.command()
@click.option("--environment", help="Which record.  [default: the last one in model.toml]")
@click.pass_obj
def command(project: Path, environment: str | None) -> None:
    """Print which version was champion when.

    By whose merge, and how good it was; from Git alone.
    """
    from gitops.registry import record

    repository = find(project)
    root, environment = repository.root, where(repository, environment)
    entries = record.history(root, environment, main_revision(root))
    if not entries:
        console.say(f"No version was promoted to {environment} yet.")
        return
    untils = ["now", *(entry.when[:19] for entry in entries)]
    rows = [_row(entry, until) for entry, until in zip(entries, untils, strict=False)]
    headers = ["release", "version", "from", "until", "merged by", "measured", "code", "data", "merge"]
    console.table(f"Champions of {environment}, newest first", headers, rows)


def _row(entry: "Entry", until: str) -> list[str]:
    """One line of the table."""
    from gitops.forge.report import number

    period, r = [entry.when[:19], until, entry.who], entry.record
    if r is None:
        return ["–", "none", *period, "the record was removed", "", "", entry.commit[:9]]
    measured, code = f"{r.figure.metric} {number(r.figure.value)}", (r.lineage.commit or "")[:9]
    return [r.release, r.version, *period, measured, code, r.lineage.data[7:16], entry.commit[:9]]
