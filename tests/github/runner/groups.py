"""Concurrency groups: running, waiting and cancelled runs and jobs."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False)
class Ticket:
    """Request of a run or a job for its concurrency group.

    Attributes:
        group: Name of the group, case-folded.
        cancels_running: Flag of tickets that cancel the running one (`cancel-in-progress`).
        keeps_queue: Flag of tickets that keep earlier ones in the queue (`queue: max`).
        granted: Callback when it may start.
        cancelled: Callback when another ticket replaces it, waiting or running.
    """

    group: str
    cancels_running: bool
    keeps_queue: bool
    granted: Callable[[], None]
    cancelled: Callable[[], None]


@dataclass
class Group:
    """The running ticket of a group, and the waiting ones, oldest first."""

    running: Ticket | None = None
    waiting: list[Ticket] = field(default_factory=list)


class Groups:
    """All concurrency groups of a repository, of runs and jobs; the caller holds the lock."""

    def __init__(self) -> None:
        """Start without groups."""
        self._groups: defaultdict[str, Group] = defaultdict(Group)

    def enter(self, ticket: Ticket) -> None:
        """Enter a group: run, or wait and replace older waiting tickets."""
        group = self._groups[ticket.group]
        if not ticket.keeps_queue:
            older, group.waiting = group.waiting, []
            for other in older:
                other.cancelled()
        group.waiting.append(ticket)
        if ticket.cancels_running and group.running:
            group.running.cancelled()
        self._next(group)

    def leave(self, ticket: Ticket) -> None:
        """Leave a group and start the next ticket; a second call has no effect."""
        group = self._groups[ticket.group]
        if ticket in group.waiting:
            group.waiting.remove(ticket)
        if group.running is ticket:
            group.running = None
            self._next(group)

    def _next(self, group: Group) -> None:
        """Start the oldest waiting ticket, if none is running."""
        if group.running is None and group.waiting:
            group.running = group.waiting.pop(0)
            group.running.granted()
