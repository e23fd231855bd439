"""Building blocks of `gitops doctor`: each check is a function with an id, whose docstring is its expectation.

If the expectation is met, it is the message; if not, the message says what is wrong and what to do about it.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from gitops_ml.errors import GitopsError

T = TypeVar("T")
Verdict = Literal["ok", "warning", "problem", "cannot tell", "not applicable"]


@dataclass(frozen=True)
class CheckResult:
    """Result of a check.

    Attributes:
        verdict: Verdict; a problem will fail or is a rule that is not enforced, a warning can wait.
        text: Problem and next step; if the expectation is met, details to add to it.
    """

    verdict: Verdict
    text: str = ""


@dataclass(frozen=True)
class CheckRow:
    """One line of the doctor's table.

    Attributes:
        id: Id of the check.
        verdict: Verdict of the check.
        text: Explanation, and the next step.
    """

    id: str
    verdict: Verdict
    text: str


@dataclass(frozen=True)
class Check(Generic[T]):
    """A check of the doctor.

    Attributes:
        id: Id in capitals, as the docs name it.
        expectation: Sentence that is true if the check finds no problem.
        fallback: Instruction to check by hand if the function cannot.
        function: Function that checks.
    """

    id: str
    expectation: str
    fallback: str
    function: Callable[[T], CheckResult]

    def run(self, subject: T) -> CheckRow:
        """Run the check; an error becomes the verdict "cannot tell", so that other checks still run.

        Args:
            subject: Object to check.

        Returns:
            The line for the doctor's table.
        """
        try:
            return self.to_row(self.function(subject))
        except GitopsError as error:
            return self.unknown_row(error.problem if self.fallback else f"{error.problem} {error.next_step}")
        except Exception as error:  # an unexpected response, from which nothing follows
            return self.unknown_row(f"An unexpected response ({type(error).__name__}: {error}).")

    def to_row(self, result: CheckResult) -> CheckRow:
        """Return a result as a line of the table.

        Args:
            result: Result of the check.
        """
        text = result.text if result.verdict != "ok" else f"{self.expectation} {result.text}"
        return CheckRow(self.id, result.verdict, " ".join(text.split()))

    def unknown_row(self, reason: str) -> CheckRow:
        """Return the line for a check without a result, with the instruction to check by hand.

        Args:
            reason: Sentence that says why there is no result.
        """
        return self.to_row(CheckResult("cannot tell", f"{reason} {self.fallback}"))


def check(id: str, fallback: str = "") -> Callable[[Callable[[T], CheckResult]], Check[T]]:
    """Return a decorator that turns a function into a check; the docstring of the function is the expectation.

    Args:
        id: Id in capitals.
        fallback: Instruction to check by hand if the function cannot.
    """

    def decorate(function: Callable[[T], CheckResult]) -> Check[T]:
        return Check(id, " ".join(inspect.cleandoc(str(function.__doc__)).split()), fallback, function)

    return decorate


def ok(details: str = "") -> CheckResult:
    """Return the result of an expectation that is met.

    Args:
        details: Details to add to the expectation.
    """
    return CheckResult("ok", details)


def warning(text: str) -> CheckResult:
    """Return the result of a setting that works but should be changed.

    Args:
        text: Explanation, and the next step.
    """
    return CheckResult("warning", text)


def problem(text: str) -> CheckResult:
    """Return the result of a setting that will fail, or of a rule that is not enforced.

    Args:
        text: Explanation, and the next step.
    """
    return CheckResult("problem", text)


def cannot_tell(text: str) -> CheckResult:
    """Return the result of a check that could not determine its verdict.

    Args:
        text: Reason, and the next step.
    """
    return CheckResult("cannot tell", text)


def not_applicable(text: str) -> CheckResult:
    """Return the result of a check that does not apply here.

    Args:
        text: Reason.
    """
    return CheckResult("not applicable", text)
