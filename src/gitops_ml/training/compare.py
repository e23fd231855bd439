"""Compare the challenger with the champion: evidence once, gates many, one frozen verdict."""

from typing import Literal

from pydantic import Field

from gitops_ml.bound import Bound
from gitops_ml.run import Document
from gitops_ml.training.evidence import Evidence
from gitops_ml.training.flips import Flips, flips
from gitops_ml.training.gates import GATES, Outcome
from gitops_ml.training.intervals import intervals
from gitops_ml.training.rival import Rival
from gitops_ml.training.shifts import Changes, changes
from gitops_ml.training.side import Side as Side
from gitops_ml.training.side import jsonable, side
from gitops_ml.training.slices import Slice, slices
from gitops_ml.training.trial import Trial

SLICES = 8


class Comparison(Document):
    """The verdict, and what it rests on.

    Attributes:
        verdict: "promote"; "refuse"; or "champion" where the challenger is the champion already.
        metric: That decides.
        rows: Held out.
        holdout: Digest of those rows.
        challenger: The version on trial.
        champion: The version that the record names, or None.
        baseline: Metrics of a trivial estimator.
        gates: How each judged, in order.
        rival: The version that the open proposal names, if it is another; the verdict does not depend on it.
        slices: Parts of the holdout, those with the largest loss first; at most eight.
        slices_measured: How many those were chosen from.
        flips: Where the two say different things; None without champion.
        data: What changed since the champion was trained; None without champion.
        intervals: Of the challenger's metrics, by bootstrap over the held-out rows.
        bound: What all this is bound to; None where it rests on files that are not committed.
    """

    verdict: Literal["promote", "refuse", "champion"]
    metric: str
    rows: int
    holdout: str
    challenger: Side
    champion: Side | None
    baseline: dict[str, float | None]
    gates: tuple[Outcome, ...]
    rival: Rival | None
    slices: tuple[Slice, ...]
    slices_measured: int
    flips: Flips | None
    data: Changes | None
    intervals: dict[str, tuple[float, float]] = Field({})
    bound: Bound | None = None

    @property
    def refused(self) -> tuple[str, ...]:
        """The ids of the gates that refused."""
        return tuple(outcome.id for outcome in self.gates if outcome.verdict == "refused")

    @property
    def offered(self) -> bool:
        """Whether a pull request would offer the challenger: it passed, and beats what is offered already."""
        return self.verdict == "promote" and (self.rival is None or self.rival.beaten)


def compare(trial: Trial, evidence: Evidence, rival: Rival | None = None, bound: Bound | None = None) -> Comparison:
    """Let every gate judge the evidence, and gather what a reviewer reads beside it.

    Args:
        trial: Champion and challenger.
        evidence: Gathered from it, once.
        rival: Judged already.
        bound: What the evidence is bound to.
    """
    outcomes = tuple(gate.outcome_of(evidence) for gate in GATES)
    passed = all(outcome.verdict != "refused" for outcome in outcomes)
    champion = trial.champion
    again = champion is not None and champion.digest == trial.challenger.digest
    parts = slices(trial, SLICES)
    return Comparison(
        verdict="champion" if again else "promote" if passed else "refuse",
        metric=evidence.metric,
        rows=evidence.rows,
        holdout=trial.prepared.lineage.holdout,
        challenger=side(trial.challenger, evidence.metrics["challenger"]),
        champion=side(champion, evidence.metrics["champion"]) if champion else None,
        baseline=jsonable(evidence.metrics["baseline"]),
        gates=outcomes,
        rival=rival,
        slices=parts[:SLICES],
        slices_measured=len(parts),
        flips=flips(trial),
        data=changes(trial),
        intervals=intervals(trial.config, trial.truth, trial.challenger.predictions, evidence.metrics["challenger"]),
        bound=bound,
    )
