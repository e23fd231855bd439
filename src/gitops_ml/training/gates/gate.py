"""What a gate is: a small class with an id, whose docstring is what a person reads when it has judged.

The first line of the docstring is the title; the paragraph below it is the message, filled with the figures that were
judged; a second paragraph is advice, for whoever is refused.
"""

import inspect
import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from gitops_ml.config import GateId
from gitops_ml.run import Document
from gitops_ml.training.evidence import Evidence

Verdict = Literal["passed", "refused", "not applicable", "off"]
NO_CHAMPION = "There is no champion yet."


class Outcome(Document):
    """How a gate judged.

    Attributes:
        id: The gate's.
        title: What it promises.
        verdict: "not applicable" where there is nothing to judge by, such as no champion yet, "off" where model.toml
            says so; neither hinders anything.
        message: For people.
        value: What was judged; None where it is no number.
        threshold: What it had to reach; None where it is no number.
        low: Lower end of the value's interval, where it has one.
        high: Upper end.
        aloud: Nothing was refused, and a reviewer must know all the same.
    """

    id: str
    title: str
    verdict: Verdict
    message: str
    value: float | None = None
    threshold: float | None = None
    low: float | None = None
    high: float | None = None
    aloud: bool = False


class Gate(ABC):
    """A yes/no rule that a challenger must pass."""

    id: ClassVar[GateId]

    def outcome_of(self, evidence: Evidence) -> Outcome:
        """Judge, unless model.toml switches this gate off."""
        if self.id in evidence.rules.off:
            return self.outcome("off", message="Switched off: [gates] off in model.toml.", aloud=True)
        return self.judge(evidence)

    @abstractmethod
    def judge(self, evidence: Evidence) -> Outcome:
        """Say yes or no, with the figures."""

    def idle(self, why: str, *, aloud: bool = False) -> Outcome:
        """There is nothing to judge by."""
        return self.outcome("not applicable", message=why, aloud=aloud)

    def outcome(
        self,
        verdict: Verdict | bool,
        figures: dict[str, float | None] | None = None,
        message: str = "",
        *,
        aloud: bool = False,
        **words: object,
    ) -> Outcome:
        """The outcome with this gate's own words.

        Args:
            verdict: True for passed, False for refused.
            figures: value, threshold, low, high.
            message: Instead of the docstring's.
            aloud: A reviewer must know.
            **words: What fills the docstring.
        """
        title, _, rest = inspect.cleandoc(str(type(self).__doc__)).partition("\n")
        template, _, advice = rest.partition("\n\n")
        if isinstance(verdict, bool):
            verdict = "passed" if verdict else "refused"
        finite = {name: value for name, value in (figures or {}).items() if value is not None and math.isfinite(value)}
        template = f"{template} {advice}" if verdict == "refused" else template
        text = message or template.format(**words)
        return Outcome(id=self.id, title=title, verdict=verdict, message=" ".join(text.split()), aloud=aloud, **finite)
