"""The base class of the gates.

The docstring of each gate's class is text for users, which `Gate.outcome` reads: its first line is the title, the lines
directly below it are the message template (a format string for the figures that were judged), and the paragraph after
the empty line is advice, which is shown only when the gate refuses.
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
    """The outcome of one gate.

    Attributes:
        id: Id of the gate.
        title: The rule, as a sentence.
        verdict: "not applicable" without the figures that the gate needs, such as before the first champion; "off" if
            model.toml switches the gate off. Neither stops the challenger.
        message: Explanation with the figures.
        value: The figure that was judged; None if it is not finite.
        threshold: The limit for the value; None if it is not finite.
        low: Lower end of the value's interval, if it has one.
        high: Upper end of the value's interval, if it has one.
        aloud: True if reviewers must read the message although the gate passed, is off or not applicable.
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
        """Return the outcome for the evidence; the verdict is "off" if model.toml switches the gate off.

        Args:
            evidence: Figures about the challenger and the champion.
        """
        if self.id in evidence.rules.off:
            return self.outcome("off", message="Switched off: [gates] off in model.toml.", aloud=True)
        return self.evaluate(evidence)

    @abstractmethod
    def evaluate(self, evidence: Evidence) -> Outcome:
        """Evaluate the rule.

        Args:
            evidence: Figures about the challenger and the champion.

        Returns:
            The verdict with its figures.
        """

    def not_applicable(self, reason: str, *, aloud: bool = False) -> Outcome:
        """Return the outcome of a gate that lacks the figures it needs.

        Args:
            reason: Sentence that names the missing figures.
            aloud: True if reviewers must read it.
        """
        return self.outcome("not applicable", message=reason, aloud=aloud)

    def outcome(
        self,
        verdict: Verdict | bool,
        figures: dict[str, float | None] | None = None,
        message: str = "",
        *,
        aloud: bool = False,
        **values: object,
    ) -> Outcome:
        """Return an outcome with the text of the class's docstring.

        Args:
            verdict: True for passed, False for refused, or the verdict itself.
            figures: The outcome's value, threshold, low and high, by name.
            message: Message to use instead of the docstring's.
            aloud: True if reviewers must read the message.
            **values: Values for the format string in the docstring.
        """
        title, _, rest = inspect.cleandoc(str(type(self).__doc__)).partition("\n")
        template, _, advice = rest.partition("\n\n")
        if isinstance(verdict, bool):
            verdict = "passed" if verdict else "refused"
        finite = {name: value for name, value in (figures or {}).items() if value is not None and math.isfinite(value)}
        template = f"{template} {advice}" if verdict == "refused" else template
        text = message or template.format(**values)
        return Outcome(id=self.id, title=title, verdict=verdict, message=" ".join(text.split()), aloud=aloud, **finite)
