"""Runner: starts workflow runs for events."""

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
from github.runner.concurrency import make_ticket
from github.runner.context import complete_event, contexts
from github.runner.execution import Execution
from github.runner.expressions import UnsupportedExpression
from github.runner.grants import grants
from github.runner.groups import Groups, Ticket
from github.runner.hub import Hub
from github.runner.job_deployment import read_environment
from github.runner.repository import Repository
from github.runner.triggers import starts
from github.runner.workflow import InvalidWorkflow, Workflow, parse_workflow

ON_DEFAULT_BRANCH = {"schedule", "repository_dispatch"}


class Runner:
    """Runner that starts workflows for events, and runs a few at a time."""

    def __init__(
        self, hub: Hub, folder: Path, *, workers: int = 2, cron: bool = False, env: Mapping[str, str] | None = None
    ) -> None:
        """Keep logs and artifacts of runs below the folder; with `cron`, a clock starts schedules."""
        self.hub, self.folder, self.workers, self.env = hub, folder.resolve(), workers, dict(env or {})
        self.repository = Repository(hub.bare)
        self.state = threading.Condition()
        self.groups = Groups()
        self.runs: list[Run] = []
        self.ready: list[Execution] = []
        self.working: list[Execution] = []
        self.tickets: dict[int, Ticket] = {}
        self.awaiting_approval: dict[int, Workflow] = {}
        self.paused = self.closed = False
        self.clock = Clock(self.repository, self._trigger_schedule) if cron else None

    def __enter__(self) -> Self:
        """Start the clock, if there is one."""
        if self.clock:
            self.clock.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop all runs."""
        self.close()

    def close(self) -> None:
        """Stop all runs, and start no more."""
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
        """Queue new runs without starting them."""
        with self.state:
            self.paused = True

    def resume(self) -> None:
        """Start the queued runs."""
        with self.state:
            self.paused = False
            self._schedule()

    def wait(self, timeout: float = 600) -> list[Run]:
        """Wait until no run is queued or running, and return all runs."""
        with self.state:
            if not self.state.wait_for(lambda: all(run.status == "completed" for run in self.runs), timeout):
                incomplete = [f"{run.id} {run.workflow} {run.status}" for run in self.runs if run.status != "completed"]
                raise TimeoutError(f"After {timeout} seconds not completed: {', '.join(incomplete)}")
            return list(self.runs)

    def schedule(self, workflow: str) -> None:
        """Trigger the schedule of a workflow, on the default branch."""
        text = self.repository.workflows(self.repository.default_branch())[workflow]
        self._trigger_schedule(workflow, parse_workflow(workflow, text).triggers["schedule"]["list"][0]["cron"])

    def _trigger_schedule(self, workflow: str, cron: str) -> None:
        """Record a schedule event; its ref and commit are resolved later."""
        self.on_event(Event("schedule", "", "", BOT, {"schedule": cron}, workflow=workflow))

    def on_event(self, event: Event) -> None:
        """Start the workflows of an event; register this as a listener of the server."""
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
                self._start_if_triggered(file, text, event)
            self._schedule()

    def _start_if_triggered(self, file: str, text: str, event: Event) -> None:
        """Start a workflow if the event triggers it; an invalid file fails on every push."""
        try:
            workflow = parse_workflow(file, text)
        except InvalidWorkflow as error:
            if event.name == "push" or event.workflow:
                self._fail(self._create_run(file, f".github/workflows/{file}", event), str(error))
            return
        try:
            if starts(workflow, event, self.repository):
                actions = local_actions.find(workflow, self.repository, event.sha)
                self._start(replace(workflow, actions=actions), complete_event(event, workflow, self.repository))
        except (InvalidWorkflow, LookupError) as error:
            self._fail(self._create_run(file, workflow.name, event), str(error))

    def _create_run(self, file: str, name: str, event: Event) -> Run:
        """Create a run, with its id and folder."""
        id = max(self.hub.runs, default=0) + 1
        folder = self.folder / str(id)
        folder.mkdir(parents=True)
        run = Run(id, file, name, event, folder, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.hub.runs[id] = run
        self.runs.append(run)
        return run

    def _fail(self, run: Run, message: str) -> None:
        """Fail a run that cannot start."""
        (run.folder / "log.txt").write_text(message + "\n")
        self._conclude(run, "failure")

    def _conclude(self, run: Run, conclusion: str) -> None:
        """Complete a run without a job."""
        run.status, run.conclusion = "completed", conclusion
        self.state.notify_all()

    def _start(self, workflow: Workflow, event: Event) -> None:
        """Create a run, and queue it unless it waits for approval."""
        run = self._create_run(workflow.file, workflow.name, event)
        if event.waits:
            self.awaiting_approval[run.id] = workflow
            self._conclude(run, "action_required")
            return
        self._check_and_queue(run, workflow)

    def approve(self, run: Run, by: Token) -> None:
        """Start a run that waited for approval; register this with the server's approvers."""
        with self.state:
            workflow = self.awaiting_approval.pop(run.id, None)
            if workflow:
                run.status, run.conclusion = "queued", None
                self._check_and_queue(run, workflow)
                self._schedule()

    def review(self, run: Run, approved: bool) -> None:
        """Apply a review of a run's deployments; register this with the server's reviewers."""
        with self.state:
            for execution in [one for one in self.working if one.run is run]:
                execution.gates.review(approved)

    def _check_and_queue(self, run: Run, workflow: Workflow) -> None:
        """Check a run's workflow, and queue the run."""
        try:
            check(workflow, self.hub.settings)
            for job in workflow.jobs:
                grants(workflow, job, self.hub.settings.default_workflow_permissions)
            self._queue(run, workflow)
        except (InvalidWorkflow, UnsupportedExpression) as error:
            self._fail(run, str(error))

    def _queue(self, run: Run, workflow: Workflow) -> None:
        """Queue a run, in its concurrency group if it has one."""
        # Outputs of earlier jobs and legs of a matrix are not known yet.
        known_contexts, ignore = (
            {**contexts(self.hub, run, workflow), "needs": {}, "matrix": {}, "steps": {}},
            lambda: None,
        )
        for job in workflow.jobs.values():
            read_environment(job.get("environment"), known_contexts)
        groups = [
            make_ticket(job["concurrency"], known_contexts, ignore, ignore).group
            for job in workflow.jobs.values()
            if "concurrency" in job
        ]
        execution = Execution(self.hub, run, workflow, self.groups, self.state, self.env, self._changed)
        if "concurrency" not in workflow.data:
            self.ready.append(execution)
            return
        ticket = make_ticket(
            workflow.data["concurrency"],
            known_contexts,
            lambda: self.ready.append(execution),
            lambda: self._cancel(execution),
        )
        if ticket.group in groups:
            raise InvalidWorkflow(
                f"The workflow and one of its jobs both want the group {ticket.group!r}: a deadlock. Rename one."
            )
        self.tickets[run.id] = ticket
        self.groups.enter(ticket)

    def _cancel(self, execution: Execution) -> None:
        """Cancel a run that is working, ready, or waiting for its group."""
        if execution in self.working:
            execution.cancel()
            return
        if execution in self.ready:
            self.ready.remove(execution)
        self._conclude(execution.run, "cancelled")
        if execution.run.id in self.tickets:
            self.groups.leave(self.tickets.pop(execution.run.id))

    def _changed(self) -> None:
        """Remove completed runs, and start others if there is room."""
        with self.state:
            for execution in [one for one in self.working if one.run.status == "completed"]:
                self.working.remove(execution)
                if execution.run.id in self.tickets:
                    self.groups.leave(self.tickets.pop(execution.run.id))
            self._schedule()
            self.state.notify_all()

    def _schedule(self) -> None:
        """Start ready runs while a worker is free; a run that only waits occupies none."""
        while self.ready and not self.paused and sum(not one.is_idle for one in self.working) < self.workers:
            execution = self.ready.pop(0)
            execution.run.status = "in_progress"
            self.working.append(execution)
            execution.thread.start()
