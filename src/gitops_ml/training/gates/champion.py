"""Gates that compare the challenger with the champion on the primary metric."""

import math

from gitops_ml.config import LOWER_IS_BETTER
from gitops_ml.training.evidence import Evidence
from gitops_ml.training.gates.gate import NO_CHAMPION, Gate, Outcome
from gitops_ml.training.gates.margin import resolve_margin


class ComparableGate(Gate):
    """Champion and challenger can be compared
    {reason}.

    If [split] in model.toml changed, restore it; or run `gitops start-over`, so that the next version is compared with
    no champion."""

    id = "COMPARABLE"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if neither version was trained on rows that are held out now."""
        reason = evidence.incomparable
        if reason is not None:
            return self.outcome(False, reason=reason[0].upper() + reason[1:])
        if evidence.champion_gain is None:
            return self.not_applicable(NO_CHAMPION)
        if evidence.cutoff is None:
            return self.outcome(True, message="Both were trained without the rows that are held out now.")
        rows = f"{evidence.rows} held-out rows from {evidence.cutoff} on"
        return self.outcome(True, message=f"They are compared on {rows}, and both were trained on earlier rows only.")


class ChampionGate(Gate):
    """The challenger is good enough to replace the champion
    {metric} is {challenger:.4f}, and {opponent}'s is {champion:.4f}. The gain (positive: the challenger is better) is
    {gain:+.4f}, with the {confidence:g}% confidence interval [{low:+.4f}, {high:+.4f}]. {policies}"""

    id = "CHAMPION"

    def __init__(self, opponent: str = "the champion") -> None:
        self.opponent = opponent

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if one of the policies passes; after a tie, or with too few rows, the champion stays."""
        gain, rules = evidence.champion_gain, evidence.rules.champion
        if gain is None:
            return self.not_applicable("There is no champion yet; the other gates decide alone.")
        figures: dict[str, float | None] = {
            "value": gain.point, "threshold": resolve_margin(evidence, rules.margin, "champion", self.opponent).value,
            "low": gain.low, "high": gain.high
        }  # fmt: skip
        minimum = evidence.rules.minimum_rows
        if evidence.rows < minimum:
            few = f"Not enough evidence: {evidence.rows} rows are held out, {minimum} are needed."
            stays = f"{self.opponent[0].upper()}{self.opponent[1:]} stays."
            return self.outcome(False, figures, message=f"{few} {stays}")
        results = {policy: getattr(self, f"_{policy}")(evidence) for policy in rules.policies}
        return self.outcome(
            any(passes for passes, _ in results.values()), figures,
            metric=evidence.metric, challenger=evidence.value("challenger"), champion=evidence.value("champion"),
            opponent=self.opponent, gain=gain.point, confidence=100 * evidence.rules.confidence,
            low=gain.low, high=gain.high,
            policies=" ".join(text for _, text in results.values()),
        )  # fmt: skip

    def _improve(self, evidence: Evidence) -> tuple[bool, str]:
        gain = evidence.champion_gain
        margin = resolve_margin(evidence, evidence.rules.champion.margin, "champion", self.opponent)
        if gain is not None and gain.low == gain.high == 0.0:
            return False, f"Policy improve fails: a tie; {self.opponent} stays."
        by_chance, condition = self._by_chance(evidence)
        passes = gain is not None and gain.low > margin.value and not by_chance
        rule = f"the lower end of the interval must be greater than {margin.text}"
        return passes, f"Policy improve {_verb(passes)}: {rule}{condition}."

    def _by_chance(self, evidence: Evidence) -> tuple[bool, str]:
        """Return whether the two may be right equally often (McNemar's test), which decides only for accuracy."""
        test, limit = evidence.mcnemar, 1 - evidence.rules.confidence
        if test is None:
            return False, ""
        counts = f"only the challenger is right on {test.better} rows, only {self.opponent} on {test.worse}"
        if evidence.metric != "accuracy":
            return False, f"; {counts}"
        return test.p_value > limit, (
            f", and the p-value of McNemar's test may be at most {limit:.2g}: {counts}, p is {test.p_value:.2g}"
        )

    def _refresh(self, evidence: Evidence) -> tuple[bool, str]:
        gain, rules, new = evidence.champion_gain, evidence.rules.champion, evidence.share_new or 0.0
        margin = resolve_margin(evidence, -rules.refresh_margin, "champion", self.opponent)
        passes = gain is not None and gain.low > margin.value and new >= rules.refresh_share
        return passes, (
            f"Policy refresh {_verb(passes)}: the lower end of the interval must be greater than "
            f"{margin.text}, and at least {rules.refresh_share:.0%} of the data must be new to "
            f"{self.opponent}; {new:.0%} is."
        )


class JumpGate(Gate):
    """The gain over the champion is plausible
    {metric} goes from {champion:.4f} to {challenger:.4f}. That closes {closed:.0%} of the champion's distance to a
    perfect score; at most {share:.0%} is accepted at once.

    Look for features that contain the target. If there are none, raise `share` under [gates.jump] in model.toml."""

    id = "JUMP"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if the gain is not suspiciously large: a nearly perfect model usually has seen the target."""
        if evidence.champion_gain is None:
            return self.not_applicable(NO_CHAMPION)
        challenger, champion = evidence.value("challenger"), evidence.value("champion")
        perfect = 0.0 if evidence.metric in LOWER_IS_BETTER else 1.0
        distance = abs(perfect - champion)
        closed = (distance - abs(perfect - challenger)) / distance if distance > 0 else 0.0
        share = evidence.rules.jump.share
        if math.isnan(closed):
            return self.not_applicable("The gain is not a number.")
        return self.outcome(
            closed <= share, {"value": closed, "threshold": share},
            metric=evidence.metric, champion=champion, challenger=challenger, closed=closed, share=share,
        )  # fmt: skip


def _verb(passes: bool) -> str:
    return "passes" if passes else "fails"
