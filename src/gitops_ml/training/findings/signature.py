"""Compare the signatures of challenger and champion: can clients send the same requests?"""

from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput


class SignatureChanges(Document):
    """Differences between the signatures, which are the columns with their types, and the labels.

    Attributes:
        added: Columns that only the challenger has; clients must add them to their requests.
        removed: Columns that only the champion has; clients must remove them from their requests.
        retyped: Columns whose new type does not accept the old values: the champion's type, the challenger's.
        labels: Labels that only one of the two versions predicts.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    retyped: dict[str, tuple[str, str]]
    labels: tuple[str, ...]

    @property
    def is_compatible(self) -> bool:
        """True if clients of the champion can use the challenger without changes."""
        return not (self.added or self.removed or self.retyped or self.labels)


def compare_signatures(inputs: ComparisonInput) -> SignatureChanges | None:
    """Compare the columns and labels of challenger and champion.

    Args:
        inputs: The versions to compare.

    Returns:
        The differences; None if there is no champion.
    """
    if inputs.champion is None:
        return None
    challenger, champion = inputs.challenger.run, inputs.champion.run
    before, after = champion.columns, challenger.columns
    return SignatureChanges(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        retyped={
            name: (before[name], kind) for name, kind in after.items()
            if name in before and not _accepts(kind, before[name])
        },
        labels=tuple(sorted(map(str, {*challenger.classes} ^ {*champion.classes}))),
    )  # fmt: skip


def _accepts(after: str, before: str) -> bool:
    """Return whether a column of the new type accepts values of the old type: a float column accepts integers."""
    return after == before or (after.startswith("float") and before.startswith(("int", "float")))
