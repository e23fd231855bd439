"""What the model costs: time for a row, measured beside the champion, and the bytes of its file and of its memory."""

import pickle
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gitops_ml import run
from gitops_ml.run import Document
from gitops_ml.training.trial import Scored, Trial

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

CALLS = 40
ROUNDS = 3
MIB = 2**20


class Budgets(Document):
    """Time and space.

    Attributes:
        p95_ms: 95 of 100 single rows take at most this, in milliseconds.
        champion_ms: The same of the champion; None where it cannot be loaded here.
        file_mib: Of the model's file.
        memory_mib: Of the model's arrays and objects in memory.
    """

    p95_ms: float
    champion_ms: float | None
    file_mib: float
    memory_mib: float


def budgets(trial: Trial) -> Budgets | None:
    """Measure; None where the challenger cannot be loaded here.

    Champion and challenger take turns, so that whatever else the machine does slows both; and the quickest of three
    rounds counts, since other programs can only make a model look slower than it is.
    """
    challenger, champion = trial.challenger, trial.champion
    if challenger.model is None or challenger.folder is None:
        return None
    sides = [challenger, *([champion] if champion and champion.model is not None else [])]
    rounds = np.array([_round(sides, trial.inputs) for _ in range(ROUNDS)]).min(axis=0)
    return Budgets(
        p95_ms=float(rounds[0]),
        champion_ms=float(rounds[1]) if len(sides) > 1 else None,
        file_mib=(challenger.folder / run.MODEL).stat().st_size / MIB,
        memory_mib=_memory(challenger.model) / MIB,
    )


def _round(sides: list[Scored], inputs: pd.DataFrame) -> list[float]:
    """Milliseconds that 95 of 100 single rows take, of each side."""
    took: list[list[float]] = [[] for _ in sides]
    for call in range(CALLS):
        for side, times in zip(sides, took, strict=True):
            row = inputs[list(side.run.columns)].iloc[[call % len(inputs)]]
            began = time.perf_counter()
            side.model.predict(row)  # type: ignore[union-attr]
            times.append(1000 * (time.perf_counter() - began))
    return [float(np.quantile(times, 0.95)) for times in took]


class _Counter:
    """A file that counts what is written to it."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, data: Any) -> int:
        """Count, and keep nothing."""
        size = memoryview(data).nbytes
        self.bytes += size
        return size


def _memory(model: "Pipeline") -> int:
    """The bytes that the model holds, as its serialised form has them; nothing is kept, and nothing is read back."""
    counter = _Counter()
    pickle.dump(model, counter, protocol=5)
    return counter.bytes
