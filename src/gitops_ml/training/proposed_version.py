"""Compare the challenger with the version that the open promotion pull request already proposes."""

from collections.abc import Collection

from gitops_ml.run import Document, Lineage
from gitops_ml.training.comparable_rows import explain_later_cutoff
from gitops_ml.training.compared_version import ComparedVersion, describe_version
from gitops_ml.training.comparison_input import ComparisonInput, ScoredVersion
from gitops_ml.training.evidence import Evidence, replace_champion
from gitops_ml.training.gates import ChampionGate
from gitops_ml.training.split import explain_incomparable_splits


class ProposedVersion(Document):
    """Result of the comparison of the challenger with the proposed version.

    Attributes:
        side: Description of the proposed version.
        beaten: True if the challenger may replace the proposed version in the pull request.
        message: Explanation for reviewers.
        value: The challenger's gain over the proposed version; larger is better; None if it cannot be measured.
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
    """Evaluate the gate CHAMPION with the proposed version in place of the champion.

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
    lineage: Lineage,
    current_columns: Collection[str],
    current: Lineage,
) -> str | None:
    """Return why a proposed version cannot be compared on the current data and split; None if it can.

    The text contains every reason.

    Args:
        version: Version number in the registry.
        columns: Columns that the proposed version needs.
        lineage: Lineage of the proposed version.
        current_columns: Columns of the current data.
        current: Lineage of the comparison, with the split in model.toml.
    """
    reasons = []
    missing = [repr(name) for name in columns if name not in current_columns]
    if missing:
        noun = "column" if len(missing) == 1 else "columns"
        reasons.append(f"version {version} needs the {noun} {', '.join(missing)}, which the current data does not have")
    subject = f"version {version}"
    changed_split = explain_incomparable_splits(lineage.split, current.split, subject) or explain_later_cutoff(
        subject, lineage, current
    )
    return "; ".join([*reasons, changed_split] if changed_split else reasons) or None


def mark_incomparable(proposed: ComparedVersion, reason: str) -> ProposedVersion:
    """Return the result for a proposed version that cannot be compared: the challenger replaces it.

    The gates evaluated the challenger on the current data and split. A person still decides whether to merge it.

    Args:
        proposed: Description of the proposed version.
        reason: Reason why the proposed version cannot be compared.
    """
    message = (
        f"Version {proposed.version} cannot be compared with the challenger: {reason}. The challenger was evaluated on "
        f"the current data and split, so it replaces version {proposed.version} in the pull request."
    )
    return ProposedVersion(side=proposed, beaten=True, message=message)
