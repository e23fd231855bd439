"""`gitops monitor`"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_ml import console
from gitops_ml.commands import find_champion, find_repository, resolve_environment
from gitops_ml.errors import AlarmRaised, GitopsError

if TYPE_CHECKING:
    from gitops_ml.commands.deploy_context import DeployContext
    from gitops_ml.monitoring.alarm_changes import AlarmChanges
    from gitops_ml.monitoring.monitoring_history import MonitoringHistory
    from gitops_ml.monitoring.snapshot import Snapshot, SnapshotRequest
    from gitops_ml.monitoring.window import Finding, Window
    from gitops_ml.registry.record import Record
    from gitops_ml.registry.stored_monitoring import StoredMonitoring

# Scheduled runs start late, by different delays: a window is complete after this fraction of its length.
COMPLETE_FRACTION = 0.9
VERDICTS_WORST_FIRST = ("alarm", "warning", "insufficient data", "left out", "ok")


@click.command()
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT",
    help="The environment to monitor.  [default: the last one in model.toml]",
)  # fmt: skip
@click.option(
    "--now", is_flag=True, envvar="GITOPS_NOW", help="Judge the rows since the last window, even if there are few."
)
@click.option(
    "--output", "out", type=click.Path(path_type=Path), help="The folder to write.  [default: .gitops/monitoring]"
)
@click.option("--exit-code", is_flag=True, help="Exit with 6 while there is an alarm.")
@click.pass_obj
def command(project: Path, environment: str | None, now: bool, out: Path | None, exit_code: bool) -> None:
    """Judge drift, performance and errors in production.

    Each run judges the window since the last one. An alarm keeps one issue open, and starts a training where new data
    may help.
    """
    repository = find_repository(project)
    environment = resolve_environment(repository, environment or None)
    from gitops_ml.commands.alarm_actions import act_on_alarms, close_alarm_issues
    from gitops_ml.commands.deploy_context import open_deploy_context

    context = open_deploy_context(repository, environment)
    if repository.config.monitoring.source == "none":
        console.echo("Monitoring is off: set `source` under [monitoring] in model.toml (`gitops docs monitoring`).")
        close_alarm_issues(context)
        return
    context.refresh()
    record = find_champion(repository, environment, context.store)
    if record is None:
        context.announce(f"No version serves in {environment} yet, so there is nothing to monitor.")
        close_alarm_issues(context)
        return
    reference = _load_reference(context, record)
    changes, failure = _judge_window(context, record, reference, insist=now)
    console.set_output("verdict", _show(changes.history, record, reference, out or repository.scratch / "monitoring"))
    act_on_alarms(context, record, changes, reference)
    if failure:
        raise failure
    if exit_code and changes.history.state.alarms:
        raise AlarmRaised(
            f"{environment} is in alarm: {'; '.join(changes.history.state.alarms)}.",
            "Follow the issue that monitoring keeps open.",
        )


def _load_reference(context: "DeployContext", record: "Record") -> dict[str, Any]:
    """Return the reference statistics from the verified files of the version; the model file is not opened."""
    from gitops_ml import run
    from gitops_ml.registry.versions import download_version, version_folder

    folder = version_folder(context.repository, record.version, record.digest)
    download_version(context.store, context.repository.config.project.name, record.version, record.digest, folder)
    reference: dict[str, Any] = json.loads((folder / run.REFERENCE).read_bytes())
    return reference


def _judge_window(
    context: "DeployContext", record: "Record", reference: Mapping[str, Any], *, insist: bool
) -> "tuple[AlarmChanges, GitopsError | None]":
    """Judge the next window if it is complete; return the new history, and the error if no data could be read."""
    from gitops_ml.monitoring.alarm_changes import AlarmChanges
    from gitops_ml.monitoring.snapshot import SnapshotRequest

    monitoring, until = context.repository.config.monitoring, datetime.now(UTC)
    if monitoring.source == "log":  # the newest rows are not written to the sink yet
        until -= timedelta(seconds=2 * context.repository.config.log.flush_seconds)
    previous = _load_history(context, record, until)
    last, hours = previous.history.state.until, monitoring.window_hours
    if last and not insist and until - last < timedelta(hours=COMPLETE_FRACTION * hours):
        after = last + timedelta(hours=COMPLETE_FRACTION * hours)
        context.announce(
            f"The window until {_time(last)} is judged already; the next one is complete at {_time(after)}. Use --now "
            "to judge it now."
        )
        return previous, None
    request = SnapshotRequest(record.version, reference, last, until, hours)
    try:
        snapshot = _take_snapshot(context, request, previous.history)
    except GitopsError as error:
        return previous, error
    for note in snapshot.notes:
        console.warn(note)
    changes = _store_window(context, record, request, snapshot, previous.history)
    return AlarmChanges(changes.history, changes.started, (*previous.ended, *changes.ended)), None


def _take_snapshot(context: "DeployContext", request: "SnapshotRequest", history: "MonitoringHistory") -> "Snapshot":
    """Read the window from the source that model.toml configures."""
    monitoring, log = context.repository.config.monitoring, context.repository.config.log
    if monitoring.source == "metrics":
        from gitops_ml.monitoring.sources import scrape_source

        return scrape_source.scrape_servers(monitoring.urls, request, history.state.servers)
    if monitoring.source == "prometheus":
        from gitops_ml.monitoring.sources import prometheus_source

        return prometheus_source.query_prometheus(monitoring.prometheus or "", monitoring.selector, request)
    from gitops_ml.monitoring.sources.log_source import LogReader, read_log

    return read_log(LogReader(log.sink, context.repository.root), request, log.hashed)


def _load_history(context: "DeployContext", record: "Record", at: datetime) -> "AlarmChanges":
    """Return the stored history; when another version serves than before, store and return a new history."""
    from gitops_ml.monitoring import alarm_changes, monitoring_history
    from gitops_ml.registry import stored_monitoring
    from gitops_ml.registry.reconcile import open_ledger

    branch, environment, ended = open_ledger(context.repository, context.store), context.environment, tuple[str, ...]()
    stored = stored_monitoring.load_monitoring(branch, environment)
    history = monitoring_history.parse_history(stored.windows, stored.state, environment)
    if history.state.digest in ("", record.digest):
        return alarm_changes.change_version(history, record.digest, at)

    def start_history(newest: "StoredMonitoring") -> "StoredMonitoring | None":
        nonlocal ended
        changes = alarm_changes.change_version(
            monitoring_history.parse_history(newest.windows, newest.state, environment), record.digest, at
        )
        ended = changes.ended
        return stored_monitoring.StoredMonitoring(newest.windows, changes.history.state.model_dump(mode="json"))

    stored_monitoring.update_monitoring(
        branch, environment, f"Monitoring: version {record.version} serves in {environment}", start_history
    )
    return alarm_changes.AlarmChanges(history.for_version(record.digest, at), ended=ended)


def _store_window(
    context: "DeployContext",
    record: "Record",
    request: "SnapshotRequest",
    snapshot: "Snapshot",
    before: "MonitoringHistory",
) -> "AlarmChanges":
    """Judge the window and store it, unless another run has judged it in the meantime."""
    from gitops_ml.commands.decay_measurement import load_expected_performance
    from gitops_ml.forge.workflow_dispatch import run_url
    from gitops_ml.monitoring import alarm_changes, monitoring_history
    from gitops_ml.monitoring.evaluate_window import evaluate_window
    from gitops_ml.registry import stored_monitoring
    from gitops_ml.registry.reconcile import open_ledger

    monitoring, version = context.repository.config.monitoring, (context.environment, record.version, record.digest)
    expected = load_expected_performance(context.repository, record)
    window = evaluate_window(
        monitoring, version, request.reference, snapshot, request.until, before.current_windows, expected
    )
    page = run_url(context.github) if context.github else ""
    state = monitoring_history.MonitoringState(
        digest=record.digest, until=request.until, servers=dict(snapshot.servers), run=page
    )
    changes: AlarmChanges | None = None

    def add_window(newest: "StoredMonitoring") -> "StoredMonitoring | None":
        nonlocal changes
        history = monitoring_history.parse_history(newest.windows, newest.state, context.environment).for_version(
            record.digest, request.until
        )
        if history.state.until != before.state.until:
            changes = alarm_changes.AlarmChanges(history)
            return None
        changes = alarm_changes.add_window(monitoring, history, window, state)
        lines = [*newest.windows, window.model_dump(mode="json")][-monitoring.keep_windows :]
        return stored_monitoring.StoredMonitoring(lines, changes.history.state.model_dump(mode="json"))

    message = f"Monitoring: {window.verdict} in {context.environment}, version {record.version}"
    branch = open_ledger(context.repository, context.store)
    if stored_monitoring.update_monitoring(branch, context.environment, message, add_window) is None:
        context.announce("Another run judged this window in the meantime.")
    assert changes is not None  # noqa: S101 (`add_window` was called)
    return changes


def _show(history: "MonitoringHistory", record: "Record", reference: Mapping[str, Any], out: Path) -> str:
    """Print the last window, write the report files, and return the verdict."""
    from gitops_ml.forge.markdown import escape, format_number
    from gitops_ml.forge.markdown import format_table as markdown
    from gitops_ml.forge.monitoring_page import render_monitoring_page
    from gitops_ml.manifest import write_atomically

    if not history.current_windows:
        return "insufficient data"
    last = history.current_windows[-1]
    findings = sorted(last.findings, key=lambda finding: VERDICTS_WORST_FIRST.index(finding.verdict))
    rows = [_row(finding, last) for finding in findings]
    headers = ["finding", "verdict", "value", "alarm from", ""]
    title = f"Version {last.version} in {last.environment}, {_time(last.start)} to {_time(last.until)}: {last.verdict}"
    deviations = [
        [key, verdict, format_number(value), format_number(alarm), text]
        for key, verdict, value, alarm, text in rows
        if verdict != "ok"
    ]
    summary = f"{len(rows) - len(deviations)} of {len(rows)} findings are as in training."
    if deviations:
        console.table(title, headers, deviations)
    console.echo(summary if deviations else f"{title}. {summary}")
    console.append_summary(f"### {escape(title)}\n\n{markdown(headers, deviations) if deviations else ''}\n\n{summary}")
    write_atomically(out / "window.json", last.to_json())
    windows = [window.model_dump(mode="json") for window in history.windows]
    write_atomically(out / "windows.json", json.dumps(windows, ensure_ascii=False) + "\n")
    write_atomically(out / "reference.json", json.dumps(reference, ensure_ascii=False) + "\n")
    page_data = {
        "windows": windows, "alarms": list(history.state.alarms), "reference": reference,
        "environment": last.environment, "version": record.version, "digest": record.digest, "release": record.release,
    }  # fmt: skip
    write_atomically(out / "report.html", render_monitoring_page(page_data))
    console.echo(f"Verdict: {last.verdict}. The data and the report are in {console.relative_path(out)}.")
    return last.verdict


def _row(finding: "Finding", window: "Window") -> tuple[str, str, float | None, float | None, str]:
    """Return the table row of a finding; an alarm in this window alone is marked as not confirmed."""
    is_single = finding.verdict == "alarm" and finding.key not in window.alarms
    return (
        finding.key,
        "alarm, not confirmed" if is_single else finding.verdict,
        finding.value,
        finding.alarm,
        finding.words,
    )


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
