"""Whether training told the truth: its own figures beside what is measured here."""

import math

from gitops_ml.run import Document
from gitops_ml.training.trial import Trial

# Another processor rounds otherwise; a lie is larger.
TOLERANCE = 1e-3


class Claim(Document):
    """One metric.

    Attributes:
        metric: Its name.
        claimed: What training said.
        measured: What it is.
    """

    metric: str
    claimed: float
    measured: float


def claims(trial: Trial, measured: dict[str, float]) -> tuple[Claim, ...] | None:
    """The metrics in which training and this comparison differ; None where training held out other rows.

    Args:
        trial: Whose challenger made the claims.
        measured: Its metrics on the holdout.
    """
    run = trial.challenger.run
    if run.lineage.holdout != trial.prepared.lineage.holdout:
        return None
    return tuple(
        Claim(metric=name, claimed=claimed, measured=measured.get(name, math.nan))
        for name, claimed in run.metrics.items()
        if not math.isclose(claimed, measured.get(name, math.nan), rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        and not (math.isnan(claimed) and math.isnan(measured.get(name, math.nan)))
    )
