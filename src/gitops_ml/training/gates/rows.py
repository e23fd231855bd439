"""Gates that look at the rows: what judges a model must not have been tampered with, nor seen before."""

from gitops_ml.training.evidence import Evidence
from gitops_ml.training.gates.gate import NO_CHAMPION, Gate, Outcome

NOT_NOTED = "The champion's run noted no rows, or the columns are others now."
# Rows may be deleted; but not the held-out ones more than the others.
SLACK = 0.02


class Holdout(Gate):
    """The rows that judge are the rows that judged
    Of {held} held-out rows that the champion's run noted, {changed} have changed and {gone} are gone{more}; that is
    {share:.1%}, and at most {allowed:.1%} may.

    Whoever edits what judges decides the verdict. If it was a correction, raise `changed` under [gates.holdout] in
    model.toml, in a change of its own."""

    id = "HOLDOUT"

    def judge(self, evidence: Evidence) -> Outcome:
        """Rows may come; those that are there stay as they are."""
        found, allowed = evidence.broken, evidence.rules.holdout.changed
        if found is None:
            return self.idle(NO_CHAMPION if evidence.champion_gain is None else NOT_NOTED)
        gone = found.gone / found.held if found.held else 0.0
        excess = gone - found.gone_share - SLACK
        share = found.changed / found.held + max(0.0, excess) if found.held else 0.0
        more = "" if excess <= 0 or not found.gone else f" (of the training rows, {found.gone_share:.1%})"
        return self.outcome(
            share <= allowed, {"value": share, "threshold": allowed},
            held=found.held, changed=found.changed, gone=found.gone, more=more, share=share, allowed=allowed,
        )  # fmt: skip


class Labels(Gate):
    """The labels that were known are the labels still
    Of {trained} training rows that the champion's run noted, {relabelled} have another target now ({share:.1%}); at
    most {allowed:.1%} may.

    A poisoned export passes every schema. If it was a correction, raise `changed` under [gates.labels] in model.toml,
    in a change of its own."""

    id = "LABELS"

    def judge(self, evidence: Evidence) -> Outcome:
        """Truth seldom changes afterwards."""
        found, allowed = evidence.broken, evidence.rules.labels.changed
        if found is None:
            return self.idle(NO_CHAMPION if evidence.champion_gain is None else NOT_NOTED)
        share = found.relabelled / found.trained if found.trained else 0.0
        return self.outcome(
            share <= allowed, {"value": share, "threshold": allowed},
            trained=found.trained, relabelled=found.relabelled, share=share, allowed=allowed,
        )  # fmt: skip


class Duplicates(Gate):
    """The holdout was not trained on under another key
    {count} held-out rows ({share:.1%}) stand among the training rows too{examples}; at most {allowed:.1%} may.

    Give rows that are one and the same one key, or keep them on one side with `method = "group"` under [split]."""

    id = "DUPLICATES"

    def judge(self, evidence: Evidence) -> Outcome:
        """What was seen before proves nothing."""
        found, allowed = evidence.twins, evidence.rules.duplicates.share
        examples = f", such as {', '.join(map(repr, found.examples))}" if found.examples else ""
        return self.outcome(
            found.share <= allowed, {"value": found.share, "threshold": allowed},
            count=found.count, share=found.share, examples=examples, allowed=allowed,
        )  # fmt: skip


class Leakage(Gate):
    """No column knows the answer
    {column!r} predicts the target alone with {strength:.4f}; at most {alone:g} is believed.

    Perhaps it is written after the outcome is known: nobody can send it with a request. Remove it, or raise `alone`
    under [gates.leakage] in model.toml."""

    id = "LEAKAGE"

    def judge(self, evidence: Evidence) -> Outcome:
        """The strongest single column, by a small tree."""
        alone = evidence.rules.leakage.alone
        if not evidence.leaks:
            return self.idle("There is no column to look at, or the holdout has one label only.")
        worst = evidence.leaks[0]
        return self.outcome(
            worst.strength <= alone, {"value": worst.strength, "threshold": alone},
            column=worst.column, strength=worst.strength, alone=alone,
        )  # fmt: skip
