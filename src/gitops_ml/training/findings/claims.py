"""Comparison of the metrics that training recorded with those measured here."""

import math

from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput

# Another processor may round differently; a wrong figure differs by more.
TOLERANCE = 1e-3


class Claim(Document):
    """A metric that training recorded wrongly.

    Attributes:
        metric: Name of the metric.
        claimed: Value that training recorded.
        measured: Value measured here.
    """

    metric: str
    claimed: float
    measured: float


def check_claims(inputs: ComparisonInput, measured: dict[str, float]) -> tuple[Claim, ...] | None:
    """Compare the recorded metrics with the measured ones.

    Args:
        inputs: Versions to compare.
        measured: The challenger's metrics on the holdout.

    Returns:
        The metrics that differ; None if training held out other rows.
    """
    run = inputs.challenger.run
    if run.measured_by != "holdout" or run.lineage.holdout != inputs.prepared.lineage.holdout:
        return None
    return tuple(
        Claim(metric=name, claimed=claimed, measured=measured.get(name, math.nan))
        for name, claimed in run.metrics.items()
        if not math.isclose(claimed, measured.get(name, math.nan), rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        and not (math.isnan(claimed) and math.isnan(measured.get(name, math.nan)))
    )
