"""The gate CHAMPION: how often it promotes what is no better, and what is better; and what its interval costs."""

import json
from dataclasses import dataclass
from itertools import product
from statistics import median

from tabulate import tabulate

from benchmarks.bake import INSIDE, Baked
from benchmarks.process import run
from benchmarks.table import Figure, Say

METRICS = ("accuracy", "roc_auc")
POINTS = (0, 1, 2, 5)
RESAMPLES = 1_000
PLAIN = 3  # resamples that scikit-learn is asked for; a thousand would take it a quarter of an hour and more


@dataclass(frozen=True)
class Rate:
    """How often a challenger of known quality is promoted.

    Attributes:
        metric: That decides.
        points: By how many hundredths its true value is better than the champion's.
        rows: Held out.
        passes: How many challengers passed the gate.
        draws: Of how many.
        level: How large a share may pass where the two are equally good: half of what the interval leaves out.
    """

    metric: str
    points: int
    rows: int
    passes: int
    draws: int
    level: float


def rates(baked: Baked, draws: dict[int, int], say: Say) -> list[Rate]:
    """Challengers of each quality, on holdouts of each number of rows, as many as asked."""
    asked = [(metric, points, rows, draws[rows]) for metric, points, rows in product(METRICS, POINTS, draws)]
    say(f"gate CHAMPION, {sum(times for *_, times in asked):,} challengers of known quality")
    done = run(baked.python, INSIDE / "judge_models.py", baked.root, json.dumps(asked), cwd=baked.root)
    found = json.loads(done.output)
    return [Rate(*question[:3], passes, question[3], found["level"])
            for question, passes in zip(asked, found["passes"], strict=True)]  # fmt: skip


def measure(baked: Baked, metrics: tuple[str, ...], rows: int, times: int, say: Say) -> list[Figure]:
    """The interval of a gain in each metric on so many rows, as often as asked."""
    figures = []
    for metric in metrics:
        what, against = f"{RESAMPLES:,} resamples of {rows:,} rows, {metric}", f"scikit-learn, from {PLAIN} resamples"
        say(what)
        command = baked.python, INSIDE / "time_gain.py", baked.root, metric, str(rows)
        ours = [run(*command, str(RESAMPLES), cwd=baked.root) for _ in range(times)]
        bare = run(*command, str(PLAIN), "plain", cwd=baked.root)
        seconds = median(json.loads(cost.output) for cost in ours), json.loads(bare.output) * RESAMPLES / PLAIN
        figures.append(Figure(f"{what}: time", "s", *seconds, against, times))
        peak = median(cost.peak for cost in ours)
        figures.append(Figure(f"{what}: peak memory", "B", peak, bare.peak, "scikit-learn", times))
    return figures


def grid(found: list[Rate]) -> str:
    """All rates, as Markdown: a line for each quality, a column for each number of rows."""
    sizes = list(dict.fromkeys(rate.rows for rate in found))
    headers = ("the challenger is", "judged by", *(f"{rows:,} rows" for rows in sizes), "at most")
    lines = []
    for metric, points in product(METRICS, POINTS):
        line = [rate for rate in found if (rate.metric, rate.points) == (metric, points)]
        better = f"better by {points} point{'s' * (points > 1)}" if points else "as good"
        most = "" if points else f"{line[0].level:.1%}"
        lines.append((better, metric, *map(_shown, line), most))
    align = ("left", "left", *("right" for _ in sizes), "right")
    return tabulate(lines, headers, tablefmt="pipe", colalign=align, disable_numparse=True)


def _shown(rate: Rate) -> str:
    return f"{rate.passes / rate.draws:.1%} ({rate.passes} of {rate.draws})"
