"""Where the jobs of a run wait before they start: for a person who lets them deploy, then for others to make room."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from github.model import Run
from github.runner import deploying
from github.runner.concurrency import ticket
from github.runner.context import contexts
from github.runner.deploying import Deploying
from github.runner.groups import Groups, Ticket
from github.runner.hub import Hub
from github.runner.record import Progress, Record
from github.runner.workflow import Workflow


@dataclass
class Gates:
    """The gates of one run; the caller holds the runner's lock.

    Attributes:
        settle: Called when a job begins to wait, and when it goes on.
        left: Called when a job has ended at its gate.
        cancel: Called when the whole run must make room.
    """

    hub: Hub
    run: Run
    workflow: Workflow
    groups: Groups
    record: Record
    settle: Callable[[], None]
    left: Callable[[], None]
    cancel: Callable[[], None]
    tickets: dict[str, Ticket] = field(default_factory=dict)
    deploying: dict[str, Deploying] = field(default_factory=dict)

    def arrive(self, progress: Progress) -> None:
        """A job stands at its gate."""
        progress.waits = True
        declared = self.workflow.jobs[progress.id].get("environment")
        begun = deploying.begin(self.hub, self.run, declared, self._known(progress))
        if begun:
            self.deploying[progress.job.id] = begun
            progress.reviewed = begun.waits
        if not progress.reviewed:
            self._lock(progress)
        self.settle()

    def review(self, approved: bool) -> None:
        """A person has decided on some of the jobs that wait for it."""
        asked = [progress for progress in self.record.open if progress.reviewed]
        for progress in [one for one in asked if not self.deploying[one.job.id].waits]:
            progress.reviewed = False
            if approved:
                self._lock(progress)
            else:
                self._leave_out(progress, "failure")

    def conclude(self, progress: Progress, conclusion: str) -> None:
        """Note how a job ended, and its deployment with it; others may have its place."""
        self.record.end(progress, conclusion)
        key = progress.job.id
        if key in self.deploying:
            self.deploying.pop(key).ended(conclusion, self._known(progress))
        if key in self.tickets:
            self.groups.leave(self.tickets[key])

    def _known(self, progress: Progress) -> dict[str, Any]:
        """What the expressions of a job may read."""
        return {**contexts(self.hub, self.run, self.workflow), **self.record.contexts(progress)}

    def _lock(self, progress: Progress) -> None:
        """Ask for a job's group, if it has one."""
        declared = self.workflow.jobs[progress.id].get("concurrency")
        if declared is None:
            self._grant(progress)
            return
        granted, cancelled = partial(self._grant, progress), partial(self._drop, progress)
        asks = self.tickets[progress.job.id] = ticket(declared, self._known(progress), granted, cancelled)
        self.groups.enter(asks)
        self.settle()

    def _grant(self, progress: Progress) -> None:
        """Open a job's gate; its seconds count from now."""
        progress.waits = False
        progress.since = time.monotonic()
        if progress.job.id in self.deploying:
            self.deploying[progress.job.id].begun()
        Path(progress.gate).touch()
        self.settle()

    def _drop(self, progress: Progress) -> None:
        """Another takes a job's place: what waits never starts; what runs is cancelled, and with it all of the run."""
        if progress.waits:
            self._leave_out(progress, "cancelled")
        else:
            self.cancel()

    def _leave_out(self, progress: Progress, conclusion: str) -> None:
        """A job ends at its gate."""
        progress.dropped = True
        self.conclude(progress, conclusion)
        self.left()
