"""GitHub on a bad day, on demand."""

import re
import threading
from dataclasses import dataclass, field
from typing import Literal, get_args

from .errors import INTEGRATION, PULL_REQUESTS, SECONDARY, RefusedError

Kind = Literal[
    "401", "403-integration", "403-pull-requests", "403-secondary", "404", "409", "422", "429", "502",
    "lost", "slow", "dropped",
]  # fmt: skip
MESSAGES = {
    "401": "Bad credentials",
    "403-integration": INTEGRATION,
    "403-pull-requests": PULL_REQUESTS,
    "403-secondary": SECONDARY,
    "404": "Not Found",
    "409": "Conflict",
    "422": "Validation Failed",
    "429": "API rate limit exceeded",
    "502": "Server Error",
}


@dataclass
class Fault:
    """What goes wrong, with which calls, and how often.

    Attributes:
        method: GET, POST, ...; empty for any.
        path: A pattern to be found in the path.
        kind: An answer's status, or: lost (done, but no answer), slow (answered late), dropped (not even done).
        times: How many calls it befalls.
        seconds: How late a slow answer is, and what `retry-after` says.
        skip: How many matching calls go well first.
    """

    method: str
    path: str
    kind: Kind
    times: int = 1
    seconds: float = 1
    skip: int = 0

    def befalls(self, method: str, path: str) -> bool:
        """Whether this call is one of them; counts it."""
        if self.times < 1 or self.method not in {"", method} or not re.search(self.path, path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True

    def answer(self) -> RefusedError | None:
        """What GitHub says instead of doing anything; nothing for a fault of the connection."""
        if self.kind not in MESSAGES:
            return None
        headers = {"retry-after": f"{self.seconds:.0f}"} if self.kind in {"429", "403-secondary"} else {}
        return RefusedError(int(self.kind[:3]), MESSAGES[self.kind], [] if self.kind == "422" else None, headers)


@dataclass
class Faults:
    """All that is to go wrong."""

    listed: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, method: str, path: str, kind: Kind, times: int = 1, seconds: float = 1, skip: int = 0) -> Fault:
        """Let the next matching calls go wrong."""
        if kind not in get_args(Kind):
            raise ValueError(f"{kind!r} is not a fault; there are {', '.join(get_args(Kind))}")
        fault = Fault(method.upper(), path, kind, times, seconds, skip)
        with self._lock:
            self.listed.append(fault)
        return fault

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that befalls this call."""
        with self._lock:
            return next((fault for fault in self.listed if fault.befalls(method, path)), None)

    def clear(self) -> None:
        """Let all go well again."""
        with self._lock:
            self.listed.clear()
