# machinery
"""The gates: each a small class with an id, whose docstring is what a person reads when it has judged.

The first line of the docstring is the title; the rest is the message, filled with the figures that were judged.
"""

import inspect
import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from gitops.run import Document
from gitops.training.evidence import Evidence
from gitops.training.metrics import LESS_IS_BETTER

Verdict = Literal["passed", "refused", "not applicable"]


class Outcome(Document):
    """How a gate judged.

    Attributes:
        id: The gate's.
        title: What it promises.
        verdict: "not applicable" where there is nothing to judge by, such as no champion yet; it hinders nothing.
        message: For people.
        value: What was judged; None where it is no number.
        threshold: What it had to reach; None where it is no number.
        low: Lower end of the value's interval, where it has one.
        high: Upper end.
    """

    id: str
    title: str
    verdict: Verdict
    message: str
    value: float | None = None
    threshold: float | None = None
    low: float | None = None
    high: float | None = None


class Gate(ABC):
    """A yes/no rule that a challenger must pass."""

    id: ClassVar[str]

    @abstractmethod
    def judge(self, evidence: Evidence) -> Outcome:
        """Say yes or no, with the figures."""

    def outcome(
        self,
        verdict: Verdict | bool,
        figures: dict[str, float | None] | None = None,
        message: str = "",
        **words: object,
    ) -> Outcome:
        """The outcome with this gate's own words.

        Args:
            verdict: True for passed, False for refused.
            figures: value, threshold, low, high.
            message: Instead of the docstring's.
            **words: What fills the docstring.
        """
        title, _, template = inspect.cleandoc(str(type(self).__doc__)).partition("\n")
        if isinstance(verdict, bool):
            verdict = "passed" if verdict else "refused"
        finite = {name: value for name, value in (figures or {}).items() if value is not None and math.isfinite(value)}
        text = message or template.strip().format(**words)
        return Outcome(id=self.id, title=title, verdict=verdict, message=" ".join(text.split()), **finite)


class Finite(Gate):
    """Every prediction is a number
    {count} of the challenger's {rows} predictions on the holdout are NaN or infinite; none may be."""

    id = "FINITE"

    def judge(self, evidence: Evidence) -> Outcome:
        """A NaN never wins."""
        count = evidence.challenger.predictions.not_finite
        return self.outcome(count == 0, {"value": count, "threshold": 0}, count=count, rows=evidence.rows)


class Floor(Gate):
    """The challenger reaches the floor
    {reached}. The floor of each metric stands under [gates.floor] in model.toml."""

    id = "FLOOR"

    def judge(self, evidence: Evidence) -> Outcome:
        """Absolute: whatever the champion does, this much is needed."""
        floors, found = evidence.config.gates.floor, evidence.metrics["challenger"]
        if not floors:
            return self.outcome(
                "not applicable", message="No floor is set; name one under [gates.floor] in model.toml."
            )
        reached = ", ".join(
            f"{name} is {found.get(name, math.nan):.4f} and must be at {'most' if name in LESS_IS_BETTER else 'least'} "
            f"{floor:g}" for name, floor in floors.items()
        )  # fmt: skip
        name = evidence.metric if evidence.metric in floors else next(iter(floors))
        return self.outcome(
            all(_reaches(name, found.get(name, math.nan), floor) for name, floor in floors.items()),
            {"value": found.get(name, math.nan), "threshold": floors[name]},
            reached=reached,
        )


class Baseline(Gate):
    """The challenger beats a trivial baseline
    {metric} is {challenger:.4f}, that of always giving the most common answer {baseline:.4f}; the gain lies in
    [{low:.4f}, {high:.4f}] and must exceed {margin:g}. If it does not, the features say nothing about the target."""

    id = "BASELINE"

    def judge(self, evidence: Evidence) -> Outcome:
        """Something must have been learnt."""
        gain, margin = evidence.baseline_gain, evidence.config.gates.baseline.margin
        return self.outcome(
            gain.low > margin,
            {"value": gain.point, "threshold": margin, "low": gain.low, "high": gain.high},
            metric=evidence.metric, challenger=evidence.value("challenger"), baseline=evidence.value("baseline"),
            low=gain.low, high=gain.high, margin=margin,
        )  # fmt: skip


class Comparable(Gate):
    """Champion and challenger can be compared
    {why}. Restore [split] in model.toml; or, to start over without a champion, remove the record
    in registry/ by pull request."""

    id = "COMPARABLE"

    def judge(self, evidence: Evidence) -> Outcome:
        """The same rows must have been held out for both."""
        if evidence.champion is None:
            return self.outcome("not applicable", message="There is no champion yet.")
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
        gain, rules = evidence.champion_gain, evidence.config.gates.champion
        if gain is None:
            return self.outcome("not applicable", message="There is no champion yet; the other gates decide alone.")
        figures: dict[str, float | None] = {
            "value": gain.point, "threshold": rules.margin, "low": gain.low, "high": gain.high
        }  # fmt: skip
        needed = evidence.config.gates.minimum_rows
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
        gain, margin = evidence.champion_gain, evidence.config.gates.champion.margin
        holds = gain is not None and gain.low > margin
        if gain is not None and gain.low == gain.high == 0.0:
            return False, f"Policy improve fails: a tie; {self.opponent} stays."
        return holds, f"Policy improve {_word(holds)}: the whole interval must lie above {margin:g}."

    def _refresh(self, evidence: Evidence) -> tuple[bool, str]:
        gain, rules, new = evidence.champion_gain, evidence.config.gates.champion, evidence.share_new or 0.0
        holds = gain is not None and gain.low > -rules.refresh_margin and new >= rules.refresh_share
        return holds, (
            f"Policy refresh {_word(holds)}: the whole interval must lie above {-rules.refresh_margin:g} and at least "
            f"{rules.refresh_share:.0%} of the data must be new; {new:.0%} is."
        )


GATES: tuple[Gate, ...] = (Finite(), Floor(), Baseline(), Comparable(), Champion())


def _reaches(metric: str, value: float, floor: float) -> bool:
    return value <= floor if metric in LESS_IS_BETTER else value >= floor


def _word(holds: bool) -> str:
    return "holds" if holds else "fails"
