"""Faults of the server that tests can request."""

import re
import threading
from dataclasses import dataclass, field
from typing import Literal, get_args

from .errors import INTEGRATION, PULL_REQUESTS, SECONDARY, ApiError

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
    """A fault: its kind, the calls that it affects, and how often.

    Attributes:
        method: HTTP method; empty for any.
        path: Regular expression that is searched in the path.
        kind: Status of the response, or lost (done, without a response), slow (late response), dropped (not done).
        times: Number of affected calls.
        seconds: Delay of a slow response, and value of `retry-after`.
        skip: Number of matching calls that succeed first.
    """

    method: str
    path: str
    kind: Kind
    times: int = 1
    seconds: float = 1
    skip: int = 0

    def applies_to(self, method: str, path: str) -> bool:
        """Return whether the fault affects this call, and count the call."""
        if self.times < 1 or self.method not in {"", method} or not re.search(self.path, path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True

    def error(self) -> ApiError | None:
        """Return GitHub's error response; None for a fault of the connection."""
        if self.kind not in MESSAGES:
            return None
        headers = {"retry-after": f"{self.seconds:.0f}"} if self.kind in {"429", "403-secondary"} else {}
        return ApiError(int(self.kind[:3]), MESSAGES[self.kind], [] if self.kind == "422" else None, headers)


@dataclass
class Faults:
    """All requested faults."""

    faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, method: str, path: str, kind: Kind, times: int = 1, seconds: float = 1, skip: int = 0) -> Fault:
        """Request a fault for the next matching calls."""
        if kind not in get_args(Kind):
            raise ValueError(f"{kind!r} is not a fault. Use one of {', '.join(get_args(Kind))}")
        fault = Fault(method.upper(), path, kind, times, seconds, skip)
        with self._lock:
            self.faults.append(fault)
        return fault

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that affects this call; None if there is none."""
        with self._lock:
            return next((fault for fault in self.faults if fault.applies_to(method, path)), None)

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self.faults.clear()
