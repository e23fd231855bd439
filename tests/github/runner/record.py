"""What act's log says of each job."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from github.model import Job
from github.runner.expressions import NotUnderstood, interpolate, shown
from github.runner.rewrite import GATE, GATED
from github.runner.workflow import Workflow

LOUD = ("debug", "error", "warning", "notice", "group", "endgroup")


@dataclass
class Progress:
    """A job that act has begun.

    Attributes:
        job: What is known of it.
        id: Its key in the workflow, which legs of a matrix share.
        legs: Its values of the matrix.
        since: When it began, after any wait.
        results: What act calls each step that ran, its conclusion and its seconds, by the step's id.
        outputs: What each step gave out.
        gate: The file that will let it start, where it must wait for that.
        waits: It stands at its gate.
        reviewed: A person is asked whether it may deploy.
        dropped: It was cancelled there.
        said: What act calls its conclusion.
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
    said: str = ""

    @property
    def busy(self) -> bool:
        """It neither waits nor has ended."""
        return self.job.conclusion is None and not self.waits


class Record:
    """The jobs of a run, kept up to date line by line."""

    def __init__(self, workflow: Workflow, jobs: dict[str, Job]) -> None:
        """Every job is known from the start; the legs of a matrix when act names them."""
        self.workflow = workflow
        self.jobs = jobs
        self.begun: dict[str, Progress] = {}
        self.log: list[str] = []
        for id, job in workflow.jobs.items():
            if "matrix" not in (job.get("strategy") or {}):
                jobs[id] = Job(id)

    @property
    def open(self) -> list[Progress]:
        """The jobs that have begun and not ended."""
        return [progress for progress in self.begun.values() if progress.job.conclusion is None]

    def read(self, line: str) -> tuple[Progress, str] | None:
        """Take in a line; the job and what became of it, where that matters: `gate` or `end`."""
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict) or "jobID" not in entry:
            self.log.append(entry["msg"] + "\n" if isinstance(entry, dict) else line)
            return None
        progress = self._progress(entry)
        return self._take(progress, entry) if progress.job.conclusion is None else None

    def _progress(self, entry: dict[str, Any]) -> Progress:
        """The job that a line is about."""
        id, legs = entry["jobID"], entry.get("matrix") or {}
        key = f"{id} ({', '.join(shown(value) for value in legs.values())})" if legs else id
        if key not in self.begun:
            self.begun[key] = Progress(self.jobs.setdefault(key, Job(key)), id, legs)
        return self.begun[key]

    def _take(self, progress: Progress, entry: dict[str, Any]) -> tuple[Progress, str] | None:
        """Note what a line says of a job."""
        job, step = progress.job, entry.get("stepID") or []
        if step == [GATE] and entry.get("raw_output") and not progress.gate:
            progress.gate = entry["msg"].strip()
            return progress, "gate"
        if entry.get("command") == "summary":
            job.summary += entry["content"]
        elif entry.get("command") == "set-output" and len(step) == 1:
            progress.outputs[step[0]][entry["name"]] = entry["arg"]
        elif entry.get("command") in LOUD:
            job.log += entry["raw"]
        elif entry.get("raw_output"):
            job.log += entry["msg"]
        elif "stepResult" in entry and entry.get("stage") == "Main" and len(step) == 1:
            progress.results[step[0]] = _result(entry)
        elif entry.get("level") in ("error", "warning"):
            job.log += f"##[{entry['level']}]{entry['msg']}\n"
        elif "jobResult" in entry:
            progress.said = self._verdict(progress, entry)
            return progress, "end"
        return None

    def _verdict(self, progress: Progress, entry: dict[str, Any]) -> str:
        """A job's conclusion; a leg of a matrix is judged by its steps, for act has one conclusion for all legs."""
        if not entry.get("matrix") or not progress.results:
            return str(entry["jobResult"])
        steps = [end for _, end, _ in (self._step(progress, *step) for step in self._steps(progress))]
        return "failure" if "failure" in steps else "success"

    def end(self, progress: Progress, conclusion: str) -> None:
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
            except NotUnderstood as error:
                job.log += f"##[warning]The record lacks the output {name!r}. {error}\n"
        job.conclusion = conclusion

    def _steps(self, progress: Progress) -> list[tuple[str, dict[str, Any]]]:
        """Each step of a job and the id that act gives it."""
        data = self.workflow.jobs[progress.id]
        first = 1 if any(key in data for key in GATED) else 0  # the gate counts
        return [(step.get("id", str(number)), step) for number, step in enumerate(data.get("steps") or (), first)]

    def _step(self, progress: Progress, id: str, data: dict[str, Any]) -> tuple[str, str, float]:
        """A step's name, conclusion and seconds."""
        said, conclusion, seconds = progress.results.get(id, ("", "skipped", 0.0))
        if conclusion == "failure" and data.get("continue-on-error") is True:
            conclusion = "success"
        own = f"Run {data['uses']}" if "uses" in data else f"Run {str(data.get('run')).splitlines()[0]}"
        return (said or data["name"]) if "name" in data else own, conclusion, seconds

    def _output(self, progress: Progress, text: str) -> str:
        """A job's output."""
        return interpolate(text, self.contexts(progress))

    def contexts(self, progress: Progress) -> dict[str, Any]:
        """What the expressions of a job may read of this run."""
        steps = {id: {"outputs": outputs} for id, outputs in progress.outputs.items()}
        needs = {key: {"outputs": job.outputs, "result": job.conclusion} for key, job in self.jobs.items()}
        return {"steps": steps, "needs": needs, "matrix": progress.legs}

    def close(self, cancelled: bool) -> None:
        """The run is over: what act never began was skipped, or came too late."""
        for id, job in self.workflow.jobs.items():
            if not any(progress.id == id for progress in self.begun.values()):
                missing = self.jobs.setdefault(id, Job(id))
                missing.conclusion = "cancelled" if cancelled and not job.get("needs") else "skipped"

    def conclusion(self, act_failed: bool) -> str:
        """The run's conclusion, from its jobs'."""
        counted = [
            job.conclusion
            for id, job in self.jobs.items()
            if not (job.conclusion == "failure" and self._may_fail(id.split(" (")[0]))
        ]
        for conclusion in ("failure", "cancelled"):
            if conclusion in counted:
                return conclusion
        if act_failed and "failure" not in [job.conclusion for job in self.jobs.values()]:
            return "failure"  # act itself stumbled
        return "skipped" if counted and set(counted) == {"skipped"} else "success"

    def _may_fail(self, id: str) -> bool:
        """Whether the run does not mind that a job fails."""
        return self.workflow.jobs[id].get("continue-on-error") is True


def _result(entry: dict[str, Any]) -> tuple[str, str, float]:
    """A step's name, conclusion and seconds, as act has them."""
    return str(entry["step"]), str(entry["stepResult"]), entry.get("executionTime", 0) / 1e9
