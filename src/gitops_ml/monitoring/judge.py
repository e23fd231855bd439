"""The verdict of a window: its findings, and what showed in enough of the last windows to be an alarm."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gitops_ml.monitoring.conduct import conduct
from gitops_ml.monitoring.drift import drift
from gitops_ml.monitoring.look import Look
from gitops_ml.monitoring.missing import missing
from gitops_ml.monitoring.performance import Promise, performance
from gitops_ml.monitoring.window import Finding, Verdict, Window
from gitops_ml.watch import Monitoring


def judge(
    monitoring: Monitoring, named: tuple[str, str, str], reference: Mapping[str, Any], look: Look, until: datetime,
    past: Sequence[Window], promise: Promise,
) -> Window:  # fmt: skip
    """What a look says of a version.

    Args:
        monitoring: The thresholds.
        named: Environment, version and digest.
        reference: Of that version.
        look: What was seen.
        until: Its end.
        past: Earlier windows since it serves, oldest first; those of other versions do not count.
        promise: What the record says of the version.
    """
    environment, version, digest = named
    findings = [
        *drift(monitoring, reference, look.seen),
        *missing(monitoring, reference, look.seen),
        *conduct(monitoring, look.seen),
        *([performance(monitoring, promise, look.told)] if look.told else []),
    ]
    alarms = raised(monitoring, [window for window in past if window.digest == digest], findings)
    return Window(
        environment=environment, version=version, digest=digest, start=look.start, until=until, seen=look.seen,
        findings=findings, alarms=alarms, verdict=_verdict(findings, alarms),
    )  # fmt: skip


def raised(monitoring: Monitoring, past: Sequence[Window], findings: Sequence[Finding]) -> list[str]:
    """The keys that are an alarm in `alarms` of the last `windows` windows, this one included.

    A window that knew too little of a key is passed over, as if it had not been: silence does not end an alarm.
    """
    before = [{finding.key: finding.verdict for finding in window.findings} for window in reversed(past)]
    found = []
    for finding in findings:
        verdicts = [finding.verdict, *(window[finding.key] for window in before if finding.key in window)]
        known = [verdict for verdict in verdicts if verdict != "insufficient data"][: monitoring.windows]
        if known.count("alarm") >= monitoring.alarms:
            found.append(finding.key)
    return found


def _verdict(findings: Sequence[Finding], alarms: Sequence[str]) -> Verdict:
    """The worst of it; where nothing could be said of the rows, that nobody knows."""
    verdicts = {finding.verdict for finding in findings}
    if alarms:
        return "alarm"
    if verdicts & {"alarm", "warning"}:
        return "warning"
    rows = [finding.verdict for finding in findings if finding.kind in ("data drift", "prediction drift")]
    return "insufficient data" if all(verdict == "insufficient data" for verdict in rows) else "ok"
