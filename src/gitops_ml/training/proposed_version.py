"""The version that the open promotion pull request proposes, judged against the challenger like a champion."""

from collections.abc import Collection

from gitops_ml.config import SplitConfig
from gitops_ml.run import Document
from gitops_ml.training.compared_version import ComparedVersion, describe_version
from gitops_ml.training.comparison_input import ComparisonInput, ScoredVersion
from gitops_ml.training.evidence import Evidence, replace_champion
from gitops_ml.training.gates import ChampionGate
from gitops_ml.training.split import explain_incomparable_splits


class ProposedVersion(Document):
    """The version that the open promotion pull request proposes, compared with the challenger.

    Attributes:
        side: Description of the proposed version.
        beaten: True if the challenger may replace it in the pull request.
        message: Explanation for reviewers.
        value: The challenger's gain over it, for which larger is better; None if it cannot be measured.
        low: Lower end of the gain's interval.
        high: Upper end of the gain's interval.
    """

    side: ComparedVersion
    beaten: bool
    message: str
    value: float | None = None
    low: float | None = None
    high: float | None = None


def evaluate_proposed(inputs: ComparisonInput, evidence: Evidence, proposed: ScoredVersion) -> ProposedVersion:
    """Evaluate the gate CHAMPION with the proposed version in the champion's place.

    Args:
        inputs: Versions to compare.
        evidence: Evidence about the challenger.
        proposed: Proposed version, scored on the same holdout.

    Returns:
        The proposed version and whether the challenger beats it.
    """
    evidence_with_proposed = replace_champion(evidence, inputs, proposed)
    outcome = ChampionGate(f"version {proposed.number}").evaluate(evidence_with_proposed)
    return ProposedVersion(
        side=describe_version(proposed, evidence_with_proposed.metrics["champion"]),
        beaten=outcome.verdict == "passed",
        message=outcome.message,
        value=outcome.value,
        low=outcome.low,
        high=outcome.high,
    )


def explain_incomparable(
    version: str,
    columns: Collection[str],
    split: SplitConfig,
    current_columns: Collection[str],
    current_split: SplitConfig,
) -> str | None:
    """Return why a proposed version cannot be compared with the current data and split; None if it can.

    Args:
        version: Version number in the registry.
        columns: Columns that the version needs.
        split: Split that the version was trained with.
        current_columns: Columns of the current data.
        current_split: Split in model.toml.
    """
    missing = [name for name in columns if name not in current_columns]
    if missing:
        return f"it needs the column {missing[0]!r}, which the data no longer has"
    return explain_incomparable_splits(split, current_split, f"version {version}")


def mark_incomparable(proposed: ComparedVersion, reason: str) -> ProposedVersion:
    """Return a proposed version that the challenger replaces because it cannot be compared.

    The challenger was judged with the current split and data, and a person still decides whether to merge it.

    Args:
        proposed: Description of the proposed version.
        reason: Reason why it cannot be compared.
    """
    message = f"It cannot be compared: {reason}. The challenger, which was judged with the current split, replaces it."
    return ProposedVersion(side=proposed, beaten=True, message=message)
