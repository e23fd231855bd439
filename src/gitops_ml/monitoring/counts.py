"""Arithmetic on the counters of servers: collect samples, add the counts of servers, subtract an earlier snapshot."""

from collections import Counter
from collections.abc import Iterable, Mapping

from gitops_ml.counters import ERRORS, FEATURES, PREDICTIONS, REQUESTS, ROWS, SECONDS
from gitops_ml.errors import MonitoringError
from gitops_ml.monitoring.snapshot import SnapshotRequest
from gitops_ml.monitoring.window import WindowCounts

PATH = "/predict"
TOTAL = "_total"  # suffix of counters in Prometheus' text format
BUCKET = "_bucket"  # suffix of histograms in Prometheus' text format


class SampleCollector:
    """Collects the samples of one server, or of all servers together."""

    def __init__(self, request: SnapshotRequest) -> None:
        """Start with all counts at zero.

        Args:
            request: Defines the bins of each column and of the prediction.
        """
        self._request = request
        self._columns: dict[str, Counter[int]] = {}
        self._prediction: Counter[int] = Counter()
        self._requests: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()
        self._rows = 0

    def add(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Add one sample; metrics that monitoring does not use are ignored.

        Args:
            name: Metric name in Prometheus' text format, such as `gitops_rows_total`.
            labels: Labels of the sample.
            value: Value of the sample.
        """
        number = round(value)
        if name == ROWS + TOTAL:
            self._rows += number
        elif name == FEATURES + TOTAL:
            self._columns.setdefault(labels["column"], Counter())[int(labels["bin"])] += number
        elif name == PREDICTIONS + TOTAL:
            self._prediction[int(labels["bin"])] += number
        elif name == ERRORS + TOTAL:
            self._refused[labels["code"]] += number
        elif name == REQUESTS + TOTAL and labels.get("path") == PATH:
            self._requests[labels["status"]] += number
        elif name == SECONDS + BUCKET and labels.get("path") == PATH:
            self._seconds[labels["le"]] += number

    @property
    def counts(self) -> WindowCounts:
        """All collected samples, in the bins of the reference.

        Raises:
            MonitoringError: The servers use other bins than the reference.
        """
        sizes = self._request.column_sizes
        return WindowCounts(
            rows=self._rows,
            columns={name: _to_list(c, sizes[name], name) for name, c in self._columns.items() if name in sizes},
            prediction=_to_list(self._prediction, self._request.prediction_size, "the prediction"),
            requests=dict(self._requests), refused=dict(self._refused), seconds=dict(self._seconds),
        )  # fmt: skip


def _to_list(counts: Counter[int], size: int, subject: str) -> list[int]:
    if any(not 0 <= index < size for index in counts):
        raise MonitoringError(
            f"The servers count {subject} in {max(counts) + 1} bins, and the version's reference has {size}. The "
            "servers serve other files than the record names.",
            "Run the workflow Deploy.",
        )
    return [counts[index] for index in range(size)]


def sum_counts(parts: Iterable[WindowCounts]) -> WindowCounts:
    """Return the sum of the counts of several servers, or of several files.

    Args:
        parts: Counts in the bins of the same reference.
    """
    rows, columns, prediction = 0, dict[str, list[int]](), list[int]()
    requests, refused, seconds = Counter[str](), Counter[str](), Counter[str]()
    for part in parts:
        rows += part.rows
        columns.update({name: _add(columns.get(name, []), counts) for name, counts in part.columns.items()})
        prediction = _add(prediction, part.prediction)
        for total, added in ((requests, part.requests), (refused, part.refused), (seconds, part.seconds)):
            total.update(added)
    return WindowCounts(
        rows=rows, columns=columns, prediction=prediction, requests=dict(requests), refused=dict(refused),
        seconds=dict(seconds),
    )  # fmt: skip


def subtract_counts(current: WindowCounts, previous: WindowCounts | None) -> WindowCounts:
    """Return the counts since an earlier snapshot of the same server.

    A counter that decreased means that the server has restarted; all current counts are then new.

    Args:
        current: Counts of the server since it started.
        previous: Counts at the earlier snapshot; None if there is no earlier snapshot.
    """
    if previous is None:
        return current
    difference = WindowCounts(
        rows=current.rows - previous.rows,
        columns={name: _subtract(current.columns.get(name, []), previous.columns.get(name, []))
                 for name in {**previous.columns, **current.columns}},
        prediction=_subtract(current.prediction, previous.prediction),
        requests=_subtract_by_key(current.requests, previous.requests),
        refused=_subtract_by_key(current.refused, previous.refused),
        seconds=_subtract_by_key(current.seconds, previous.seconds),
    )  # fmt: skip
    return current if _has_negative(difference) else difference


def _has_negative(counts: WindowCounts) -> bool:
    lists = [counts.prediction, *counts.columns.values()]
    tables = [counts.requests, counts.refused, counts.seconds]
    return min([counts.rows, *(n for each in lists for n in each), *(n for each in tables for n in each.values())]) < 0


def _add(left: list[int], right: list[int]) -> list[int]:
    longer, shorter = sorted((left, right), key=len, reverse=True)
    return [number + (shorter[index] if index < len(shorter) else 0) for index, number in enumerate(longer)]


def _subtract(current: list[int], previous: list[int]) -> list[int]:
    return _add(current, [-number for number in previous])


def _subtract_by_key(current: Mapping[str, int], previous: Mapping[str, int]) -> dict[str, int]:
    return {name: current.get(name, 0) - previous.get(name, 0) for name in {**previous, **current}}
