"""`gitops history`"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find_repository, main_revision, resolve_environment

if TYPE_CHECKING:
    from gitops_ml.registry.history import DesiredState, ServingPeriod


@click.command()
@click.option("--environment", help="The environment.  [default: the last one in model.toml]")
@click.pass_obj
def command(project: Path, environment: str | None) -> None:
    """Print the versions that were to serve, and if they did.

    For each period, the table shows the merge, hold or override behind it, whether the version was verified, and its
    metric. It is computed from main and the ledger.
    """
    from gitops_ml.registry import branch, history, ledger, record

    repository = find_repository(project)
    root, environment = repository.root, resolve_environment(repository, environment)
    main = main_revision(root)
    entries = record.load_history(root, environment, main)
    if not entries:
        console.echo(f"No version has been promoted to {environment} yet.")
        return
    store = branch.Branch(repository)
    store.refresh()
    facts = [fact for fact in ledger.load_facts(store.root) if fact.environment == environment]
    periods = history.serving_periods(entries, facts, history.load_hold_lifts(root, main), datetime.now(UTC))
    headers = ["release", "version", "from", "until", "served", "merged by", "measured", "code", "data", "merge"]
    console.table(
        f"Versions that were to serve in {environment}, newest first", headers, [_row(period) for period in periods]
    )


def _row(period: "ServingPeriod") -> list[str]:
    """Return the table row of a period."""
    from gitops_ml.forge.markdown import format_number

    times = [_format_time(period.start), _format_time(period.until) if period.until else "now"]
    if period.desired is None:
        return ["–", "none", *times, "no: the record was removed, or no version may serve", "", "", "", "", ""]
    record, entry = period.desired.record, period.desired.entry
    lineage = record.lineage
    return [
        record.release, record.version, *times, _describe_serving(period, period.desired), entry.who,
        f"{record.figure.metric} {format_number(record.figure.value)}", (lineage.commit or "")[:9], lineage.data[7:16],
        entry.commit[:9],
    ]  # fmt: skip


def _describe_serving(period: "ServingPeriod", desired: "DesiredState") -> str:
    """Return since when the version served, and why it served if main names another version."""
    if period.serving_since is None:
        since = "never verified"
    else:
        since = f"from {_format_time(period.serving_since)}" if period.serving_since > period.start else "yes"
    if desired.record.overruled:
        since = f"{since}; gates overruled by {desired.record.overruled.by}: {desired.record.overruled.why}"
    if desired.override:
        return f"{since}; override by {desired.override.by}: {desired.override.why}"
    if desired.held and desired.on_main:
        return f"{since}; version {desired.on_main.version} was held: {desired.held.why}"
    return since


def _format_time(when: datetime) -> str:
    """Return a time in UTC, in ISO 8601 format with seconds."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
