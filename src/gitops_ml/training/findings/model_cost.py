"""Cost of a model: its file size, its memory, and its prediction latency, measured in turns with the champion's."""

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


class ModelCost(Document):
    """Latency and size of the challenger.

    The gate SIZE compares the sizes with limits, the gate LATENCY compares the latency with a limit and with a multiple
    of the champion's latency.

    Attributes:
        p95_ms: 95th percentile of the challenger's time for predicting one row, in milliseconds.
        champion_ms: The same for the champion; None if there is none, or if the present code and libraries cannot load
            it.
        file_mib: Size of the model's file in MiB.
        memory_mib: Estimate of the model's memory in MiB: the length of its uncompressed pickle. The bytes of the
            pickle are only counted, not kept.
    """

    p95_ms: float
    champion_ms: float | None
    file_mib: float
    memory_mib: float


def measure_cost(inputs: ComparisonInput) -> ModelCost | None:
    """Measure the latency of the challenger and the champion, and the size of the challenger.

    In a round, each version makes 40 predictions, each of a single row. The versions predict in turns, so that other
    load on the machine slows both. For each version, its lowest 95th percentile of all rounds counts, since other
    programs can only slow a model down.

    Args:
        inputs: Versions to compare.

    Returns:
        The measurements; None if the present code and libraries cannot load the challenger.
    """
    challenger, champion = inputs.challenger, inputs.champion
    if challenger.model is None or challenger.folder is None:
        return None
    versions = [challenger, *([champion] if champion and champion.model is not None else [])]
    best_p95 = np.array([_measure_round(versions, inputs.features) for _ in range(ROUNDS)]).min(axis=0)
    return ModelCost(
        p95_ms=float(best_p95[0]),
        champion_ms=float(best_p95[1]) if len(versions) > 1 else None,
        file_mib=(challenger.folder / run.MODEL).stat().st_size / MIB,
        memory_mib=_memory_bytes(challenger.model) / MIB,
    )


def _measure_round(versions: list[ScoredVersion], features: pd.DataFrame) -> list[float]:
    """Return the 95th percentile of each version's time for predicting one row, in milliseconds."""
    durations: list[list[float]] = [[] for _ in versions]
    for call in range(CALLS):
        for version, times in zip(versions, durations, strict=True):
            row = features[list(version.run.columns)].iloc[[call % len(features)]]
            start = time.perf_counter()
            version.model.predict(row)  # type: ignore[union-attr]
            times.append(1000 * (time.perf_counter() - start))
    return [float(np.quantile(times, 0.95)) for times in durations]


class _ByteCounter:
    """A writable file object that counts the bytes written to it and stores none."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, data: Any) -> int:
        """Count the bytes, and return their number."""
        size = memoryview(data).nbytes
        self.bytes += size
        return size


def _memory_bytes(model: "Pipeline") -> int:
    """Return the size of the model's uncompressed pickle in bytes; they are counted, not kept."""
    counter = _ByteCounter()
    pickle.dump(model, counter, protocol=5)
    return counter.bytes
