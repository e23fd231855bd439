"""Gates at which jobs wait before they start: first for a review of a deployment, then for a concurrency group."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from github.model import Run
from github.runner import job_deployment
from github.runner.concurrency import make_ticket
from github.runner.context import contexts
from github.runner.groups import Groups, Ticket
from github.runner.hub import Hub
from github.runner.job_deployment import JobDeployment
from github.runner.job_log import JobLog, JobProgress
from github.runner.workflow import Workflow


@dataclass
class Gates:
    """The gates of one run; the caller holds the runner's lock.

    Attributes:
        settle: Callback when a job begins or ends its wait.
        left: Callback when a job has ended at its gate.
        cancel: Callback when the whole run is cancelled for another.
    """

    hub: Hub
    run: Run
    workflow: Workflow
    groups: Groups
    record: JobLog
    settle: Callable[[], None]
    left: Callable[[], None]
    cancel: Callable[[], None]
    tickets: dict[str, Ticket] = field(default_factory=dict)
    job_deployments: dict[str, JobDeployment] = field(default_factory=dict)

    def arrive(self, progress: JobProgress) -> None:
        """Handle a job that has reached its gate."""
        progress.waits = True
        declared = self.workflow.jobs[progress.id].get("environment")
        deployment = job_deployment.start_deployment(self.hub, self.run, declared, self._contexts(progress))
        if deployment:
            self.job_deployments[progress.job.id] = deployment
            progress.reviewed = deployment.waits
        if not progress.reviewed:
            self._lock(progress)
        self.settle()

    def review(self, approved: bool) -> None:
        """Continue or end the jobs that a reviewer has decided on."""
        waiting = [progress for progress in self.record.unfinished if progress.reviewed]
        for progress in [one for one in waiting if not self.job_deployments[one.job.id].waits]:
            progress.reviewed = False
            if approved:
                self._lock(progress)
            else:
                self._end_at_gate(progress, "failure")

    def conclude(self, progress: JobProgress, conclusion: str) -> None:
        """Record the conclusion of a job and its deployment, and release its concurrency group."""
        self.record.end(progress, conclusion)
        key = progress.job.id
        if key in self.job_deployments:
            self.job_deployments.pop(key).finish(conclusion, self._contexts(progress))
        if key in self.tickets:
            self.groups.leave(self.tickets[key])

    def _contexts(self, progress: JobProgress) -> dict[str, Any]:
        """Return the contexts that a job's expressions can read."""
        return {**contexts(self.hub, self.run, self.workflow), **self.record.contexts(progress)}

    def _lock(self, progress: JobProgress) -> None:
        """Request a job's concurrency group, if it has one."""
        declared = self.workflow.jobs[progress.id].get("concurrency")
        if declared is None:
            self._grant(progress)
            return
        granted, cancelled = partial(self._grant, progress), partial(self._drop, progress)
        ticket = self.tickets[progress.job.id] = make_ticket(declared, self._contexts(progress), granted, cancelled)
        self.groups.enter(ticket)
        self.settle()

    def _grant(self, progress: JobProgress) -> None:
        """Open a job's gate; its duration counts from now."""
        progress.waits = False
        progress.since = time.monotonic()
        if progress.job.id in self.job_deployments:
            self.job_deployments[progress.job.id].start()
        Path(progress.gate).touch()
        self.settle()

    def _drop(self, progress: JobProgress) -> None:
        """Cancel a job that another replaces: a waiting job never starts; a running job ends its whole run."""
        if progress.waits:
            self._end_at_gate(progress, "cancelled")
        else:
            self.cancel()

    def _end_at_gate(self, progress: JobProgress, conclusion: str) -> None:
        """End a job at its gate."""
        progress.dropped = True
        self.conclude(progress, conclusion)
        self.left()
