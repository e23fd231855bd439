"""Windows of monitoring: the counts of a time span and the findings in them; the store branch keeps them."""

from typing import Literal

from pydantic import AwareDatetime, Field

from gitops_ml.run import Document

Verdict = Literal["ok", "warning", "alarm", "insufficient data", "left out"]
Kind = Literal[
    "data drift", "prediction drift", "performance decay", "missing values", "refused requests", "failed requests",
    "slow requests", "no traffic",
]  # fmt: skip


class WindowCounts(Document):
    """Counts of one time span; the counts of several servers can be added.

    Attributes:
        rows: Number of predicted rows.
        columns: Rows by bin of the reference, in the order of `bins.bin_counts`, for each column.
        prediction: Predictions by bin, in the same order.
        requests: Requests to /predict by status.
        refused: Refused and failed requests by error code.
        seconds: Cumulative number of requests to /predict by upper limit of their seconds as text, `+Inf` for all.
    """

    rows: int = 0
    columns: dict[str, list[int]] = Field({})
    prediction: list[int] = Field([])
    requests: dict[str, int] = Field({})
    refused: dict[str, int] = Field({})
    seconds: dict[str, int] = Field({})


class Finding(Document):
    """The result of one monitoring rule for one window.

    Attributes:
        kind: Kind of the rule.
        subject: Column or metric; None if the kind has only one subject.
        verdict: Verdict of this window alone; "left out" for drift that raises no alarm ([monitoring] left_out).
        value: Measured value; None if nothing could be measured.
        warning: Threshold of a warning.
        alarm: Threshold of an alarm.
        low: Low end of the interval of the value; None if it has none.
        high: High end of the interval of the value; None if it has none.
        words: Explanation for people, in one or two sentences.
    """

    kind: Kind
    subject: str | None = None
    verdict: Verdict
    value: float | None = None
    warning: float | None = None
    alarm: float | None = None
    low: float | None = None
    high: float | None = None
    words: str

    @property
    def key(self) -> str:
        """Key of the alarm that this finding may raise."""
        return f"{self.kind}: {self.subject}" if self.subject else self.kind


class Window(Document):
    """One evaluated window.

    Attributes:
        environment: Name of the environment.
        version: Version as the servers label it.
        digest: Digest of the version's files.
        start: Start of the time span.
        until: End of the time span.
        seen: Counts of the time span.
        findings: Findings of this window.
        alarms: Keys that are an alarm in enough of the last windows, this one included.
        verdict: Verdict of the window.
    """

    environment: str
    version: str
    digest: str
    start: AwareDatetime
    until: AwareDatetime
    seen: WindowCounts
    findings: list[Finding]
    alarms: list[str]
    verdict: Verdict
