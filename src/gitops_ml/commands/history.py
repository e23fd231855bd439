"""`gitops history`"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find, main_revision, where

if TYPE_CHECKING:
    from gitops_ml.registry.past import Period


@click.command()
@click.option("--environment", help="Which record.  [default: the last one in model.toml]")
@click.pass_obj
def command(project: Path, environment: str | None) -> None:
    """Print which version served when.

    By main and the ledger: by whose merge, or which hold or override, whether it was verified, and how good it was.
    """
    from gitops_ml.registry import branch, ledger, past, record

    repository = find(project)
    root, environment = repository.root, where(repository, environment)
    main = main_revision(root)
    entries = record.history(root, environment, main)
    if not entries:
        console.say(f"No version was promoted to {environment} yet.")
        return
    store = branch.Branch(repository)
    store.refresh()
    facts = [fact for fact in ledger.read(store.root) if fact.environment == environment]
    periods = past.periods(entries, facts, past.lifts(root, main), datetime.now(UTC))
    headers = ["release", "version", "from", "until", "served", "merged by", "measured", "code", "data", "merge"]
    console.table(f"What was to serve in {environment}, newest first", headers, [_row(period) for period in periods])


def _row(period: "Period") -> list[str]:
    """One line of the table."""
    from gitops_ml.forge.report import number

    times = [_moment(period.start), _moment(period.until) if period.until else "now"]
    if period.past is None:
        return ["–", "none", *times, "no: the record was removed, or nothing may", "", "", "", "", ""]
    r, entry = period.past.record, period.past.entry
    measured, code = f"{r.figure.metric} {number(r.figure.value)}", (r.lineage.commit or "")[:9]
    return [
        r.release, r.version, *times, _served(period), entry.who, measured, code, r.lineage.data[7:16], entry.commit[:9]
    ]  # fmt: skip


def _served(period: "Period") -> str:
    """Whether it answered, and what brought it where main names another."""
    past = period.past
    assert past is not None  # noqa: S101 (the caller asks)
    late = period.answered is not None and period.answered > period.start
    words = "never verified" if period.answered is None else f"from {_moment(period.answered)}" if late else "yes"
    if past.override:
        return f"{words}; override by {past.override.by}: {past.override.why}"
    if past.held and past.named:
        return f"{words}; version {past.named.version} was held: {past.held.why}"
    return words


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
