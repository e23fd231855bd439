"""Execution of one run, from its tokens to its conclusion."""

import shutil
import threading
from collections.abc import Callable, Mapping

from github.model import Run, Token
from github.runner import act
from github.runner.gates import Gates
from github.runner.grants import grants
from github.runner.groups import Groups
from github.runner.hub import Hub
from github.runner.job_log import JobLog, JobProgress
from github.runner.rewrite import secret_name
from github.runner.workflow import Workflow

# Time that `always()` and `cancelled()` steps have after a cancellation; GitHub gives five minutes.
GRACE_SECONDS = 20.0
# If act starts no other job within this time while one is dropped at its gate, it starts none at all.
CHECK_SECONDS = 0.3


class Execution:
    """Execution of a run, in a separate thread.

    Attributes:
        run: Run that it executes.
        workflow: Workflow of the run.
        changed: Callback at its end, and whenever one of its jobs waits or ends.
    """

    def __init__(
        self, hub: Hub, run: Run, workflow: Workflow, groups: Groups, state: threading.Condition,
        env: Mapping[str, str], changed: Callable[[], None],
    ) -> None:  # fmt: skip
        """Prepare the run without starting it; `state` guards all shared data."""
        self.hub, self.run, self.workflow = hub, run, workflow
        self.state, self.env, self.changed = state, env, changed
        self.record = JobLog(workflow, run.jobs)
        self.process: act.Process | None = None
        self.is_cancelled = self.is_over = False
        self.tokens: dict[str, Token] = {}
        self.gates = Gates(hub, run, workflow, groups, self.record, self._update_status, self._check_soon, self.cancel)
        self.thread = threading.Thread(target=self._work, name=f"run {run.id}", daemon=True)

    @property
    def is_idle(self) -> bool:
        """Return whether all jobs that it has started wait."""
        unfinished = self.record.unfinished
        return bool(unfinished) and all(progress.waits for progress in unfinished)

    def cancel(self) -> None:
        """Cancel the run, like a click on "Cancel"."""
        self.is_cancelled = True
        if self.is_idle:
            self._kill()  # jobs at their gates never started: none of their steps may run
        elif self.process and not self.is_over:
            self.process.interrupt()
            self._later(GRACE_SECONDS, self._kill)

    def kill(self) -> None:
        """Kill the run."""
        with self.state:
            self.is_cancelled = True
            self._kill()

    def _kill(self) -> None:
        """Kill act, if it still runs."""
        if self.process and not self.is_over:
            self.process.kill()

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call a function after a delay, unless the run has ended by then."""

        def act_then() -> None:
            with self.state:
                if not self.is_over:
                    action()

        timer = threading.Timer(seconds, act_then)
        timer.daemon = True
        timer.start()

    def _work(self) -> None:
        """Run act and read its output; complete the run in any case."""
        try:
            code = self._run_act()
        except Exception as error:
            self.record.log.append(f"The local runner failed: {error!r}\n")
            code = 1
        if self.process:
            self.process.kill()
        for token in self.tokens.values():
            self.hub.revoke(token)
        with self.state:
            self._complete(code != 0)
        self.changed()

    def _run_act(self) -> int:
        """Run act until it ends, and return its exit code."""
        self._issue_tokens()
        with self.state:
            if self.is_cancelled:
                return 1
            tokens = {secret_name(job): token.value for job, token in self.tokens.items()}
            values = {**self.hub.settings.secrets, **tokens}
            self.process = act.start(self.hub, self.run, self.workflow, values, self.env)
        with (self.run.folder / "act.jsonl").open("w") as log:
            for line in self.process.lines():
                log.write(line)
                with self.state:
                    self._process_line(line)
        return self.process.popen.wait()

    def _issue_tokens(self) -> None:
        """Issue a token for each job, with its grants; outside the runner's lock, because the server has its own."""
        default = self.hub.settings.default_workflow_permissions
        for job in self.workflow.jobs:
            self.tokens[job] = self.hub.issue_token(grants(self.workflow, job, default))

    def _process_line(self, line: str) -> None:
        """Process a line of act's log."""
        change = self.record.parse_line(line)
        if change and change[1] == "gate":
            self.gates.arrive(change[0])
        elif change and change[1] == "end":
            self._end(change[0])

    def _update_status(self) -> None:
        """Update the run's status, and report the change."""
        self.run.status = "waiting" if self.is_idle else "in_progress"
        self.changed()

    def _check_soon(self) -> None:
        """Check after a moment whether the run can continue."""
        self._later(CHECK_SECONDS, self._end_if_stuck)

    def _end_if_stuck(self) -> None:
        """End act if only dropped jobs are left: act cannot learn that a job will never start."""
        dropped = [progress for progress in self.record.started.values() if progress.dropped]
        if dropped and not any(progress.is_busy or progress.waits for progress in self.record.unfinished):
            self.is_cancelled = True
            self._kill()

    def _end(self, progress: JobProgress) -> None:
        """Conclude a job that has ended."""
        self.gates.conclude(progress, "cancelled" if self.is_cancelled else progress.act_conclusion)
        self._update_status()
        self._check_soon()

    def _complete(self, act_failed: bool) -> None:
        """Conclude every job, and keep only logs, summaries and artifacts."""
        run = self.run
        self.is_over = True
        for progress in self.record.unfinished:
            self.gates.conclude(progress, "cancelled" if self.is_cancelled else "failure")
        self.record.close(self.is_cancelled)
        (run.folder / "log.txt").write_text("".join(self.record.log))
        for id, job in run.jobs.items():
            (run.folder / f"{id.replace('/', '-')}.log").write_text(job.log)
            (run.folder / f"{id.replace('/', '-')}.summary.md").write_text(job.summary)
        for name in ("home", "bin", "gates"):
            shutil.rmtree(run.folder / name, ignore_errors=True)
        run.status, run.conclusion = "completed", self.record.conclusion(act_failed)
