"""What monitoring saw on a day."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gitops_ml.monitoring.window import Finding, Seen, Verdict, Window

START = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST = f"sha256:{'1' * 64}"


def reference(text: str = "kind") -> dict[str, Any]:
    """Six columns of numbers, one of categories, one of names that nobody counts."""
    numbers = {"missing": 0, "edges": [0.0, 1.0], "counts": [30, 40, 30]}
    columns = {f"x{place}": numbers for place in range(6)}
    kinds = {"missing": 1, "categories": {text: 60, f"{text}2": 39}, "other": 0}
    columns |= {text: kinds, "name": {"missing": 0, "categories": {}, "other": 100}}
    return {"rows": 100, "columns": columns, "target": kinds, "prediction": numbers}


def finding(kind: Any = "data drift", subject: str | None = "x0", value: float | None = 0.01, **more: Any) -> Finding:
    """One that is ok, unless said otherwise."""
    given: dict[str, Any] = {"verdict": "ok", "warning": 0.1, "alarm": 0.15, "words": "So it is."} | more
    return Finding(kind=kind, subject=subject, value=value, **given)


def window(
    day: int = 0, verdict: Verdict = "ok", text: str = "kind", version: str = "1", digest: str = DIGEST, **more: Any
) -> Window:
    """A day on which 100 rows were seen."""
    columns = {f"x{place}": [30, 40, 30, 0] for place in range(6)} | {text: [50, 49, 0, 1], "name": [100, 0]}
    seen = Seen(rows=100, columns=columns, prediction=[30, 40, 30, 0], requests={"200": 40, "422": 2})
    usual = [finding(), finding("slow requests", None, 0.2, alarm=1.0, warning=None)]
    given: dict[str, Any] = {"findings": usual, "alarms": []} | more
    return Window(
        environment="production", version=version, digest=digest, start=START + timedelta(days=day),
        until=START + timedelta(days=day + 1), seen=seen, verdict=verdict, **given,
    )  # fmt: skip
