"""Gates that set the challenger beside the champion, on the metric that decides."""

import math

from gitops_ml.training.evidence import Evidence
from gitops_ml.training.gates.gate import NO_CHAMPION, Gate, Outcome
from gitops_ml.training.metrics import LESS_IS_BETTER


class Comparable(Gate):
    """Champion and challenger can be compared
    {why}.

    Restore [split] in model.toml; or, to start over without a champion, remove the record in registry/ by pull
    request."""

    id = "COMPARABLE"

    def judge(self, evidence: Evidence) -> Outcome:
        """The same rows must have been held out for both."""
        if evidence.champion_gain is None:
            return self.idle(NO_CHAMPION)
        why = evidence.incomparable
        if why is None:
            return self.outcome(True, message="Both were trained without the rows that are held out now.")
        return self.outcome(False, why=why[0].upper() + why[1:])


class Champion(Gate):
    """The challenger beats the champion
    {metric} is {challenger:.4f}, {opponent}'s {champion:.4f}; the gain lies in [{low:.4f}, {high:.4f}].
    {policies}"""

    id = "CHAMPION"

    def __init__(self, opponent: str = "the champion") -> None:
        self.opponent = opponent

    def judge(self, evidence: Evidence) -> Outcome:
        """Improve, or refresh: one of the policies must hold. A tie, or too few rows, leaves the champion in place."""
        gain, rules = evidence.champion_gain, evidence.rules.champion
        if gain is None:
            return self.idle("There is no champion yet; the other gates decide alone.")
        figures: dict[str, float | None] = {
            "value": gain.point, "threshold": rules.margin, "low": gain.low, "high": gain.high
        }  # fmt: skip
        needed = evidence.rules.minimum_rows
        if evidence.rows < needed:
            few = f"Not enough evidence: {evidence.rows} rows are held out, {needed} are needed."
            stays = f"{self.opponent[0].upper()}{self.opponent[1:]} stays."
            return self.outcome(False, figures, message=f"{few} {stays}")
        judged = {policy: getattr(self, f"_{policy}")(evidence) for policy in rules.policies}
        return self.outcome(
            any(holds for holds, _ in judged.values()), figures,
            metric=evidence.metric, challenger=evidence.value("challenger"), champion=evidence.value("champion"),
            opponent=self.opponent, low=gain.low, high=gain.high,
            policies=" ".join(words for _, words in judged.values()),
        )  # fmt: skip

    def _improve(self, evidence: Evidence) -> tuple[bool, str]:
        gain, margin = evidence.champion_gain, evidence.rules.champion.margin
        if gain is not None and gain.low == gain.high == 0.0:
            return False, f"Policy improve fails: a tie; {self.opponent} stays."
        chance, even = self._by_chance(evidence)
        holds = gain is not None and gain.low > margin and not chance
        return holds, f"Policy improve {_word(holds)}: the whole interval must lie above {margin:g}{even}."

    def _by_chance(self, evidence: Evidence) -> tuple[bool, str]:
        """Whether the two may be right equally often (McNemar); that decides only where accuracy does."""
        found, most = evidence.mcnemar, 1 - evidence.rules.confidence
        if found is None:
            return False, ""
        said = f"the challenger alone is right on {found.better} rows, {self.opponent} alone on {found.worse}"
        even = found.p_value > most
        if evidence.metric != "accuracy":
            return False, f"; {said}"
        return even, f", and McNemar's p may be at most {most:.2g}: {said}, p is {found.p_value:.2g}"

    def _refresh(self, evidence: Evidence) -> tuple[bool, str]:
        gain, rules, new = evidence.champion_gain, evidence.rules.champion, evidence.share_new or 0.0
        holds = gain is not None and gain.low > -rules.refresh_margin and new >= rules.refresh_share
        return holds, (
            f"Policy refresh {_word(holds)}: the whole interval must lie above {-rules.refresh_margin:g} and at least "
            f"{rules.refresh_share:.0%} of the data must be new; {new:.0%} is."
        )


class Jump(Gate):
    """The gain is not too good to be true
    {metric} goes from {champion:.4f} to {challenger:.4f}: {vanished:.0%} of the champion's distance to perfection
    vanishes at once, and at most {share:.0%} may.

    Look for a leak; if there is none, raise `share` under [gates.jump] in model.toml."""

    id = "JUMP"

    def judge(self, evidence: Evidence) -> Outcome:
        """A model that suddenly knows nearly everything has usually seen the answers."""
        if evidence.champion_gain is None:
            return self.idle(NO_CHAMPION)
        ours, theirs = evidence.value("challenger"), evidence.value("champion")
        perfect = 0.0 if evidence.metric in LESS_IS_BETTER else 1.0
        distance = abs(perfect - theirs)
        vanished = (distance - abs(perfect - ours)) / distance if distance > 0 else 0.0
        share = evidence.rules.jump.share
        if math.isnan(vanished):
            return self.idle("The gain is no number.")
        return self.outcome(
            vanished <= share, {"value": vanished, "threshold": share},
            metric=evidence.metric, champion=theirs, challenger=ours, vanished=vanished, share=share,
        )  # fmt: skip


def _word(holds: bool) -> str:
    return "holds" if holds else "fails"
