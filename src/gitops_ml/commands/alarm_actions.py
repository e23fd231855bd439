"""Actions on alarms: a webhook message when an alarm begins or ends, a training, and one issue for each alarm."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gitops_ml import console
from gitops_ml.bins import bin_counts, bin_labels
from gitops_ml.errors import GitopsError
from gitops_ml.forge import alarm_issue as issues
from gitops_ml.forge import pull_request, train_runs
from gitops_ml.forge.markdown import escape
from gitops_ml.monitoring import monitoring_history as stored_history
from gitops_ml.monitoring.retrain import RetrainContext, RetrainDecision, decide_retraining
from gitops_ml.monitoring.webhook import post
from gitops_ml.registry import stored_monitoring
from gitops_ml.registry.propose import load_proposed_record, promotion_branch
from gitops_ml.registry.reconcile import open_ledger

if TYPE_CHECKING:
    from gitops_ml.commands.deploy_context import DeployContext
    from gitops_ml.forge.github import GitHub
    from gitops_ml.monitoring.alarm_changes import AlarmChanges
    from gitops_ml.monitoring.monitoring_history import MonitoringHistory
    from gitops_ml.monitoring.window import Finding, Window
    from gitops_ml.registry.record import Record

LISTED = 10  # windows in an issue
# Advice for alarms that a training cannot end.
ADVICE = {
    "missing values": "No training is started, because the model would only learn the missing values. Find the system "
                      "that fills this column, and fix it.",
    "refused requests": "Callers send rows that `schema.py` refuses. The responses name the column and the rule. Find "
                        "the caller that changed its rows, or change the schema by a pull request.",
    "failed requests": "Read the cause in the servers' logs. `gitops rollback --now --why ...` restores the previous "
                       "version at once.",
    "slow requests": "Check the load and the number of replicas. `gitops rollback --now --why ...` restores a faster "
                     "version at once.",
}  # fmt: skip


def act_on_alarms(
    context: "DeployContext", record: "Record", changes: "AlarmChanges", reference: Mapping[str, Any]
) -> None:
    """Post messages, start a training and update issues, as the stored alarms require. Repeating it changes nothing.

    Args:
        context: The environment.
        record: Record of the version that serves.
        changes: The stored history, and the alarms that started and ended in this run.
        reference: Reference distributions of the version that serves.

    Raises:
        GitopsError: A training could not be decided on or requested; the issues were updated all the same.
    """
    _post_messages(context, changes)
    history, decision, error = _train_if_useful(context, record, changes.history)
    if decision:
        context.announce(decision.text)
    if context.github:
        context.retry(_update_issues, context, context.github, record, history, reference, decision)
    if error:
        raise error


def close_alarm_issues(context: "DeployContext") -> None:
    """Close all alarm issues of an environment that is not monitored, or in which no version serves.

    Args:
        context: The environment.
    """
    if context.github:
        context.retry(_close_issues, context, context.github, set())


def _train_if_useful(
    context: "DeployContext", record: "Record", history: "MonitoringHistory"
) -> "tuple[MonitoringHistory, RetrainDecision | None, GitopsError | None]":
    """Request a training if it may end an alarm. An error is returned, so that it does not hide the alarm."""
    if not history.state.alarms:
        return history, None, None
    try:
        decision = _load_and_decide(context, record, history)
        if decision and decision.keys:
            return _request_training(context, record, history, decision)
    except GitopsError as error:
        text = f"This run could not determine whether a training would help: {escape(error.problem)}"
        return history, RetrainDecision((), text), error
    return history, decision, None


def _post_messages(context: "DeployContext", changes: "AlarmChanges") -> None:
    """Post one webhook message for the alarms that began, and one for those that ended."""
    variable, name = context.repository.config.monitoring.webhook_env, context.repository.config.project.name
    for keys, verb, title in ((changes.started, "began", "Alarm"), (changes.ended, "ended", "Over")):
        if keys:
            run = f" {changes.history.state.run}" if changes.history.state.run else ""
            error = post(variable, f"{name} in {context.environment}: {verb}: {'; '.join(keys)}.{run}")
            context.announce(f"{title}: {'; '.join(keys)}.")
            if error:
                console.warn(error)


def _load_and_decide(
    context: "DeployContext", record: "Record", history: "MonitoringHistory"
) -> RetrainDecision | None:
    """Decide on a training with the present data and proposals."""
    return _decide(context, history, _load_prospects(context, record, history))


def _decide(
    context: "DeployContext", history: "MonitoringHistory", prospects: RetrainContext
) -> RetrainDecision | None:
    """Decide on a training at the present time."""
    return decide_retraining(context.repository.config.monitoring.retrain, history.state, datetime.now(UTC), prospects)


def _load_prospects(context: "DeployContext", record: "Record", history: "MonitoringHistory") -> RetrainContext:
    """Return what a training of main would use, and what is proposed or running already."""
    root, github, requests = context.repository.root, context.github, history.state.asked
    open_now = pull_request.find_open(github, promotion_branch(context.environment)) if github else None
    proposed = load_proposed_record(root, context.environment) if open_now else None
    last_run = train_runs.status_of_retraining(github, requests[-1].at) if github and requests else None
    data = _data_digest(context)
    return RetrainContext(record.version, record.lineage.data, data, proposed.version if proposed else None, last_run)


def _data_digest(context: "DeployContext") -> str | None:
    """Return the digest of the data files; None for a query, whose digest is unknown without reading the database."""
    from gitops_ml.training.data import digest_files

    return digest_files(context.repository) if context.repository.config.data.path else None


def _request_training(
    context: "DeployContext", record: "Record", history: "MonitoringHistory", decision: RetrainDecision
) -> "tuple[MonitoringHistory, RetrainDecision | None, GitopsError | None]":
    """Note a training in the store, then request it.

    If the run is cancelled between the two, the next run waits for the cool-down and requests the training once.

    Returns:
        The history with the note, the decision to print, and the error that the request raised, if any.
    """
    if context.github is None:
        text = f"{'; '.join(decision.keys)}: without GITHUB_TOKEN, no training is started. Run `gitops train`."
        return history, RetrainDecision((), text), None
    prospects, environment = _load_prospects(context, record, history), context.environment

    def add_note(stored: stored_monitoring.StoredMonitoring) -> stored_monitoring.StoredMonitoring | None:
        newest = stored_history.parse_history(stored.windows, stored.state, environment)
        confirmed = _decide(context, newest, prospects)
        if not confirmed or not confirmed.keys or newest.state.digest != record.digest:
            return None
        asked = stored_history.RetrainRequest(
            at=datetime.now(UTC), keys=list(confirmed.keys), digest=record.digest, data=prospects.data,
            by=context.actor,
        )  # fmt: skip
        state = newest.state.model_copy(update={"asked": [*newest.state.asked, asked]})
        return stored_monitoring.StoredMonitoring(stored.windows, state.model_dump(mode="json"))

    branch, message = open_ledger(context.repository, context.store), f"Monitoring: {environment} asks for a training"
    noted = stored_monitoring.update_monitoring(branch, environment, message, add_note)
    newest = noted or stored_monitoring.load_monitoring(branch, environment)
    history = stored_history.parse_history(newest.windows, newest.state, environment)
    if not noted:
        return history, _load_and_decide(context, record, history), None
    try:
        train_runs.dispatch_retraining(context.github, _payload(context, record, history.state.asked[-1].keys))
    except GitopsError as error:
        return history, _load_and_decide(context, record, history), error
    # GitHub lists a new run only after a moment, so its state is set here.
    return history, _decide(context, history, replace(prospects, last_run="running")), None


def _payload(context: "DeployContext", record: "Record", keys: list[str]) -> dict[str, str]:
    """Return the reason for the training and the source of new rows, which the run displays."""
    config = context.repository.config
    return {
        "alarm": "; ".join(keys)[:500], "environment": context.environment, "version": record.version,
        "data": config.data.path or "query", "source": config.ingest.source, "run": context.actor,
    }  # fmt: skip


def _update_issues(
    context: "DeployContext", github: "GitHub", record: "Record", history: "MonitoringHistory",
    reference: Mapping[str, Any], decision: RetrainDecision | None,
) -> None:  # fmt: skip
    """Open or update an issue for each alarm, or for a group of columns, and close the other issues."""
    wanted = _collect_issues(context, record, history, reference, decision)
    for issue in wanted:
        context.announce(issues.update_issue(github, issue))
    _close_issues(context, github, {issue.title for issue in wanted})


def _close_issues(context: "DeployContext", github: "GitHub", kept: set[str]) -> None:
    """Close all alarm issues except those with these titles."""
    for page in issues.close_other_issues(github, context.environment, kept):
        context.announce(f"Closed {page}: the alarm is over.")


def _collect_issues(
    context: "DeployContext", record: "Record", history: "MonitoringHistory", reference: Mapping[str, Any],
    decision: RetrainDecision | None,
) -> list[issues.AlarmIssue]:  # fmt: skip
    """Return the issues of the present alarms. Columns that drift together share one issue."""
    windows = [window for window in history.windows if window.digest == record.digest][-LISTED:][::-1]
    groups: dict[tuple[str, str], list[str]] = {}
    for key, alarm in history.state.alarms.items():
        kind, _, _ = key.partition(": ")
        groups.setdefault((kind, "" if alarm.together else key), []).append(key)
    return [
        issues.AlarmIssue(
            environment=context.environment, model=record.model, version=record.version, kind=kind,
            since=min(history.state.alarms[key].since for key in keys), parts=_parts(keys, windows, reference),
            is_grouped=not single, next_step=ADVICE.get(kind) or (decision.text if decision else ""),
            run_url=history.state.run,
        )
        for (kind, single), keys in groups.items()
    ]  # fmt: skip


def _parts(keys: list[str], windows: "list[Window]", reference: Mapping[str, Any]) -> tuple[issues.AlarmPart, ...]:
    """Return the parts of an issue, the largest latest value first."""
    parts = [_part(key, windows, reference) for key in keys]
    return tuple(sorted(parts, key=lambda part: -(part.windows[0].value or 0) if part.windows else 0))


def _part(key: str, windows: "list[Window]", reference: Mapping[str, Any]) -> issues.AlarmPart:
    """Return the part of an issue about one alarm, with its results in the last windows, newest first."""
    results = [(window, finding) for window in windows for finding in window.findings if finding.key == key]
    rows = tuple(
        issues.AlarmWindow(window.until, finding.verdict, finding.value, finding.alarm, window.seen.rows)
        for window, finding in results
    )
    if not results:
        return issues.AlarmPart(key.partition(": ")[2], "The last windows have no result for it.", ())
    window, finding = results[0]
    return issues.AlarmPart(finding.subject or "", finding.words, rows, _bins(window, finding, reference))


def _bins(window: "Window", finding: "Finding", reference: Mapping[str, Any]) -> tuple[issues.BinShares, ...]:
    """Return reference and current shares by bin; empty for an alarm that is not about a distribution."""
    if finding.kind == "prediction drift":
        described, current = reference["prediction"], window.seen.prediction
    elif finding.subject in window.seen.columns and finding.kind in ("data drift", "missing values"):
        described, current = reference["columns"][finding.subject], window.seen.columns[finding.subject]
    else:
        return ()
    counts = bin_counts(described)
    if not sum(counts) or not sum(current) or len(counts) != len(current):
        return ()
    bins = zip(bin_labels(described), counts, current, strict=True)
    return tuple(issues.BinShares(name, before / sum(counts), now / sum(current)) for name, before, now in bins)
