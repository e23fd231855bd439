"""How often the gate CHAMPION lets pass a challenger whose true quality is known: judge_models.py REPOSITORY QUESTIONS.

The questions are JSON: lists of metric, points by which the challenger is better, rows, and number of draws.
"""

import json
import multiprocessing
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from two_models import configured, draw  # type: ignore[import-not-found]  # it lies beside this file

from gitops_ml.config import Config, find
from gitops_ml.training.evidence import Evidence
from gitops_ml.training.gain import Interval, gain
from gitops_ml.training.gates import Champion
from gitops_ml.training.mcnemar import McNemar, mcnemar

QUALITY = 0.85  # the champion's


def main(root: str, questions: str) -> None:
    """Print how often it passes for each question, and the level that the configuration implies, as JSON."""
    repository = find(Path(root))
    with multiprocessing.Pool() as pool:
        passes = [sum(answers(pool, repository, *question)) for question in json.loads(questions)]
    print(json.dumps({"passes": passes, "level": (1 - repository.config.gates.confidence) / 2}))


def answers(pool: Any, repository: Any, metric: str, points: float, rows: int, draws: int) -> Iterator[bool]:
    """Whether the challenger passes, draw by draw."""
    one: Iterator[bool] = pool.imap_unordered(
        partial(passes, configured(repository, metric), points, rows), range(draws)
    )
    return one


def passes(config: Config, points: float, rows: int, seed: int) -> bool:
    """Draw the rows, and let the gate judge."""
    metric = config.evaluation.metric
    truth, (ours, theirs) = draw(metric, (QUALITY + points / 100, QUALITY), rows, seed)
    config = config.model_copy(update={"training": config.training.model_copy(update={"seed": seed})})
    found = evidence(config, rows, gain(config, truth, ours, theirs), mcnemar(truth, ours, theirs))
    outcome = Champion().judge(found)
    return bool(outcome.verdict == "passed")


def evidence(config: Config, rows: int, gained: Interval, differ: McNemar | None) -> Evidence:
    """As much as this gate looks at."""
    return Evidence(
        rules=config.gates, metric=config.evaluation.metric, rows=rows, metrics={}, not_finite=0, baseline_gain=gained,
        champion_gain=gained, mcnemar=differ,
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
