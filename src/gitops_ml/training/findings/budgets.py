"""Cost of the model: prediction latency beside the champion's, and size in its file and in memory."""

import pickle
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gitops_ml import run
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput, ScoredVersion

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

CALLS = 40
ROUNDS = 3
MIB = 2**20


class Budgets(Document):
    """Latency and size.

    Attributes:
        p95_ms: 95th percentile of the challenger's time for a single row, in milliseconds.
        champion_ms: The champion's 95th percentile; None if it cannot be loaded here.
        file_mib: Size of the model's file in MiB.
        memory_mib: Size of the model's arrays and objects in memory in MiB.
    """

    p95_ms: float
    champion_ms: float | None
    file_mib: float
    memory_mib: float


def measure_budgets(inputs: ComparisonInput) -> Budgets | None:
    """Measure latency and size.

    Champion and challenger predict in turns, so that other load on the machine slows both. The fastest of three rounds
    counts, since other programs can only slow a model down.

    Args:
        inputs: Versions to compare.

    Returns:
        The measurements; None if the challenger cannot be loaded here.
    """
    challenger, champion = inputs.challenger, inputs.champion
    if challenger.model is None or challenger.folder is None:
        return None
    versions = [challenger, *([champion] if champion and champion.model is not None else [])]
    rounds = np.array([_measure_round(versions, inputs.features) for _ in range(ROUNDS)]).min(axis=0)
    return Budgets(
        p95_ms=float(rounds[0]),
        champion_ms=float(rounds[1]) if len(versions) > 1 else None,
        file_mib=(challenger.folder / run.MODEL).stat().st_size / MIB,
        memory_mib=_memory_bytes(challenger.model) / MIB,
    )


def _measure_round(versions: list[ScoredVersion], features: pd.DataFrame) -> list[float]:
    """Return the 95th percentile of each version's time for a single row, in milliseconds."""
    durations: list[list[float]] = [[] for _ in versions]
    for call in range(CALLS):
        for version, times in zip(versions, durations, strict=True):
            row = features[list(version.run.columns)].iloc[[call % len(features)]]
            start = time.perf_counter()
            version.model.predict(row)  # type: ignore[union-attr]
            times.append(1000 * (time.perf_counter() - start))
    return [float(np.quantile(times, 0.95)) for times in durations]


class _ByteCounter:
    """A writable file that only counts bytes."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, data: Any) -> int:
        """Count the bytes without storing them."""
        size = memoryview(data).nbytes
        self.bytes += size
        return size


def _memory_bytes(model: "Pipeline") -> int:
    """Return the size of the pickled model in bytes; the pickle is neither stored nor loaded."""
    counter = _ByteCounter()
    pickle.dump(model, counter, protocol=5)
    return counter.bytes
