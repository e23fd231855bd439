"""Comparison of the challenger with the champion: evidence, gates and verdict."""

from typing import Literal

from pydantic import Field

from gitops_ml.evidence_inputs import EvidenceInputs
from gitops_ml.run import Document
from gitops_ml.training.compared_version import ComparedVersion as ComparedVersion
from gitops_ml.training.compared_version import describe_version, replace_not_finite
from gitops_ml.training.comparison_input import ComparisonInput
from gitops_ml.training.evidence import Evidence
from gitops_ml.training.flips import Flips, find_flips
from gitops_ml.training.gates import GATES, Outcome
from gitops_ml.training.intervals import intervals
from gitops_ml.training.proposed_version import ProposedVersion
from gitops_ml.training.shifts import DataChanges, find_data_changes
from gitops_ml.training.slices import Slice, measure_slices

MAX_SLICES_SHOWN = 8


class Comparison(Document):
    """The verdict on a challenger, with the outcomes of the gates and details for reviewers.

    Attributes:
        verdict: "promote", "refuse", or "champion" if the challenger is already the champion.
        metric: Name of the primary metric, [evaluation] metric in model.toml.
        rows: Number of held-out rows.
        holdout: Digest of the held-out rows.
        challenger: Version that the gates evaluate.
        champion: Version that the record names; None before the first promotion.
        baseline: Metrics of a trivial estimator, by name; None for a metric that is not finite.
        gates: Outcomes of the gates, in the order of the report.
        rival: Version that the open promotion pull request proposes, if that is not the challenger; it does not affect
            the verdict. None if there is no such version.
        slices: Slices of the holdout, the largest loss first; at most `MAX_SLICES_SHOWN`.
        slices_measured: Number of all slices that were measured.
        flips: Held-out rows on which challenger and champion predict differently; None without a champion.
        data: Changes in the data since the champion was trained; None without a champion.
        intervals: Bootstrap intervals of the challenger's metrics.
        bound: Digests of the data, code and settings that the evidence depends on: if one changes, the evidence
            expires. None if the evidence depends on files that are not committed.
        open_doors: Names, of MEANINGS in confinement/barriers.py, of what your code could do although it was confined,
            as a test found before your code ran; None if nothing was tested.
    """

    verdict: Literal["promote", "refuse", "champion"]
    metric: str
    rows: int
    holdout: str
    challenger: ComparedVersion
    champion: ComparedVersion | None
    baseline: dict[str, float | None]
    gates: tuple[Outcome, ...]
    rival: ProposedVersion | None
    slices: tuple[Slice, ...]
    slices_measured: int
    flips: Flips | None
    data: DataChanges | None
    intervals: dict[str, tuple[float, float]] = Field({})
    bound: EvidenceInputs | None = None
    open_doors: tuple[str, ...] | None = None

    @property
    def refused(self) -> tuple[str, ...]:
        """Ids of the gates that refused."""
        return tuple(outcome.id for outcome in self.gates if outcome.verdict == "refused")

    @property
    def should_propose(self) -> bool:
        """True if a pull request should propose the challenger.

        The challenger has passed every gate, and the gate CHAMPION against the version that an open pull request
        proposes, if there is one.
        """
        return self.verdict == "promote" and (self.rival is None or self.rival.beaten)


def compare(
    inputs: ComparisonInput,
    evidence: Evidence,
    proposed: ProposedVersion | None = None,
    bound: EvidenceInputs | None = None,
    open_doors: tuple[str, ...] | None = None,
) -> Comparison:
    """Evaluate every gate and collect the details for reviewers.

    Args:
        inputs: Versions to compare.
        evidence: Evidence about these versions.
        proposed: Version that the open promotion pull request proposes, with the result of its evaluation.
        bound: Digests of the data, code and settings that the evidence depends on.
        open_doors: Names of what your code could do although it was confined.

    Returns:
        The comparison with its verdict.
    """
    outcomes = tuple(gate.outcome_of(evidence) for gate in GATES)
    passed = all(outcome.verdict != "refused" for outcome in outcomes)
    champion = inputs.champion
    is_champion = champion is not None and champion.digest == inputs.challenger.digest
    measured_slices = measure_slices(inputs, MAX_SLICES_SHOWN)
    return Comparison(
        verdict="champion" if is_champion else "promote" if passed else "refuse",
        metric=evidence.metric,
        rows=evidence.rows,
        holdout=inputs.prepared.lineage.holdout,
        challenger=describe_version(inputs.challenger, evidence.metrics["challenger"]),
        champion=describe_version(champion, evidence.metrics["champion"]) if champion else None,
        baseline=replace_not_finite(evidence.metrics["baseline"]),
        gates=outcomes,
        rival=proposed,
        slices=measured_slices[:MAX_SLICES_SHOWN],
        slices_measured=len(measured_slices),
        flips=find_flips(inputs),
        data=find_data_changes(inputs),
        intervals=intervals(
            inputs.config, inputs.labels, inputs.challenger.predictions, evidence.metrics["challenger"]
        ),
        bound=bound,
        open_doors=open_doors,
    )
