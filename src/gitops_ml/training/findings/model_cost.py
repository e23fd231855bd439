"""Cost of a model: its file size, its memory, and the time of a request, measured in turns with reference models."""

import pickle
from typing import TYPE_CHECKING, Any

from sklearn.dummy import DummyClassifier, DummyRegressor

from gitops_ml import run
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput, RequestHandler, ScoredVersion
from gitops_ml.training.findings.request_times import measure_request_times

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MIB = 2**20
# Different rows that are sent in turn.
BODIES = 4


class ModelCost(Document):
    """Time of a request, and size of the challenger.

    The gate SIZE compares the sizes with limits. The gate LATENCY compares the time of a request of one row with the
    times of the champion and of a baseline estimator, and with a limit if model.toml has one. A time is the processor
    time, and the shortest time that a request waited: other programs on the machine hardly change either.

    Attributes:
        request_ms: Median time of a request to the challenger, in milliseconds.
        p95_ms: 95th percentile of the same.
        champion_ms: Median time of a request to the champion; None if there is none, if the present code and libraries
            cannot load it, or if its columns do not fit the present schema, so that a server would refuse its rows.
        baseline_ms: Median time of a request to a baseline estimator, which needs almost no time itself.
        file_mib: Size of the model's file in MiB.
        memory_mib: Estimate of the model's memory in MiB: the length of its uncompressed pickle. The bytes of the
            pickle are only counted, not kept.
    """

    request_ms: float
    p95_ms: float
    champion_ms: float | None
    baseline_ms: float
    file_mib: float
    memory_mib: float


def measure_cost(inputs: ComparisonInput) -> ModelCost | None:
    """Measure requests of one row to challenger, champion and a baseline in turns, and the size of the challenger.

    A request takes the same path as in a server: its body is parsed, its row is validated and predicted.

    Args:
        inputs: Versions to compare.

    Returns:
        The measurements; None if the present code and libraries cannot load the challenger.
    """
    challenger, champion = inputs.challenger, inputs.champion
    if challenger.model is None or challenger.folder is None:
        return None
    handler, is_served = _open(inputs, challenger, challenger.model)
    handlers = {"challenger": handler, "baseline": _open(inputs, challenger, _fit_baseline(inputs, challenger))[0]}
    if champion is not None and champion.model is not None and champion.digest != challenger.digest:
        handler, champion_is_served = _open(inputs, champion, champion.model)
        if champion_is_served == is_served:
            handlers["champion"] = handler
    times = measure_request_times(handlers)
    as_champion = champion is not None and champion.digest == challenger.digest
    champion_time = times["challenger"] if as_champion else times.get("champion")
    return ModelCost(
        request_ms=times["challenger"].median_ms,
        p95_ms=times["challenger"].p95_ms,
        champion_ms=champion_time.median_ms if champion_time else None,
        baseline_ms=times["baseline"].median_ms,
        file_mib=(challenger.folder / run.MODEL).stat().st_size / MIB,
        memory_mib=_memory_bytes(challenger.model) / MIB,
    )


def _open(inputs: ComparisonInput, version: ScoredVersion, model: Any) -> tuple[RequestHandler, bool]:
    """Return a function that answers a request of one row, and whether it does so as a server, with validation."""
    rows = inputs.prepared.held_out[list(version.run.columns)].head(BODIES)
    if inputs.open_server is not None:
        answer = inputs.open_server(version, model, rows)
        if answer is not None:
            return answer, True
    return lambda number: model.predict(rows.iloc[[number % len(rows)]]), False


def _fit_baseline(inputs: ComparisonInput, version: ScoredVersion) -> Any:
    """Return a baseline estimator that always predicts the same."""
    is_number = inputs.config.project.task == "regression"
    rows = inputs.prepared.rows
    estimator: Any = DummyRegressor() if is_number else DummyClassifier(strategy="prior")
    return estimator.fit(rows[list(version.run.columns)], rows[inputs.config.data.target].to_numpy())


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
