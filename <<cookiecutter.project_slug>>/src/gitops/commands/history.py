# machinery
"""`gitops history`"""

from pathlib import Path

import click

from gitops import console
from gitops.commands import find, main_revision


@click.command()
@click.option("--environment", default="production", show_default=True, help="Which record.")
@click.pass_obj
def command(project: Path, environment: str) -> None:
    """Print which version was champion when.

    By whose merge, and how good it was; from Git alone.
    """
    from gitops.forge.report import number
    from gitops.registry import record

    root = find(project).root
    entries = record.history(root, environment, main_revision(root))
    if not entries:
        console.say(f"No version was promoted to {environment} yet.")
        return
    rows = []
    for entry, until in zip(entries, ["now", *(e.when[:19] for e in entries)], strict=False):
        r = entry.record
        trained = (r.lineage.commit or "")[:9]
        measured = f"{r.figure.metric} {number(r.figure.value)}"
        data, merge = r.lineage.data[7:16], entry.commit[:9]
        rows.append([r.release, r.version, entry.when[:19], until, entry.who, measured, trained, data, merge])
    headers = ["release", "version", "from", "until", "merged by", "measured", "code", "data", "merge"]
    console.table(f"Champions of {environment}, newest first", headers, rows)
