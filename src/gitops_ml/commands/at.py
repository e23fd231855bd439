"""`gitops at`"""

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find, main_revision, where

if TYPE_CHECKING:
    from gitops_ml.registry.ledger import Expired, Held, Override, Verified
    from gitops_ml.registry.past import Past


@click.command()
@click.argument("moment")
@click.option("--environment", help="Where it served.  [default: the last one in model.toml]")
@click.pass_obj
def command(project: Path, moment: str, environment: str | None) -> None:
    """Print which version served at a date, a commit or a release.

    By what main said then, and what the ledger knew: holds, overrides and smoke tests.
    """
    from gitops_ml.registry import branch, ledger, past, record

    repository = find(project)
    root, main = repository.root, main_revision(repository.root)
    environment = where(repository, environment)
    meant = past.moment(root, environment, main, moment)
    entries = record.history(root, environment, meant.revision)
    store = branch.Branch(repository)
    store.refresh()
    found = past.then(entries, ledger.read(store.root), ledger.lifted(root, meant.revision), meant.when)
    when = f"{meant.when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if found is None:
        console.say(f"Nothing was to serve in {environment} at {when}.")
        return
    title = f"{environment} at {when}: version {found.record.version}, release {found.record.release}"
    console.table(title, ["what", "which"], _rows(found))


def _rows(found: "Past") -> list[tuple[str, str]]:
    """Everything behind the version, line by line; lines without an answer are left out."""
    from gitops_ml.forge.report import number

    r, entry = found.record, found.entry
    lineage, instead = r.lineage, found.named
    said = {
        "model": f"{r.model} version {r.version}, release {r.release}",
        "merged": f"{entry.when[:19]} by {entry.who}, commit {entry.commit}",
        "verified": _fact(found.verified) or "never",
        "still answering": f"version {found.before.version}, release {found.before.release}" if found.before else "",
        "instead of": f"version {instead.version}, which main named" if instead else "",
        "held": _fact(found.held),
        "expired": _fact(found.expired),
        "override": _fact(found.override),
        "files": r.digest,
        "image": r.image or "none",
        "code": lineage.commit or "never committed",
        "data": f"{lineage.data}, {lineage.rows} rows, {lineage.holdout_rows} of them held out",
        "lock": lineage.lock or "none",
        "measured": f"{r.figure.metric} {number(r.figure.value)}",
    }
    return [(what, which) for what, which in said.items() if which]


def _fact(fact: "Verified | Held | Expired | Override | None") -> str:
    """When, by whom, and why where somebody said so."""
    if fact is None:
        return ""
    why = getattr(fact, "why", "")
    return f"{fact.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S} UTC by {fact.by}" + (f": {why}" if why else "")
