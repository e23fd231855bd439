"""From events to runs."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from github.model import BOT, Event, Run, Token
from github.runner import local_actions
from github.runner.check import check
from github.runner.clock import Clock
from github.runner.concurrency import ticket
from github.runner.context import completed, contexts
from github.runner.deploying import read_environment
from github.runner.execution import Execution
from github.runner.expressions import NotUnderstood
from github.runner.grants import grants
from github.runner.groups import Groups, Ticket
from github.runner.hub import Hub
from github.runner.repository import Repository
from github.runner.triggers import starts
from github.runner.workflow import Invalid, Workflow, read

ON_DEFAULT_BRANCH = {"schedule", "repository_dispatch"}


class Runner:
    """Hears of events, starts the workflows that they start, and runs a few at a time."""

    def __init__(
        self, hub: Hub, folder: Path, *, workers: int = 2, cron: bool = False, env: Mapping[str, str] | None = None
    ) -> None:
        """Runs keep their logs and artefacts below the folder; `cron` lets the clock start schedules."""
        self.hub, self.folder, self.workers, self.env = hub, folder.resolve(), workers, dict(env or {})
        self.repository = Repository(hub.bare)
        self.state = threading.Condition()
        self.groups = Groups()
        self.runs: list[Run] = []
        self.ready: list[Execution] = []
        self.working: list[Execution] = []
        self.tickets: dict[int, Ticket] = {}
        self.held: dict[int, Workflow] = {}
        self.paused = self.closed = False
        self.clock = Clock(self.repository, self._strike) if cron else None

    def __enter__(self) -> Self:
        """Start the clock, if there is one."""
        if self.clock:
            self.clock.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End everything that still runs."""
        self.close()

    def close(self) -> None:
        """End everything that still runs, and start nothing more."""
        with self.state:
            self.closed = self.paused = True
            if self.clock:
                self.clock.stopped.set()
            working = list(self.working)
        for execution in working:
            execution.kill()
        for execution in working:
            execution.thread.join()
        with self.state:
            for run in self.runs:
                if run.status != "completed":
                    self._conclude(run, "cancelled")

    def pause(self) -> None:
        """Queue what comes, start nothing."""
        with self.state:
            self.paused = True

    def resume(self) -> None:
        """Start what was queued."""
        with self.state:
            self.paused = False
            self._schedule()

    def wait(self, timeout: float = 600) -> list[Run]:
        """Every run so far, once nothing is queued or running."""
        with self.state:
            if not self.state.wait_for(lambda: all(run.status == "completed" for run in self.runs), timeout):
                open_ones = [f"{run.id} {run.workflow} {run.status}" for run in self.runs if run.status != "completed"]
                raise TimeoutError(f"After {timeout} seconds not completed: {', '.join(open_ones)}")
            return list(self.runs)

    def schedule(self, workflow: str) -> None:
        """Let the schedule of a workflow strike, on the default branch."""
        text = self.repository.workflows(self.repository.default_branch())[workflow]
        self._strike(workflow, read(workflow, text).triggers["schedule"]["list"][0]["cron"])

    def _strike(self, workflow: str, cron: str) -> None:
        """A schedule strikes; where and at what commit is settled as for every event."""
        self.on_event(Event("schedule", "", "", BOT, {"schedule": cron}, workflow=workflow))

    def on_event(self, event: Event) -> None:
        """Start what the event starts; register this with the server."""
        if event.name in ON_DEFAULT_BRANCH:
            ref = f"refs/heads/{self.repository.default_branch()}"
            event = replace(event, ref=ref, sha=self.repository.tip(ref))
        with self.state:
            if self.closed or not event.sha.strip("0"):
                return
            texts = self.repository.workflows(event.sha)
            if event.workflow:
                texts = {event.workflow: texts.get(event.workflow, "")}
            for file, text in texts.items():
                if file in self.hub.settings.disabled:
                    continue
                self._consider(file, text, event)
            self._schedule()

    def _consider(self, file: str, text: str, event: Event) -> None:
        """Start a workflow if the event does; a broken file fails on pushes, for nobody knows what it wanted."""
        try:
            workflow = read(file, text)
        except Invalid as error:
            if event.name == "push" or event.workflow:
                self._fail(self._new(file, f".github/workflows/{file}", event), str(error))
            return
        try:
            if starts(workflow, event, self.repository):
                actions = local_actions.find(workflow, self.repository, event.sha)
                self._start(replace(workflow, actions=actions), completed(event, workflow, self.repository))
        except (Invalid, LookupError) as error:
            self._fail(self._new(file, workflow.name, event), str(error))

    def _new(self, file: str, name: str, event: Event) -> Run:
        """A run, with its number and folder."""
        id = max(self.hub.runs, default=0) + 1
        folder = self.folder / str(id)
        folder.mkdir(parents=True)
        run = Run(id, file, name, event, folder, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.hub.runs[id] = run
        self.runs.append(run)
        return run

    def _fail(self, run: Run, why: str) -> None:
        """A run that cannot start."""
        (run.folder / "log.txt").write_text(why + "\n")
        self._conclude(run, "failure")

    def _conclude(self, run: Run, conclusion: str) -> None:
        """A run that is over without a job."""
        run.status, run.conclusion = "completed", conclusion
        self.state.notify_all()

    def _start(self, workflow: Workflow, event: Event) -> None:
        """A run that is checked and queued, or that waits for a person."""
        run = self._new(workflow.file, workflow.name, event)
        if event.waits:
            self.held[run.id] = workflow
            self._conclude(run, "action_required")
            return
        self._admit(run, workflow)

    def approve(self, run: Run, by: Token) -> None:
        """A person lets a run start that waited for it; register this with the server's approvers."""
        with self.state:
            workflow = self.held.pop(run.id, None)
            if workflow:
                run.status, run.conclusion = "queued", None
                self._admit(run, workflow)
                self._schedule()

    def review(self, run: Run, approved: bool) -> None:
        """A person lets a run's jobs deploy, or forbids it; register this with the server's reviewers."""
        with self.state:
            for execution in [one for one in self.working if one.run is run]:
                execution.gates.review(approved)

    def _admit(self, run: Run, workflow: Workflow) -> None:
        """Queue a run whose workflow can be run."""
        try:
            check(workflow)
            for job in workflow.jobs:
                grants(workflow, job, self.hub.settings.default_workflow_permissions)
            self._queue(run, workflow)
        except (Invalid, NotUnderstood) as error:
            self._fail(run, str(error))

    def _queue(self, run: Run, workflow: Workflow) -> None:
        """Queue a run, in its concurrency group if it has one."""
        # What earlier jobs give out, and the legs of a matrix, are not known yet.
        known, ignore = {**contexts(self.hub, run, workflow), "needs": {}, "matrix": {}, "steps": {}}, lambda: None
        for job in workflow.jobs.values():
            read_environment(job.get("environment"), known)
        groups = [
            ticket(job["concurrency"], known, ignore, ignore).group
            for job in workflow.jobs.values()
            if "concurrency" in job
        ]
        execution = Execution(self.hub, run, workflow, self.groups, self.state, self.env, self._changed)
        if "concurrency" not in workflow.data:
            self.ready.append(execution)
            return
        wants = ticket(
            workflow.data["concurrency"], known, lambda: self.ready.append(execution), lambda: self._cancel(execution)
        )
        if wants.group in groups:
            raise Invalid(f"The workflow and one of its jobs both want the group {wants.group!r}: a deadlock.")
        self.tickets[run.id] = wants
        self.groups.enter(wants)

    def _cancel(self, execution: Execution) -> None:
        """Cancel a run, whether it works, is ready, or waits for its group."""
        if execution in self.working:
            execution.cancel()
            return
        if execution in self.ready:
            self.ready.remove(execution)
        self._conclude(execution.run, "cancelled")
        if execution.run.id in self.tickets:
            self.groups.leave(self.tickets.pop(execution.run.id))

    def _changed(self) -> None:
        """A run ended, or waits, or goes on: there may be room for another."""
        with self.state:
            for execution in [one for one in self.working if one.run.status == "completed"]:
                self.working.remove(execution)
                if execution.run.id in self.tickets:
                    self.groups.leave(self.tickets.pop(execution.run.id))
            self._schedule()
            self.state.notify_all()

    def _schedule(self) -> None:
        """Start what is ready while there is a worker; a run that only waits for a lock keeps none."""
        while self.ready and not self.paused and sum(not one.idle for one in self.working) < self.workers:
            execution = self.ready.pop(0)
            execution.run.status = "in_progress"
            self.working.append(execution)
            execution.thread.start()
