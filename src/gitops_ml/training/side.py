"""One of the versions that are compared, as the comparison describes it."""

import math

from gitops_ml.run import Document, Lineage
from gitops_ml.training.trial import Scored


class Side(Document):
    """One version.

    Attributes:
        version: The registry's number.
        digest: Of its files.
        training: Digest of what it was trained on.
        metrics: On the holdout, measured here; empty where it could not be compared.
        own_code: It was scored by its own commit and lock, since today's would change what it says.
        lineage: What is behind it.
    """

    version: str
    digest: str
    training: str
    metrics: dict[str, float | None]
    own_code: bool
    lineage: Lineage


def side(scored: Scored, metrics: dict[str, float]) -> Side:
    """Describe a version that was scored and measured."""
    return Side(
        version=scored.number,
        digest=scored.digest,
        training=scored.run.lineage.training,
        metrics=jsonable(metrics),
        own_code=scored.own_code,
        lineage=scored.run.lineage,
    )


def jsonable(metrics: dict[str, float]) -> dict[str, float | None]:
    """JSON has no NaN."""
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}
