"""Windows and references for tests of monitoring."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gitops_ml.monitoring.window import Finding, Verdict, Window, WindowCounts

START = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST = f"sha256:{'1' * 64}"


def reference(text: str = "kind") -> dict[str, Any]:
    """Return a reference with six numeric columns, a categorical column, and a text column without categories."""
    numeric = {"missing": 0, "edges": [0.0, 1.0], "counts": [30, 40, 30]}
    columns = {f"x{number}": numeric for number in range(6)}
    categorical = {"missing": 1, "categories": {text: 60, f"{text}2": 39}, "other": 0}
    columns |= {text: categorical, "name": {"missing": 0, "categories": {}, "other": 100}}
    return {"rows": 100, "columns": columns, "target": categorical, "prediction": numeric}


def finding(kind: Any = "data drift", subject: str | None = "x0", value: float | None = 0.01, **fields: Any) -> Finding:
    """Return a finding, by default with the verdict ok."""
    defaults: dict[str, Any] = {"verdict": "ok", "warning": 0.1, "alarm": 0.15, "words": "So it is."}
    return Finding(kind=kind, subject=subject, value=value, **(defaults | fields))


def window(
    day: int = 0, verdict: Verdict = "ok", text: str = "kind", version: str = "1", digest: str = DIGEST, **fields: Any
) -> Window:
    """Return the window of one day with 100 rows."""
    columns = {f"x{number}": [30, 40, 30, 0] for number in range(6)} | {text: [50, 49, 0, 1], "name": [100, 0]}
    counts = WindowCounts(rows=100, columns=columns, prediction=[30, 40, 30, 0], requests={"200": 40, "422": 2})
    findings = [finding(), finding("slow requests", None, 0.2, alarm=1.0, warning=None)]
    defaults: dict[str, Any] = {"findings": findings, "alarms": []}
    return Window(
        environment="production", version=version, digest=digest, start=START + timedelta(days=day),
        until=START + timedelta(days=day + 1), seen=counts, verdict=verdict, **(defaults | fields),
    )  # fmt: skip
