"""Evaluation of a window: its findings, its verdict, and the alarms that enough recent windows confirm."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gitops_ml.monitoring.drift import detect_drift
from gitops_ml.monitoring.missing_values import detect_missing_values
from gitops_ml.monitoring.performance_decay import PromotedMetric, detect_decay
from gitops_ml.monitoring.service_health import check_service_health
from gitops_ml.monitoring.snapshot import Snapshot
from gitops_ml.monitoring.window import Finding, Verdict, Window
from gitops_ml.monitoring_config import MonitoringConfig


def evaluate_window(
    monitoring: MonitoringConfig, identity: tuple[str, str, str], reference: Mapping[str, Any], snapshot: Snapshot,
    until: datetime, past: Sequence[Window], promoted: PromotedMetric,
) -> Window:  # fmt: skip
    """Return the window that a snapshot of a served version makes.

    Args:
        monitoring: Thresholds.
        identity: Environment, version and digest.
        reference: Content of the version's reference.json.
        snapshot: Counts of the window, and rows whose outcome is known.
        until: End of the window.
        past: Earlier windows since the version serves, oldest first; those of other versions are ignored.
        promoted: Metric that the version was promoted with.
    """
    environment, version, digest = identity
    findings = [
        *detect_drift(monitoring, reference, snapshot.counts),
        *detect_missing_values(monitoring, reference, snapshot.counts),
        *check_service_health(monitoring, snapshot.counts),
        *([detect_decay(monitoring, promoted, snapshot.labeled)] if snapshot.labeled else []),
    ]
    alarms = find_alarms(monitoring, [window for window in past if window.digest == digest], findings)
    return Window(
        environment=environment, version=version, digest=digest, start=snapshot.start, until=until,
        seen=snapshot.counts, findings=findings, alarms=alarms, verdict=_verdict(findings, alarms),
    )  # fmt: skip


def find_alarms(monitoring: MonitoringConfig, past: Sequence[Window], findings: Sequence[Finding]) -> list[str]:
    """Return the keys that are an alarm in `alarms` of the last `windows` windows, the current one included.

    A window with insufficient data about a key is skipped for this key, so missing evidence does not end an alarm.

    Args:
        monitoring: Configuration with `alarms` and `windows`.
        past: Earlier windows of the version, oldest first.
        findings: Findings of the current window.
    """
    before = [{finding.key: finding.verdict for finding in window.findings} for window in reversed(past)]
    alarms = []
    for finding in findings:
        verdicts = [finding.verdict, *(window[finding.key] for window in before if finding.key in window)]
        evaluated = [verdict for verdict in verdicts if verdict != "insufficient data"][: monitoring.windows]
        is_left_out = finding.kind == "data drift" and finding.subject in monitoring.left_out
        if not is_left_out and evaluated.count("alarm") >= monitoring.alarms:
            alarms.append(finding.key)
    return alarms


def _verdict(findings: Sequence[Finding], alarms: Sequence[str]) -> Verdict:
    """Return the worst verdict; "insufficient data" if no drift could be evaluated."""
    verdicts = {finding.verdict for finding in findings}
    if alarms:
        return "alarm"
    if verdicts & {"alarm", "warning"}:
        return "warning"
    drift = [
        finding.verdict for finding in findings
        if finding.kind in ("data drift", "prediction drift") and finding.verdict != "left out"
    ]  # fmt: skip
    return "insufficient data" if all(verdict == "insufficient data" for verdict in drift) else "ok"
