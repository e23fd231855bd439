"""The rival: the version that the open proposal names, judged by the rule that the champion is judged by."""

from collections.abc import Collection

from gitops_ml.config import Split
from gitops_ml.run import Document
from gitops_ml.training.evidence import Evidence, against
from gitops_ml.training.gates import Champion
from gitops_ml.training.side import Side, side
from gitops_ml.training.split import incomparable
from gitops_ml.training.trial import Scored, Trial


class Rival(Document):
    """The version that the open proposal names, beside the challenger.

    Attributes:
        side: That version.
        beaten: Whether the challenger may take its place in the proposal.
        message: Why, for people.
        value: The challenger's gain over it, oriented so that more is better; None where it cannot be told.
        low: Lower end of the gain's interval.
        high: Upper end.
    """

    side: Side
    beaten: bool
    message: str
    value: float | None = None
    low: float | None = None
    high: float | None = None


def judge(trial: Trial, evidence: Evidence, rival: Scored) -> Rival:
    """Let the rule of the gate CHAMPION decide, with the rival in the champion's place.

    Args:
        trial: Whose challenger it is.
        evidence: About the challenger.
        rival: Scored on the same holdout.
    """
    beside = against(evidence, trial, rival)
    outcome = Champion(f"version {rival.number}").judge(beside)
    return Rival(
        side=side(rival, beside.metrics["champion"]),
        beaten=outcome.verdict == "passed",
        message=outcome.message,
        value=outcome.value,
        low=outcome.low,
        high=outcome.high,
    )


def unfit(version: str, columns: Collection[str], split: Split, present: Collection[str], today: Split) -> str | None:
    """Why a proposed version cannot be compared under today's data and split; None where it can.

    Args:
        version: The registry's number.
        columns: What it needs.
        split: What it was trained under.
        present: The columns that the data has now.
        today: The split in model.toml.
    """
    missing = [name for name in columns if name not in present]
    if missing:
        return f"it needs the column {missing[0]!r}, which the data no longer has"
    return incomparable(split, today, f"version {version}")


def forfeit(rival: Side, why: str) -> Rival:
    """A version that cannot be compared gives way: the challenger was judged under today's split and data, the
    version in the proposal no longer can be; and a person still decides whether to merge."""
    message = f"It cannot be compared: {why}. The challenger, which was judged by today's split, takes its place."
    return Rival(side=rival, beaten=True, message=message)
