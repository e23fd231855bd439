"""Gates about the rows: held-out rows and labels are unchanged, and held-out rows were not seen in training."""

from gitops_ml.training.evidence import Evidence
from gitops_ml.training.findings.leaks import Leak
from gitops_ml.training.gates.gate import NO_CHAMPION, Gate, Outcome

NOT_RECORDED = "The champion's run did not record its rows, or the columns have changed since."
# Rows may be deleted, but the share of deleted held-out rows may exceed that of training rows by this much only.
SLACK = 0.02
# A column is suspicious if its score alone is at least STRONG, and closes this share of the distance between the score
# of all other columns together and a perfect score.
STRONG, CLOSED = 0.9, 0.7


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

    Remove repeated rows, or keep them on one side of the split with `method = "group"` under [split]. If they are
    different observations that look the same, as in a table of few categories, raise `share` under
    [gates.duplicates]."""

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
    """No column reveals the target
    {problems}.

    Such a column is often recorded only after the outcome is known, or computed from it, so that a request cannot
    contain it. Then add its name to `known_later` under [data] in model.toml, so that no model receives it. If it is
    known when a prediction is made, add its name to `known` under [gates.leakage], in a change of its own."""

    id = "LEAKAGE"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if no column predicts the target suspiciously well, except those that model.toml declares as known."""
        rules, leaks = evidence.rules.leakage, evidence.leaks
        if not leaks:
            return self.not_applicable("There is no column to test, or the holdout has one label only.")
        known = [leak.column for leak in leaks if leak.column in rules.known]
        judged = [leak for leak in leaks if leak.column not in rules.known]
        problems = [problem for leak in judged if (problem := _describe_leak(leak, rules.alone))]
        declared = f" Declared as known, and not judged: {', '.join(map(repr, known))}." if known else ""
        if not judged:
            return self.not_applicable(f"No other column was tested.{declared}", aloud=True)
        figures: dict[str, float | None] = {"value": judged[0].strength, "threshold": rules.alone}
        if problems:
            return self.outcome(False, figures, problems="; ".join(problems))
        message = (
            f"The column {judged[0].column!r} alone predicts the target with a score of {judged[0].strength:.4f} (1 is "
            f"perfect), the highest of all columns; at most {rules.alone:g} is accepted.{declared}"
        )
        return self.outcome(True, figures, message=message, aloud=bool(known))


def _describe_leak(leak: Leak, alone: float) -> str:
    """Return what is suspicious about a column, as part of a sentence; an empty text if nothing is."""
    predicts = (
        f"The column {leak.column!r} alone predicts the target with a score of {leak.strength:.4f} (1 is perfect)"
    )
    if leak.is_group_mean:
        return (
            f"The column {leak.column!r} is the mean target of the rows with the same value, with the row's own target"
        )
    # Other columns that do as well explain a strong column that depends on them.
    is_explained = leak.is_independent is False and (leak.rest or 0.0) >= alone - (1 - alone)
    if leak.strength > alone and not is_explained:
        return f"{predicts}; at most {alone:g} is accepted"
    if leak.is_independent and leak.peers_depend:
        marks = f", or marks {leak.marked:.0%} of the rows with {leak.label!r}" if leak.label is not None else ""
        companions = " and ".join(map(repr, leak.companions))
        depends = f"depends on no column but {companions}" if companions else "does not depend on any other column"
        return (
            f"{predicts}{marks}, and it {depends} among rows with the same target, although the other columns depend "
            "on each other"
        )
    closed = 0.0 if leak.rest is None or leak.rest >= 1 else 1 - (1 - leak.strength) / (1 - leak.rest)
    if leak.rest is not None and leak.strength >= STRONG and closed >= CLOSED:
        new = " and is new since the champion was trained" if leak.is_new else ""
        return f"{predicts}{new}; all other columns together reach only {leak.rest:.4f}"
    return ""
