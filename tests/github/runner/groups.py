"""Concurrency groups: who runs, who waits, who is cancelled."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False)
class Ticket:
    """A run or a job that wants to be alone in its group.

    Attributes:
        group: The group's name, without case.
        cancels: It cancels the one that runs (`cancel-in-progress`).
        keeps: It leaves those before it in the queue (`queue: max`).
        granted: Called when it may start.
        cancelled: Called when another takes its place, waiting or running.
    """

    group: str
    cancels: bool
    keeps: bool
    granted: Callable[[], None]
    cancelled: Callable[[], None]


@dataclass
class Group:
    """Who runs, and who waits, oldest first."""

    running: Ticket | None = None
    waiting: list[Ticket] = field(default_factory=list)


class Groups:
    """All groups of a repository, of runs and jobs alike; the caller holds its lock."""

    def __init__(self) -> None:
        """Nobody runs."""
        self._groups: defaultdict[str, Group] = defaultdict(Group)

    def enter(self, ticket: Ticket) -> None:
        """Run, or wait in the place of older ones."""
        group = self._groups[ticket.group]
        if not ticket.keeps:
            older, group.waiting = group.waiting, []
            for other in older:
                other.cancelled()
        group.waiting.append(ticket)
        if ticket.cancels and group.running:
            group.running.cancelled()
        self._next(group)

    def leave(self, ticket: Ticket) -> None:
        """Make room for the next; leaving twice does no harm."""
        group = self._groups[ticket.group]
        if ticket in group.waiting:
            group.waiting.remove(ticket)
        if group.running is ticket:
            group.running = None
            self._next(group)

    def _next(self, group: Group) -> None:
        """Let the oldest that waits run, if nobody does."""
        if group.running is None and group.waiting:
            group.running = group.waiting.pop(0)
            group.running.granted()
