"""A window: what was seen in a stretch of time, and what was found in it. The store's branch remembers them."""

from typing import Literal

from pydantic import AwareDatetime, Field

from gitops_ml.run import Document

Verdict = Literal["ok", "warning", "alarm", "insufficient data"]
Kind = Literal[
    "data drift", "prediction drift", "performance decay", "missing values", "refused requests", "failed requests",
    "slow requests", "no traffic",
]  # fmt: skip


class Seen(Document):
    """Counts of one stretch of time; those of several servers add up.

    Attributes:
        rows: How many were predicted.
        columns: Rows by bin of the reference, in the order of `bins.counted`, for each column.
        prediction: Predictions by bin, the same.
        requests: Requests to /predict by status.
        refused: Requests refused or failed, by code.
        seconds: Requests to /predict that took at most so long, by that number of seconds as text, `+Inf` for all.
    """

    rows: int = 0
    columns: dict[str, list[int]] = Field({})
    prediction: list[int] = Field([])
    requests: dict[str, int] = Field({})
    refused: dict[str, int] = Field({})
    seconds: dict[str, int] = Field({})


class Finding(Document):
    """What one rule says of one window.

    Attributes:
        kind: What was looked for.
        subject: The column, or the metric; None where there is only one of its kind.
        verdict: Of this window alone.
        value: What was measured; None where nothing could be.
        warning: From where it is a warning.
        alarm: From where it is an alarm.
        low: Of its interval, where it has one.
        high: Of its interval, where it has one.
        words: For people, in one sentence.
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
        """What an alarm is known by."""
        return f"{self.kind}: {self.subject}" if self.subject else self.kind


class Window(Document):
    """One verdict.

    Attributes:
        environment: Where.
        version: As the servers label it.
        digest: Of the version's files.
        start: Of the stretch of time.
        until: Its end.
        seen: What was counted.
        findings: What was found in this window.
        alarms: The keys that showed in enough of the last windows, this one included.
        verdict: Of all of it.
    """

    environment: str
    version: str
    digest: str
    start: AwareDatetime
    until: AwareDatetime
    seen: Seen
    findings: list[Finding]
    alarms: list[str]
    verdict: Verdict
