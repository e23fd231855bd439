"""Counters of servers as counts: gathered from samples, added up, and what came since an earlier look."""

from collections import Counter
from collections.abc import Iterable, Mapping

from gitops_ml.counters import ERRORS, FEATURES, PREDICTIONS, REQUESTS, ROWS, SECONDS
from gitops_ml.errors import MonitoringError
from gitops_ml.monitoring.look import Question
from gitops_ml.monitoring.window import Seen

PATH = "/predict"
TOTAL = "_total"  # Prometheus' text format adds it to a counter's name
BUCKET = "_bucket"  # ... and this to a histogram's


class Tally:
    """The samples of one server, or of all of them together."""

    def __init__(self, question: Question) -> None:
        """Start from zero."""
        self._question = question
        self._columns: dict[str, Counter[int]] = {}
        self._prediction: Counter[int] = Counter()
        self._requests: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()
        self._rows = 0

    def put(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """One sample, under its name in the text format; what is not ours is passed over."""
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
    def seen(self) -> Seen:
        """All of it, in the bins of the reference.

        Raises:
            MonitoringError: The servers count into other bins.
        """
        sizes = self._question.sizes
        return Seen(
            rows=self._rows,
            columns={name: _placed(c, sizes[name], name) for name, c in self._columns.items() if name in sizes},
            prediction=_placed(self._prediction, self._question.prediction_size, "the prediction"),
            requests=dict(self._requests), refused=dict(self._refused), seconds=dict(self._seconds),
        )  # fmt: skip


def _placed(counts: Counter[int], size: int, what: str) -> list[int]:
    if any(not 0 <= place < size for place in counts):
        raise MonitoringError(
            f"The servers count {what} into {max(counts) + 1} bins, and the version's reference has {size}.",
            "They serve other files than the record names: run Deploy.",
        )
    return [counts[place] for place in range(size)]


def together(seen: Iterable[Seen]) -> Seen:
    """The counts of several servers, or files, added up."""
    rows, columns, prediction = 0, dict[str, list[int]](), list[int]()
    requests, refused, seconds = Counter[str](), Counter[str](), Counter[str]()
    for one in seen:
        rows += one.rows
        columns.update({name: _sum(columns.get(name, []), counts) for name, counts in one.columns.items()})
        prediction = _sum(prediction, one.prediction)
        for total, part in ((requests, one.requests), (refused, one.refused), (seconds, one.seconds)):
            total.update(part)
    return Seen(
        rows=rows, columns=columns, prediction=prediction, requests=dict(requests), refused=dict(refused),
        seconds=dict(seconds),
    )  # fmt: skip


def since(now: Seen, before: Seen | None) -> Seen:
    """What came since an earlier look; all of it where a counter went down, for then the server has started anew."""
    if before is None:
        return now
    less = Seen(
        rows=now.rows - before.rows,
        columns={name: _less(now.columns.get(name, []), before.columns.get(name, []))
                 for name in {**before.columns, **now.columns}},
        prediction=_less(now.prediction, before.prediction),
        requests=_less_by(now.requests, before.requests), refused=_less_by(now.refused, before.refused),
        seconds=_less_by(now.seconds, before.seconds),
    )  # fmt: skip
    return now if _went_down(less) else less


def _went_down(less: Seen) -> bool:
    lists = [less.prediction, *less.columns.values()]
    tables = [less.requests, less.refused, less.seconds]
    return min([less.rows, *(n for each in lists for n in each), *(n for each in tables for n in each.values())]) < 0


def _sum(left: list[int], right: list[int]) -> list[int]:
    longer, shorter = sorted((left, right), key=len, reverse=True)
    return [number + (shorter[place] if place < len(shorter) else 0) for place, number in enumerate(longer)]


def _less(now: list[int], before: list[int]) -> list[int]:
    return _sum(now, [-number for number in before])


def _less_by(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: now.get(name, 0) - before.get(name, 0) for name in {**before, **now}}
