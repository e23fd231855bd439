"""A compared version, as the comparison document describes it."""

import math

from gitops_ml.run import Document, Lineage
from gitops_ml.training.comparison_input import ScoredVersion


class ComparedVersion(Document):
    """A version with its metrics.

    Attributes:
        version: Version number in the registry.
        digest: Digest of the version's manifest.
        training: Training digest.
        metrics: Metrics on the holdout, measured here; empty if it cannot be compared.
        own_code: True if it was scored with the code of its own commit and the packages of its own lock file, because
            the current code does not reproduce its recorded predictions.
        lineage: Lineage of the version.
    """

    version: str
    digest: str
    training: str
    metrics: dict[str, float | None]
    own_code: bool
    lineage: Lineage


def describe_version(scored: ScoredVersion, metrics: dict[str, float]) -> ComparedVersion:
    """Return the description of a version.

    Args:
        scored: Version with its predictions.
        metrics: Metrics of these predictions, by name.
    """
    return ComparedVersion(
        version=scored.number,
        digest=scored.digest,
        training=scored.run.lineage.training,
        metrics=replace_not_finite(metrics),
        own_code=scored.own_code,
        lineage=scored.run.lineage,
    )


def replace_not_finite(metrics: dict[str, float]) -> dict[str, float | None]:
    """Return the metrics with None instead of NaN and infinity, which JSON lacks.

    Args:
        metrics: Metrics by name.
    """
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}
