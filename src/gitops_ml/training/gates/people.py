"""Gates for those whom a better average may hurt."""

from gitops_ml.training.evidence import Evidence
from gitops_ml.training.gates.gate import NO_CHAMPION, Gate, Outcome

NO_NUMBERS = "There is nothing to measure: predictions are no numbers, or no slice is large enough."


class Slices(Gate):
    """No slice of the rows loses what the average gains
    Where {name} ({rows} rows), a row loses {loss:.4f} on average [{low:.4f}, {high:.4f}]; surely more than {margin:g}
    may not be lost; {measured} slices were judged.

    Look at those rows, or raise `margin` under [gates.slices] in model.toml."""

    id = "SLICES"

    def judge(self, evidence: Evidence) -> Outcome:
        """The slice whose loss is surest; its interval is widened for all that were looked at."""
        found, margin = evidence.losses, evidence.rules.slices.margin
        if evidence.champion_gain is None:
            return self.idle(NO_CHAMPION)
        if found is None or not found.worst:
            return self.idle(NO_NUMBERS)
        worst = found.worst[0]
        return self.outcome(
            worst.low <= margin, {"value": worst.loss, "threshold": margin, "low": worst.low, "high": worst.high},
            name=worst.name, rows=worst.rows, loss=worst.loss, low=worst.low, high=worst.high, margin=margin,
            measured=found.measured,
        )  # fmt: skip


class Fairness(Gate):
    """Declared groups are treated alike
    {said}.

    The thresholds stand under [gates.fairness] in model.toml."""

    id = "FAIRNESS"

    def judge(self, evidence: Evidence) -> Outcome:
        """Every measure of every attribute must keep to its threshold."""
        rules, found = evidence.rules.fairness, evidence.disparities
        if not rules.attributes:
            return self.idle(
                "Nobody looked: no attribute is declared under [gates.fairness] in model.toml.", aloud=True
            )
        if not found:
            return self.idle(f"No two groups of {', '.join(rules.attributes)} have {rules.minimum_rows} rows each.")
        worst = max(found, key=lambda each: each.value - getattr(rules, each.measure))
        too_far = [each for each in found if each.value > getattr(rules, each.measure)]
        said = "; ".join(
            f"{each.measure} of {each.attribute} differs by {each.value:.4f} between {_groups(each.groups)}, at most "
            f"{getattr(rules, each.measure):g} is allowed" for each in too_far or [worst]
        )  # fmt: skip
        return self.outcome(
            not too_far, {"value": worst.value, "threshold": getattr(rules, worst.measure)},
            said=said[0].upper() + said[1:],
        )  # fmt: skip


class Flips(Gate):
    """Few right answers go wrong
    {count} held-out rows ({share:.1%}) get worse: {rule}; at most {worse:.1%} may.

    People notice these first. Raise `worse` under [gates.flips] in model.toml if they can live with it."""

    id = "FLIPS"

    def judge(self, evidence: Evidence) -> Outcome:
        """Whatever is gained elsewhere."""
        found, worse = evidence.harm, evidence.rules.flips.worse
        if found is None:
            return self.idle(NO_CHAMPION)
        return self.outcome(
            found.share <= worse, {"value": found.share, "threshold": worse},
            count=found.count, share=found.share, rule=found.rule, worse=worse,
        )  # fmt: skip


class Calibration(Gate):
    """Probabilities mean what they say
    {said}.

    Calibrate the estimator (scikit-learn's CalibratedClassifierCV), or change [gates.calibration] in model.toml."""

    id = "CALIBRATION"

    def judge(self, evidence: Evidence) -> Outcome:
        """An absolute limit, and the champion's own Brier score."""
        found, rules = evidence.calibration, evidence.rules.calibration
        if found is None:
            return self.idle("The challenger gives no probabilities that could be measured.")
        said = f"The expected calibration error is {found.ece:.4f} and may be {rules.ece:g}"
        worse = found.brier is not None and found.brier.high < -rules.margin
        if found.brier:
            said += (
                f"; the Brier score gains {found.brier.point:+.4f} over the champion's "
                f"[{found.brier.low:+.4f}, {found.brier.high:+.4f}], and may not surely lose {rules.margin:g}"
            )
        return self.outcome(
            found.ece <= rules.ece and not worse, {"value": found.ece, "threshold": rules.ece}, said=said
        )


def _groups(groups: dict[str, int]) -> str:
    named = [f"{name} ({rows} rows)" for name, rows in groups.items()]
    return " and ".join([", ".join(named[:-1]), named[-1]]) if len(named) > 1 else named[0]
