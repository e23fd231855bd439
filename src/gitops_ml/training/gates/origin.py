"""Gates that ask where the challenger came from, and whether callers can go on calling."""

from gitops_ml.training.evidence import Evidence
from gitops_ml.training.gates.gate import NO_CHAMPION, Gate, Outcome


class Schema(Gate):
    """Callers of the champion can call the challenger
    {changes}. Callers would have to change with it.

    If that is wanted, set `breaking = true` under [gates.signature] in model.toml, in a change of its own."""

    id = "SCHEMA"

    def judge(self, evidence: Evidence) -> Outcome:
        """The same columns, of the same types, and the same labels."""
        found = evidence.signature
        if found is None:
            return self.idle(NO_CHAMPION)
        if found.same:
            return self.outcome(True, message="It takes and gives what the champion does.")
        changes = [
            *(f"column {name!r} is new" for name in found.added),
            *(f"column {name!r} is gone" for name in found.removed),
            *(f"column {name!r} is {now}, was {then}" for name, (then, now) in found.retyped.items()),
            *(f"label {name!r} comes or goes" for name in found.labels),
        ]
        said = "; ".join(changes)
        return self.outcome(evidence.rules.signature.breaking, {"value": len(changes), "threshold": 0},
                            changes=said[0].upper() + said[1:])  # fmt: skip


class Origin(Gate):
    """Somebody else could make the challenger again
    {missing}.

    Commit everything, run `make lock` if packages changed, and train again."""

    id = "PROVENANCE"

    def judge(self, evidence: Evidence) -> Outcome:
        """A clean tree, a known commit and data, and the libraries that the lock pins."""
        found = evidence.provenance
        if found is None:
            return self.idle("Nothing is known of its training.")
        if found.complete:
            return self.outcome(True, message="Commit, data and libraries are known, and nothing was uncommitted.")
        missing = [
            *(["it was trained from files that are not committed"] if found.dirty else []),
            *([] if found.commit else ["its commit is not in this repository"]),
            *([] if found.data else ["its data is not the data that lies here"]),
            *(["not as the lock pins: " + ", ".join(found.unpinned)] if found.unpinned else []),
        ]
        said = "; ".join(missing)
        return self.outcome(False, missing=said[0].upper() + said[1:])


class Rules(Gate):
    """Nobody loosened a rule for his own model
    {loosened}. The same change also changed what is trained.

    Undo it; then loosen it in a change of its own, which others can review."""

    id = "RULES"

    def judge(self, evidence: Evidence) -> Outcome:
        """What was loosened in a change of its own is said aloud, and hinders nothing."""
        found = evidence.review
        if found is None or (found.before is None and not found.since_champion):
            return self.idle("There is nothing before this to compare the rules with.")
        if found.together:
            return self.outcome(False, {"value": len(found.together), "threshold": 0},
                                loosened=f"Loosened: {'; '.join(found.together)}")  # fmt: skip
        loose = dict.fromkeys([*found.alone, *found.since_champion])
        if not loose:
            said = found.unread or "no rule is looser than it was"
            return self.outcome(True, message=f"{said[0].upper()}{said[1:]}.", aloud=bool(found.unread))
        return self.outcome(True, message=f"Loosened, each in a change of its own: {'; '.join(loose)}.", aloud=True)


class Claims(Gate):
    """Training told the truth about itself
    {lies}, on the same rows.

    Something in your code changes what is measured."""

    id = "CLAIMS"

    def judge(self, evidence: Evidence) -> Outcome:
        """Nothing that training says is used; that it lies is worth knowing."""
        found = evidence.claims
        if found is None:
            return self.idle("It was trained with other rows held out; its figures cannot be checked here.")
        if not found:
            return self.outcome(True, message="Every figure of its training was found again.")
        first = found[0]
        said = (f"{each.metric} was said to be {each.claimed:.4f} and is {each.measured:.4f}" for each in found)
        return self.outcome(False, {"value": first.claimed, "threshold": first.measured}, lies="; ".join(said))
