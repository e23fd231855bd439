"""What `gitops doctor` looks at: each check a function with an id, whose docstring is what it promises.

A promise that is kept is the message; one that is not says what is wrong and what to do about it.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from gitops_ml.errors import GitopsError

T = TypeVar("T")
Verdict = Literal["ok", "warning", "problem", "cannot tell", "not applicable"]


@dataclass(frozen=True)
class Finding:
    """What a check saw.

    Attributes:
        verdict: A problem is something that will fail, or a rule that nobody keeps; a warning can wait.
        text: What it saw and what to do; where all is well, only what is worth adding to the promise.
    """

    verdict: Verdict
    text: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the doctor's table.

    Attributes:
        id: The check's.
        verdict: How it is.
        text: What that means, and what to do about it.
    """

    id: str
    verdict: Verdict
    text: str


@dataclass(frozen=True)
class Check(Generic[T]):
    """Something that the doctor looks at.

    Attributes:
        id: In capitals, as the docs name it.
        promise: What is so, where all is well.
        where: Where a person can look if we cannot.
        look: The function.
    """

    id: str
    promise: str
    where: str
    look: Callable[[T], Finding]

    def examine(self, subject: T) -> Row:
        """Look, whatever happens: one part that cannot be asked does not stop the rest."""
        try:
            return self.row(self.look(subject))
        except GitopsError as error:
            return self.unknown(error.what if self.where else f"{error.what} {error.next}")
        except Exception as error:  # an answer that is not as we know it, which tells us nothing
            return self.unknown(f"An answer was not as expected ({type(error).__name__}: {error}).")

    def row(self, found: Finding) -> Row:
        """A finding as a line of the table."""
        text = found.text if found.verdict != "ok" else f"{self.promise} {found.text}"
        return Row(self.id, found.verdict, " ".join(text.split()))

    def unknown(self, why: str) -> Row:
        """The line that says that we could not find out, why, and where to look."""
        return self.row(Finding("cannot tell", f"{why} {self.where}"))


def check(id: str, where: str = "") -> Callable[[Callable[[T], Finding]], Check[T]]:
    """Make a check of a function; its docstring is the promise."""

    def make(look: Callable[[T], Finding]) -> Check[T]:
        return Check(id, " ".join(inspect.cleandoc(str(look.__doc__)).split()), where, look)

    return make


def ok(more: str = "") -> Finding:
    """The promise is kept."""
    return Finding("ok", more)


def warning(text: str) -> Finding:
    """It works, and should still be seen to."""
    return Finding("warning", text)


def problem(text: str) -> Finding:
    """It will fail, or a rule that should hold does not."""
    return Finding("problem", text)


def cannot_tell(text: str) -> Finding:
    """We could not find out."""
    return Finding("cannot tell", text)


def not_applicable(text: str) -> Finding:
    """There is nothing here to look at, or nothing that could be done."""
    return Finding("not applicable", text)
