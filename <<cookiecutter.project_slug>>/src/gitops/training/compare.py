# machinery
"""Compare the challenger with the champion: evidence once, gates many, one frozen verdict."""

from typing import Literal

from gitops.run import Document
from gitops.training.evidence import Evidence, Scored
from gitops.training.gates import GATES, Outcome


class Side(Document):
    """One of the two versions.

    Attributes:
        version: The registry's number.
        digest: Of its files.
        training: Digest of what it was trained on.
        metrics: On the holdout, measured here.
        own_code: It was scored by its own commit and lock, since today's would change what it says.
    """

    version: str
    digest: str
    training: str
    metrics: dict[str, float | None]
    own_code: bool


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
    """

    verdict: Literal["promote", "refuse", "champion"]
    metric: str
    rows: int
    holdout: str
    challenger: Side
    champion: Side | None
    baseline: dict[str, float | None]
    gates: tuple[Outcome, ...]

    @property
    def refused(self) -> tuple[str, ...]:
        """The ids of the gates that refused."""
        return tuple(outcome.id for outcome in self.gates if outcome.verdict == "refused")


def compare(evidence: Evidence, holdout: str) -> Comparison:
    """Let every gate judge the evidence.

    Args:
        evidence: Gathered once.
        holdout: Digest of the held-out rows.
    """
    outcomes = tuple(gate.judge(evidence) for gate in GATES)
    passed = all(outcome.verdict != "refused" for outcome in outcomes)
    champion = evidence.champion
    again = champion is not None and champion.digest == evidence.challenger.digest
    return Comparison(
        verdict="champion" if again else "promote" if passed else "refuse",
        metric=evidence.metric,
        rows=evidence.rows,
        holdout=holdout,
        challenger=_side(evidence.challenger, evidence.metrics["challenger"]),
        champion=_side(champion, evidence.metrics["champion"]) if champion else None,
        baseline=_jsonable(evidence.metrics["baseline"]),
        gates=outcomes,
    )


def _side(scored: Scored, metrics: dict[str, float]) -> Side:
    return Side(
        version=scored.number,
        digest=scored.digest,
        training=scored.run.lineage.training,
        metrics=_jsonable(metrics),
        own_code=scored.own_code,
    )


def _jsonable(metrics: dict[str, float]) -> dict[str, float | None]:
    """JSON has no NaN."""
    return {name: value if value == value and abs(value) != float("inf") else None for name, value in metrics.items()}
