"""Jobs of a run, read from act's log."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from github.model import Job
from github.runner.expressions import UnsupportedExpression, interpolate, to_text
from github.runner.rewrite import GATE, GATED
from github.runner.workflow import Workflow

PRINTED_COMMANDS = ("debug", "error", "warning", "notice", "group", "endgroup")


@dataclass
class JobProgress:
    """Progress of a job that act has started.

    Attributes:
        job: Job of the run.
        id: Key of the job in the workflow, which legs of a matrix share.
        legs: Values of the matrix.
        since: Time of its start, after any wait.
        results: Name in act, conclusion and seconds of each step that ran, by the step's id.
        outputs: Outputs of each step.
        gate: File whose existence lets it start, if it waits at a gate.
        waits: Flag of jobs that wait at their gate.
        reviewed: Flag of jobs that wait for a review of their deployment.
        dropped: Flag of jobs that ended at their gate.
        act_conclusion: Conclusion in act's log.
    """

    job: Job
    id: str
    legs: Mapping[str, Any] = field(default_factory=dict)
    since: float = field(default_factory=monotonic)
    results: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    outputs: defaultdict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    gate: str = ""
    waits: bool = False
    reviewed: bool = False
    dropped: bool = False
    act_conclusion: str = ""

    @property
    def is_busy(self) -> bool:
        """Return whether it neither waits nor has ended."""
        return self.job.conclusion is None and not self.waits


class JobLog:
    """Jobs of a run, updated with each line of act's log."""

    def __init__(self, workflow: Workflow, jobs: dict[str, Job]) -> None:
        """Add every job of the workflow; legs of a matrix are added when act names them."""
        self.workflow = workflow
        self.jobs = jobs
        self.started: dict[str, JobProgress] = {}
        self.log: list[str] = []
        for id, job in workflow.jobs.items():
            if "matrix" not in (job.get("strategy") or {}):
                jobs[id] = Job(id)

    @property
    def unfinished(self) -> list[JobProgress]:
        """Jobs that have started and not ended."""
        return [progress for progress in self.started.values() if progress.job.conclusion is None]

    def parse_line(self, line: str) -> tuple[JobProgress, str] | None:
        """Parse a line; return the job and its change, `gate` or `end`, if there is one."""
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict) or "jobID" not in entry:
            self.log.append(entry["msg"] + "\n" if isinstance(entry, dict) else line)
            return None
        progress = self._progress(entry)
        return self._process_entry(progress, entry) if progress.job.conclusion is None else None

    def _progress(self, entry: dict[str, Any]) -> JobProgress:
        """Return the job of a line."""
        id, legs = entry["jobID"], entry.get("matrix") or {}
        key = f"{id} ({', '.join(to_text(value) for value in legs.values())})" if legs else id
        if key not in self.started:
            self.started[key] = JobProgress(self.jobs.setdefault(key, Job(key)), id, legs)
        return self.started[key]

    def _process_entry(self, progress: JobProgress, entry: dict[str, Any]) -> tuple[JobProgress, str] | None:
        """Record a log entry of a job."""
        job, step = progress.job, entry.get("stepID") or []
        if step == [GATE] and entry.get("raw_output") and not progress.gate:
            progress.gate = entry["msg"].strip()
            return progress, "gate"
        if entry.get("command") == "summary":
            job.summary += entry["content"]
        elif entry.get("command") == "set-output" and len(step) == 1:
            progress.outputs[step[0]][entry["name"]] = entry["arg"]
        elif entry.get("command") in PRINTED_COMMANDS:
            job.log += entry["raw"]
        elif entry.get("raw_output"):
            job.log += entry["msg"]
        elif "stepResult" in entry and entry.get("stage") == "Main" and len(step) == 1:
            progress.results[step[0]] = _result(entry)
        elif entry.get("level") in ("error", "warning"):
            job.log += f"##[{entry['level']}]{entry['msg']}\n"
        elif "jobResult" in entry:
            progress.act_conclusion = self._job_conclusion(progress, entry)
            return progress, "end"
        return None

    def _job_conclusion(self, progress: JobProgress, entry: dict[str, Any]) -> str:
        """Return a job's conclusion; for a matrix leg, from its steps, because act has one conclusion for all legs."""
        if not entry.get("matrix") or not progress.results:
            return str(entry["jobResult"])
        steps = [end for _, end, _ in (self._step(progress, *step) for step in self._steps(progress))]
        return "failure" if "failure" in steps else "success"

    def end(self, progress: JobProgress, conclusion: str) -> None:
        """Complete a job that act has ended."""
        job = progress.job
        job.seconds = 0 if progress.waits else monotonic() - progress.since
        if not progress.waits:
            job.steps = [self._step(progress, *step) for step in self._steps(progress)]
        if conclusion == "cancelled":
            job.steps = [(name, "cancelled" if end == "failure" else end, time) for name, end, time in job.steps]
        for name, text in (self.workflow.jobs[progress.id].get("outputs") or {}).items():
            try:
                job.outputs[name] = self._output(progress, str(text))
            except UnsupportedExpression as error:
                job.log += f"##[warning]The record lacks the output {name!r}. {error}\n"
        job.conclusion = conclusion

    def _steps(self, progress: JobProgress) -> list[tuple[str, dict[str, Any]]]:
        """Return each step of a job with its id in act."""
        data = self.workflow.jobs[progress.id]
        first = 1 if any(key in data for key in GATED) else 0  # the gate counts
        return [(step.get("id", str(number)), step) for number, step in enumerate(data.get("steps") or (), first)]

    def _step(self, progress: JobProgress, id: str, data: dict[str, Any]) -> tuple[str, str, float]:
        """Return a step's name, conclusion and seconds."""
        act_conclusion, conclusion, seconds = progress.results.get(id, ("", "skipped", 0.0))
        if conclusion == "failure" and data.get("continue-on-error") is True:
            conclusion = "success"
        default_name = f"Run {data['uses']}" if "uses" in data else f"Run {str(data.get('run')).splitlines()[0]}"
        return (act_conclusion or data["name"]) if "name" in data else default_name, conclusion, seconds

    def _output(self, progress: JobProgress, text: str) -> str:
        """Return a job's output."""
        return interpolate(text, self.contexts(progress))

    def contexts(self, progress: JobProgress) -> dict[str, Any]:
        """Return the contexts of this run that a job's expressions can read."""
        steps = {id: {"outputs": outputs} for id, outputs in progress.outputs.items()}
        needs = {key: {"outputs": job.outputs, "result": job.conclusion} for key, job in self.jobs.items()}
        return {"steps": steps, "needs": needs, "matrix": progress.legs}

    def close(self, cancelled: bool) -> None:
        """Conclude the jobs that act never started as skipped or cancelled."""
        for id, job in self.workflow.jobs.items():
            if not any(progress.id == id for progress in self.started.values()):
                not_started = self.jobs.setdefault(id, Job(id))
                not_started.conclusion = "cancelled" if cancelled and not job.get("needs") else "skipped"

    def conclusion(self, act_failed: bool) -> str:
        """Return the run's conclusion, from those of its jobs."""
        conclusions = [
            job.conclusion
            for id, job in self.jobs.items()
            if not (job.conclusion == "failure" and self._may_fail(id.split(" (")[0]))
        ]
        for conclusion in ("failure", "cancelled"):
            if conclusion in conclusions:
                return conclusion
        if act_failed and "failure" not in [job.conclusion for job in self.jobs.values()]:
            return "failure"  # act itself failed
        return "skipped" if conclusions and set(conclusions) == {"skipped"} else "success"

    def _may_fail(self, id: str) -> bool:
        """Return whether a job has `continue-on-error`."""
        return self.workflow.jobs[id].get("continue-on-error") is True


def _result(entry: dict[str, Any]) -> tuple[str, str, float]:
    """Return a step's name, conclusion and seconds, from act's log."""
    return str(entry["step"]), str(entry["stepResult"]), entry.get("executionTime", 0) / 1e9
