"""Cost of a model: its file size, its memory, and the time of a request, measured in turns with reference models."""

from gitops_ml import run
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput, ScoredVersion, UserCode
from gitops_ml.training.findings.request_times import TimedRequests, measure_request_times

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
    if challenger.model is None or challenger.folder is None or inputs.code is None:
        return None
    requests, is_served = _open(inputs, inputs.code, challenger)
    requests_by_name = {"challenger": requests, "baseline": _open(inputs, inputs.code, challenger, is_baseline=True)[0]}
    if champion is not None and champion.model is not None and champion.digest != challenger.digest:
        requests, champion_is_served = _open(inputs, inputs.code, champion)
        if champion_is_served == is_served:
            requests_by_name["champion"] = requests
    times = measure_request_times(requests_by_name)
    as_champion = champion is not None and champion.digest == challenger.digest
    champion_time = times["challenger"] if as_champion else times.get("champion")
    return ModelCost(
        request_ms=times["challenger"].median_ms,
        p95_ms=times["challenger"].p95_ms,
        champion_ms=champion_time.median_ms if champion_time else None,
        baseline_ms=times["baseline"].median_ms,
        file_mib=(challenger.folder / run.MODEL).stat().st_size / MIB,
        memory_mib=challenger.model.measure_memory() / MIB,
    )


def _open(
    inputs: ComparisonInput, code: UserCode, version: ScoredVersion, *, is_baseline: bool = False
) -> tuple[TimedRequests, bool]:
    """Return requests of one row to a version, and whether they are answered as by a server, with validation."""
    rows = inputs.prepared.held_out[list(version.run.columns)].head(BODIES)
    assert version.folder is not None  # noqa: S101 (its model was loaded from there)
    return code.open_requests(version.folder, version.digest, rows, is_baseline=is_baseline)
