"""The gate CHAMPION: promotion rates of challengers of known quality, and the cost of its interval."""

import json
from dataclasses import dataclass
from itertools import product
from statistics import median

from tabulate import tabulate

from benchmarks.generated import INSIDE, GeneratedRepository
from benchmarks.process import run
from benchmarks.table import Figure, Progress

METRICS = ("accuracy", "roc_auc")
POINTS = (0, 1, 2, 5)
RESAMPLES = 1_000
PLAIN = 3  # number of resamples with scikit-learn, which would need more than a quarter of an hour for a thousand


@dataclass(frozen=True)
class Rate:
    """Promotion rate of challengers of a known quality.

    Attributes:
        metric: Metric that decides.
        points: Difference of its true value to the champion's, in hundredths.
        rows: Number of held-out rows.
        passes: Number of challengers that passed the gate.
        draws: Number of challengers.
        level: Maximum rate if both models are equally good: half of 1 - confidence.
    """

    metric: str
    points: int
    rows: int
    passes: int
    draws: int
    level: float


def rates(generated: GeneratedRepository, draws: dict[int, int], progress: Progress) -> list[Rate]:
    """Measure the promotion rates for each quality and each number of rows."""
    questions = [(metric, points, rows, draws[rows]) for metric, points, rows in product(METRICS, POINTS, draws)]
    progress(f"gate CHAMPION, {sum(times for *_, times in questions):,} challengers of known quality")
    done = run(generated.python, INSIDE / "judge_models.py", generated.root, json.dumps(questions), cwd=generated.root)
    result = json.loads(done.output)
    return [Rate(*question[:3], passes, question[3], result["level"])
            for question, passes in zip(questions, result["passes"], strict=True)]  # fmt: skip


def measure(
    generated: GeneratedRepository, metrics: tuple[str, ...], rows: int, times: int, progress: Progress
) -> list[Figure]:
    """Measure the interval of a gain in each metric."""
    figures = []
    for metric in metrics:
        name, against = f"{RESAMPLES:,} resamples of {rows:,} rows, {metric}", f"scikit-learn, from {PLAIN} resamples"
        progress(name)
        command = generated.python, INSIDE / "time_gain.py", generated.root, metric, str(rows)
        costs = [run(*command, str(RESAMPLES), cwd=generated.root) for _ in range(times)]
        bare = run(*command, str(PLAIN), "plain", cwd=generated.root)
        seconds = median(json.loads(cost.output) for cost in costs), json.loads(bare.output) * RESAMPLES / PLAIN
        figures.append(Figure(f"{name}: time", "s", *seconds, against, times))
        peak = median(cost.peak for cost in costs)
        figures.append(Figure(f"{name}: peak memory", "B", peak, bare.peak, "scikit-learn", times))
    return figures


def grid(all_rates: list[Rate]) -> str:
    """Return the rates as a Markdown table: a line for each quality, a column for each number of rows."""
    sizes = list(dict.fromkeys(rate.rows for rate in all_rates))
    headers = ("the challenger is", "judged by", *(f"{rows:,} rows" for rows in sizes), "at most")
    lines = []
    for metric, points in product(METRICS, POINTS):
        line = [rate for rate in all_rates if (rate.metric, rate.points) == (metric, points)]
        better = f"better by {points} point{'s' * (points > 1)}" if points else "as good"
        maximum = "" if points else f"{line[0].level:.1%}"
        lines.append((better, metric, *map(_format, line), maximum))
    align = ("left", "left", *("right" for _ in sizes), "right")
    return tabulate(lines, headers, tablefmt="pipe", colalign=align, disable_numparse=True)


def _format(rate: Rate) -> str:
    return f"{rate.passes / rate.draws:.1%} ({rate.passes} of {rate.draws})"
