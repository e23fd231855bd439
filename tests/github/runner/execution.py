"""One run, from its tokens to its conclusion."""

import shutil
import threading
from collections.abc import Callable, Mapping

from github.model import Run, Token
from github.runner import act
from github.runner.gates import Gates
from github.runner.grants import grants
from github.runner.groups import Groups
from github.runner.hub import Hub
from github.runner.record import Progress, Record
from github.runner.rewrite import secret
from github.runner.workflow import Workflow

GRACE = 20.0  # seconds that `always()` and `cancelled()` steps have after a cancellation; GitHub gives five minutes
CALM = 0.3  # seconds after which act, if it began no other job, will begin none while one is stuck at its gate


class Execution:
    """A run at work, in a thread of its own.

    Attributes:
        run: What it works on.
        workflow: What it runs.
        changed: Called at its end, and whenever one of its jobs waits or ends.
    """

    def __init__(
        self, hub: Hub, run: Run, workflow: Workflow, groups: Groups, state: threading.Condition,
        env: Mapping[str, str], changed: Callable[[], None],
    ) -> None:  # fmt: skip
        """Nothing starts yet; `state` guards all that is shared."""
        self.hub, self.run, self.workflow = hub, run, workflow
        self.state, self.env, self.changed = state, env, changed
        self.record = Record(workflow, run.jobs)
        self.process: act.Process | None = None
        self.cancelling = self.over = False
        self.tokens: dict[str, Token] = {}
        self.gates = Gates(hub, run, workflow, groups, self.record, self._settle, self._calm, self.cancel)
        self.thread = threading.Thread(target=self._work, name=f"run {run.id}", daemon=True)

    @property
    def idle(self) -> bool:
        """All that it has begun waits for others."""
        begun = self.record.open
        return bool(begun) and all(progress.waits for progress in begun)

    def cancel(self) -> None:
        """End it as a person's click on "Cancel" does."""
        self.cancelling = True
        if self.idle:
            self._kill()  # what waits at its gate never started: none of its steps may run
        elif self.process and not self.over:
            self.process.interrupt()
            self._later(GRACE, self._kill)

    def kill(self) -> None:
        """End it at once."""
        with self.state:
            self.cancelling = True
            self._kill()

    def _kill(self) -> None:
        """End what still runs."""
        if self.process and not self.over:
            self.process.kill()

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after a while, unless the run is over by then."""

        def act_then() -> None:
            with self.state:
                if not self.over:
                    action()

        timer = threading.Timer(seconds, act_then)
        timer.daemon = True
        timer.start()

    def _work(self) -> None:
        """Run act and listen to it; whatever happens, the run is completed."""
        try:
            code = self._listen()
        except Exception as error:
            self.record.log.append(f"The local runner stumbled: {error!r}\n")
            code = 1
        if self.process:
            self.process.kill()
        for token in self.tokens.values():
            self.hub.revoke(token)
        with self.state:
            self._complete(code != 0)
        self.changed()

    def _listen(self) -> int:
        """act's exit code, after its last word."""
        self._issue_tokens()
        with self.state:
            if self.cancelling:
                return 1
            tokens = {secret(job): token.value for job, token in self.tokens.items()}
            values = {**self.hub.settings.secrets, **tokens}
            self.process = act.start(self.hub, self.run, self.workflow, values, self.env)
        with (self.run.folder / "act.jsonl").open("w") as log:
            for line in self.process.lines():
                log.write(line)
                with self.state:
                    self._hear(line)
        return self.process.popen.wait()

    def _issue_tokens(self) -> None:
        """A token for each job, with its own grants; not under our lock, for the server has locks of its own."""
        default = self.hub.settings.default_workflow_permissions
        for job in self.workflow.jobs:
            self.tokens[job] = self.hub.issue_token(grants(self.workflow, job, default))

    def _hear(self, line: str) -> None:
        """Act on what a line tells."""
        heard = self.record.read(line)
        if heard and heard[1] == "gate":
            self.gates.arrive(heard[0])
        elif heard and heard[1] == "end":
            self._end(heard[0])

    def _settle(self) -> None:
        """Let it be known whether the run only waits, and that this may have changed."""
        self.run.status = "waiting" if self.idle else "in_progress"
        self.changed()

    def _calm(self) -> None:
        """A job has ended: see after a moment whether the run has more to do."""
        self._later(CALM, self._give_up)

    def _give_up(self) -> None:
        """act cannot be told that a job will never start; so once nothing else runs, it is ended."""
        dropped = [progress for progress in self.record.begun.values() if progress.dropped]
        if dropped and not any(progress.busy or progress.waits for progress in self.record.open):
            self.cancelling = True
            self._kill()

    def _end(self, progress: Progress) -> None:
        """A job is over: others may have its place."""
        self.gates.conclude(progress, "cancelled" if self.cancelling else progress.said)
        self._settle()
        self._calm()

    def _complete(self, act_failed: bool) -> None:
        """Settle every job, and keep only what is worth reading."""
        run = self.run
        self.over = True
        for progress in self.record.open:
            self.gates.conclude(progress, "cancelled" if self.cancelling else "failure")
        self.record.close(self.cancelling)
        (run.folder / "log.txt").write_text("".join(self.record.log))
        for id, job in run.jobs.items():
            (run.folder / f"{id.replace('/', '-')}.log").write_text(job.log)
            (run.folder / f"{id.replace('/', '-')}.summary.md").write_text(job.summary)
        for name in ("home", "bin", "gates"):
            shutil.rmtree(run.folder / name, ignore_errors=True)
        run.status, run.conclusion = "completed", self.record.conclusion(act_failed)
