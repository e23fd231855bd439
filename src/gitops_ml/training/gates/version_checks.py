"""Gates about the challenger's lineage, its inputs and outputs, and the rules that it is judged by."""

from gitops_ml.training.evidence import Evidence
from gitops_ml.training.gates.gate import NO_CHAMPION, Gate, Outcome


class SchemaGate(Gate):
    """Clients of the champion can use the challenger without changes
    {changes}. Clients would have to change their requests.

    If this is intended, set `breaking = true` under [gates.signature] in model.toml, in a change of its own."""

    id = "SCHEMA"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if columns, types and labels are the champion's."""
        signature = evidence.signature
        if signature is None:
            return self.not_applicable(NO_CHAMPION)
        if signature.is_compatible:
            return self.outcome(True, message="The columns, their types and the labels are the champion's.")
        changes = [
            *(f"column {name!r} is new" for name in signature.added),
            *(f"column {name!r} is removed" for name in signature.removed),
            *(f"column {name!r} is {after}, was {before}" for name, (before, after) in signature.retyped.items()),
            *(f"label {name!r} is new or removed" for name in signature.labels),
        ]
        text = "; ".join(changes)
        return self.outcome(evidence.rules.signature.breaking, {"value": len(changes), "threshold": 0},
                            changes=text[0].upper() + text[1:])  # fmt: skip


class ProvenanceGate(Gate):
    """The challenger can be reproduced
    {missing}.

    Commit all files, run `make lock` if packages changed, and train again."""

    id = "PROVENANCE"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if all files were committed, commit and data are available, and the libraries are those of the lock."""
        provenance = evidence.provenance
        if provenance is None:
            return self.not_applicable("The lineage of its training is not available.")
        if provenance.complete:
            return self.outcome(True, message="All files were committed; commit, data and libraries are available.")
        missing = [
            *(["it was trained from files that are not committed"] if provenance.dirty else []),
            *([] if provenance.commit else ["its commit is not in this repository"]),
            *([] if provenance.data else ["its data is not the current data"]),
            *(["not as the lock pins: " + ", ".join(provenance.unpinned)] if provenance.unpinned else []),
        ]
        text = "; ".join(missing)
        return self.outcome(False, missing=text[0].upper() + text[1:])


class RulesGate(Gate):
    """No rule is loosened in the same change as the model
    {loosened}. The same change also changes the model's code, data or training settings.

    Revert the change (`git revert`) and push. Then push the loosened rule in a change of its own, which others can
    review; after its merge, push the rest. For another table, key or target, run `gitops start-over` instead."""

    id = "RULES"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if rules were loosened in changes of their own, if at all; these are shown to reviewers."""
        review = evidence.review
        if review is not None and review.first:
            return self.outcome(True, message=review.first, aloud=True)
        if review is None or (review.before is None and not review.since_champion):
            return self.not_applicable("There is no earlier commit to compare the rules with.")
        if review.together:
            return self.outcome(False, {"value": len(review.together), "threshold": 0},
                                loosened=f"Loosened: {'; '.join(review.together)}")  # fmt: skip
        loosened = dict.fromkeys([*review.alone, *review.since_champion])
        if not loosened:
            text = review.unread or "no rule is looser than before"
            return self.outcome(True, message=f"{text[0].upper()}{text[1:]}.", aloud=bool(review.unread))
        return self.outcome(True, message=f"Loosened, each in a change of its own: {'; '.join(loosened)}.", aloud=True)


class ClaimsGate(Gate):
    """The metrics that training recorded are correct
    {differences}, on the same rows.

    Your code may change the rows or the labels that are measured; check features.py and estimator.py."""

    id = "CLAIMS"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if the recorded metrics equal those that are measured here; only the latter are ever used."""
        claims = evidence.claims
        if claims is None:
            return self.not_applicable("Other rows were held out in its training, so its metrics cannot be checked.")
        if not claims:
            return self.outcome(True, message="Every recorded metric was measured again with the same result.")
        first = claims[0]
        texts = (f"{each.metric} was recorded as {each.claimed:.4f} and is {each.measured:.4f}" for each in claims)
        return self.outcome(
            False, {"value": first.claimed, "threshold": first.measured}, differences="; ".join(texts)
        )  # fmt: skip
