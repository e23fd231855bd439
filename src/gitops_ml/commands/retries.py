"""Repeat an action that reads the state before it changes it, for when its outcome is unknown."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from gitops_ml.forge.github import UncertainWrite
from gitops_ml.registry.propose import PushConflict

P = ParamSpec("P")
T = TypeVar("T")
ATTEMPTS = 4
WAIT = 2.0  # seconds between attempts


def run_with_retries(action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a repeatable action, again if GitHub's response was lost or another push came first.

    Args:
        action: Reads the current state and changes only what differs, so that it may be repeated.
        *args: Positional arguments of the action.
        **kwargs: Keyword arguments of the action.

    Returns:
        The result of the action.
    """
    retrying = Retrying(
        retry=retry_if_exception_type((UncertainWrite, PushConflict)), stop=stop_after_attempt(ATTEMPTS),
        wait=wait_fixed(WAIT), reraise=True,
    )  # fmt: skip
    result: T = retrying(action, *args, **kwargs)
    return result
