"""`gitops at`"""

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find_repository, main_revision, resolve_environment

if TYPE_CHECKING:
    from gitops_ml.registry.history import DesiredState
    from gitops_ml.registry.ledger import Expired, Held, Override, Verified
    from gitops_ml.registry.record import Record


@click.command()
@click.argument("moment")
@click.option("--environment", help="The environment.  [default: the last one in model.toml]")
@click.pass_obj
def command(project: Path, moment: str, environment: str | None) -> None:
    """Print which version served at a date, a commit or a release.

    The answer uses main and the ledger as they were then, with holds, overrides and smoke tests.
    """
    from gitops_ml.registry import branch, history, ledger, record

    repository = find_repository(project)
    root, main = repository.root, main_revision(repository.root)
    environment = resolve_environment(repository, environment)
    resolved = history.resolve_moment(root, environment, main, moment)
    entries = record.load_history(root, environment, resolved.revision)
    store = branch.Branch(repository)
    store.refresh()
    lifted = ledger.load_lifted_holds(root, resolved.revision)
    served = history.desired_state_at(entries, ledger.load_facts(store.root), lifted, resolved.when)
    when = f"{resolved.when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if served is None:
        console.echo(f"No version was to serve in {environment} at {when}.")
        return
    title = f"{environment} at {when}: version {served.record.version}, release {served.record.release}"
    console.table(title, ["property", "value"], _rows(served))


def _rows(served: "DesiredState") -> list[tuple[str, str]]:
    """Return the rows of the table about a version; rows without a value are left out."""
    from gitops_ml.forge.markdown import format_number

    record, entry, replaced = served.record, served.entry, served.on_main
    lineage = record.lineage
    values = {
        "model": f"{record.model} version {record.version}, release {record.release}",
        "merged": f"{entry.when[:19]} by {entry.who}, commit {entry.commit}",
        "verified": _describe_fact(served.verified) or "never",
        "still serving": _describe_record(served.still_serving),
        "instead of": f"version {replaced.version}, which main named" if replaced else "",
        "held": _describe_fact(served.held),
        "expired": _describe_fact(served.expired),
        "override": _describe_fact(served.override),
        "files": record.digest,
        "image": _describe_image(record, served.verified),
        "code": lineage.commit or "not committed",
        "data": f"{lineage.data}, {lineage.rows} rows, {lineage.holdout_rows} of them held out",
        "lock": lineage.lock or "none",
        "measured": f"{record.figure.metric} {format_number(record.figure.value)}",
    }
    return [(name, value) for name, value in values.items() if value]


def _describe_image(record: "Record", verified: "Verified | None") -> str:
    """Return the image that served; a process serves without the image that the record names."""
    if record.image and verified and verified.image is None:
        return f"none, as a process; the record names {record.image}"
    return record.image or "none"


def _describe_record(record: "Record | None") -> str:
    """Return version and release of a record."""
    return f"version {record.version}, release {record.release}" if record else ""


def _describe_fact(fact: "Verified | Held | Expired | Override | None") -> str:
    """Return when a fact was written, by whom, and its reason if it has one."""
    if fact is None:
        return ""
    reason = getattr(fact, "why", "")
    return f"{fact.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S} UTC by {fact.by}" + (f": {reason}" if reason else "")
