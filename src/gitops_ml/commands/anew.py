"""Doing something again when nobody knows whether it was done: it looks at the state first, and decides anew."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from gitops_ml.forge.github import Unsure
from gitops_ml.registry.propose import Raced

P = ParamSpec("P")
T = TypeVar("T")
ATTEMPTS = 4
WAIT = 2.0  # seconds before looking again


def again(what: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do something that is repeatable, and repeat it where an answer was lost or somebody else pushed first."""
    retrying = Retrying(
        retry=retry_if_exception_type((Unsure, Raced)), stop=stop_after_attempt(ATTEMPTS), wait=wait_fixed(WAIT),
        reraise=True,
    )  # fmt: skip
    done: T = retrying(what, *args, **kwargs)
    return done
