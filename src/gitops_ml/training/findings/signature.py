"""Whether whoever calls the champion can call the challenger."""

from gitops_ml.run import Document
from gitops_ml.training.trial import Trial


class Signature(Document):
    """What would be different for callers.

    Attributes:
        added: Columns that they would have to send.
        removed: Columns that they may not send any more.
        retyped: Columns of another type: before, and after.
        labels: Labels that come or go.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    retyped: dict[str, tuple[str, str]]
    labels: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether nothing is."""
        return not (self.added or self.removed or self.retyped or self.labels)


def signature(trial: Trial) -> Signature | None:
    """Compare what the two take and give; None where there is no champion."""
    if trial.champion is None:
        return None
    ours, theirs = trial.challenger.run, trial.champion.run
    before, after = theirs.columns, ours.columns
    return Signature(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        retyped={
            name: (before[name], kind) for name, kind in after.items()
            if name in before and not _takes(kind, before[name])
        },
        labels=tuple(sorted(map(str, {*ours.classes} ^ {*theirs.classes}))),
    )  # fmt: skip


def _takes(now: str, then: str) -> bool:
    """Whether a column of this type takes what callers sent before: a whole number is a number."""
    return now == then or (now.startswith("float") and then.startswith(("int", "float")))
