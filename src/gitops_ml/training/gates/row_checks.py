"""Gates about the rows: held-out rows and labels are unchanged, and held-out rows were not seen in training."""

from gitops_ml.training.evidence import Evidence
from gitops_ml.training.gates.gate import NO_CHAMPION, Gate, Outcome

NOT_RECORDED = "The champion's run did not record its rows, or the columns have changed since."
# Rows may be deleted, but the share of deleted held-out rows may exceed that of training rows by this much only.
SLACK = 0.02


class HoldoutGate(Gate):
    """The held-out rows are unchanged
    Of {held} held-out rows that the champion's run recorded, {changed} have changed and {gone} are
    gone{comparison}{moved}; that counts as {share:.1%}, and at most {allowed:.1%} is allowed.

    Changed held-out rows change the result of the comparison. If the data was corrected, raise `changed` under
    [gates.holdout] in model.toml, in a change of its own, and push it before the corrected rows. For another table, run
    `gitops start-over` instead."""

    id = "HOLDOUT"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if the held-out rows of the champion's run are unchanged; new rows are allowed."""
        rows, allowed = evidence.broken, evidence.rules.holdout.changed
        if rows is None:
            return self.not_applicable(NO_CHAMPION if evidence.champion_gain is None else NOT_RECORDED)
        gone = rows.gone / rows.held if rows.held else 0.0
        excess = gone - rows.gone_share - SLACK
        share = (rows.changed + rows.moved) / rows.held + max(0.0, excess) if rows.held else 0.0
        moved = f", and {rows.moved} changed training rows are held out now" if rows.moved else ""
        comparison = "" if excess <= 0 or not rows.gone else f" (of the training rows, {rows.gone_share:.1%} are gone)"
        return self.outcome(
            share <= allowed, {"value": share, "threshold": allowed},
            held=rows.held, changed=rows.changed, gone=rows.gone, comparison=comparison, moved=moved, share=share,
            allowed=allowed,
        )  # fmt: skip


class LabelsGate(Gate):
    """The labels of earlier training rows are unchanged
    Of {trained} training rows that the champion's run recorded, {relabelled} have another target now ({share:.1%}); at
    most {allowed:.1%} may.

    A wrong export passes the schema: check how these labels changed. If the data was corrected, raise `changed` under
    [gates.labels] in model.toml, in a change of its own."""

    id = "LABELS"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if few labels of the champion's training rows have changed since."""
        rows, allowed = evidence.broken, evidence.rules.labels.changed
        if rows is None:
            return self.not_applicable(NO_CHAMPION if evidence.champion_gain is None else NOT_RECORDED)
        share = rows.relabelled / rows.trained if rows.trained else 0.0
        return self.outcome(
            share <= allowed, {"value": share, "threshold": allowed},
            trained=rows.trained, relabelled=rows.relabelled, share=share, allowed=allowed,
        )  # fmt: skip


class DuplicatesGate(Gate):
    """Held-out rows are not among the training rows
    {count} held-out rows ({share:.1%}) are also training rows, under another key{examples}; at most {allowed:.1%} may
    be.

    Give identical rows the same key, or keep them on one side of the split with `method = "group"` under [split]."""

    id = "DUPLICATES"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if few held-out rows were seen in training: those are no evidence of quality."""
        duplicates, allowed = evidence.twins, evidence.rules.duplicates.share
        examples = f", such as {', '.join(map(repr, duplicates.examples))}" if duplicates.examples else ""
        return self.outcome(
            duplicates.share <= allowed, {"value": duplicates.share, "threshold": allowed},
            count=duplicates.count, share=duplicates.share, examples=examples, allowed=allowed,
        )  # fmt: skip


class LeakageGate(Gate):
    """No column predicts the target almost perfectly by itself
    The column {column!r} alone predicts the target with a score of {strength:.4f} (1 is perfect); at most {alone:g} is
    accepted.

    It may be recorded only after the outcome is known, so that a request cannot contain it. Remove the column, or raise
    `alone` under [gates.leakage] in model.toml."""

    id = "LEAKAGE"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if a small tree on the strongest single column does not predict the target too well."""
        alone = evidence.rules.leakage.alone
        if not evidence.leaks:
            return self.not_applicable("There is no column to test, or the holdout has one label only.")
        strongest = evidence.leaks[0]
        return self.outcome(
            strongest.strength <= alone, {"value": strongest.strength, "threshold": alone},
            column=strongest.column, strength=strongest.strength, alone=alone,
        )  # fmt: skip
