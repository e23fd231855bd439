"""Count the challengers of known quality that pass the gate CHAMPION: judge_models.py REPOSITORY QUESTIONS.

The questions are JSON: lists of metric, lead of the challenger in points, number of rows, and number of draws.
"""

import json
import multiprocessing
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from two_models import configured, draw  # type: ignore[import-not-found]  # a module beside this file

from gitops_ml.config import Config, find_repository
from gitops_ml.training.evidence import Evidence
from gitops_ml.training.gain import Interval, gain
from gitops_ml.training.gates import ChampionGate
from gitops_ml.training.mcnemar import McNemar, mcnemar

QUALITY = 0.85  # true quality of the champion


def main(root: str, questions: str) -> None:
    """Print the number of passes for each question, and the level of the configuration, as JSON."""
    repository = find_repository(Path(root))
    with multiprocessing.Pool() as pool:
        passes = [sum(draw_verdicts(pool, repository, *question)) for question in json.loads(questions)]
    print(json.dumps({"passes": passes, "level": (1 - repository.config.gates.confidence) / 2}))


def draw_verdicts(pool: Any, repository: Any, metric: str, points: float, rows: int, draws: int) -> Iterator[bool]:
    """Yield for each draw whether the challenger passes."""
    verdicts: Iterator[bool] = pool.imap_unordered(
        partial(passes, configured(repository, metric), points, rows), range(draws)
    )
    return verdicts


def passes(config: Config, points: float, rows: int, seed: int) -> bool:
    """Draw the rows and evaluate the gate."""
    metric = config.evaluation.metric
    labels, (challenger, champion) = draw(metric, (QUALITY + points / 100, QUALITY), rows, seed)
    config = config.model_copy(update={"training": config.training.model_copy(update={"seed": seed})})
    measured = gain(config, labels, challenger, champion)
    test = mcnemar(labels, challenger, champion)
    outcome = ChampionGate().evaluate(evidence(config, rows, measured, test))
    return bool(outcome.verdict == "passed")


def evidence(config: Config, rows: int, measured: Interval, test: McNemar | None) -> Evidence:
    """Return the evidence that this gate needs."""
    return Evidence(
        rules=config.gates, metric=config.evaluation.metric, rows=rows, metrics={}, not_finite=0,
        baseline_gain=measured, champion_gain=measured, mcnemar=test,
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
