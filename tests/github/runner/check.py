"""What a workflow asks for that this runner cannot give: refused before anything runs, never passed over."""

from collections.abc import Iterator
from typing import Any

from github.runner import standins
from github.runner.expressions import interpolate
from github.runner.rewrite import secret
from github.runner.workflow import Invalid, Workflow

LABELS = ("ubuntu-latest", "ubuntu-24.04", "ubuntu-22.04")


def check(workflow: Workflow) -> None:
    """Invalid, with every reason, if the workflow cannot run here."""
    problems = [f"Job {job!r}: {problem}" for job, data in workflow.jobs.items() for problem in _in_job(data)]
    if len({secret(job) for job in workflow.jobs}) < len(workflow.jobs):
        problems.append("Two jobs' names differ only in case or in - and _, so that their tokens would be one.")
    if problems:
        raise Invalid("\n".join(problems))


def _in_job(job: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a job."""
    if "uses" in job:
        yield f"it calls the workflow {job['uses']!r}; this runner has no stand-in for called workflows."
        return
    labels = job.get("runs-on")
    for named in labels if isinstance(labels, list) else [labels]:
        label = interpolate(str(named), {"vars": {}})  # nobody has set a variable here
        if label not in LABELS:
            yield f"no runner has the label {label!r}. Perhaps you meant one of {', '.join(LABELS)}."
    for key in ("container", "services"):
        if key in job:
            yield f"it needs a `{key}`; this runner has no containers."
    yield from _in_environment(job.get("environment"))
    for number, step in enumerate(job.get("steps") or (), 1):
        yield from (f"step {number}: {problem}" for problem in _in_step(step))


def _in_environment(environment: Any) -> Iterator[str]:
    """What is wrong with where a job deploys to."""
    if isinstance(environment, dict):
        if unknown := environment.keys() - {"name", "url"}:
            yield f"`environment` has no {', '.join(sorted(map(str, unknown)))} here; it knows name, url."
        if "name" not in environment:
            yield "`environment` needs a `name`."


def _in_step(step: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a step."""
    uses = step.get("uses")
    if uses is None:
        return
    if standins.folder(uses) is None:
        yield f"the action {uses!r} has no stand-in in tests/github/actions."
        return
    known = standins.inputs(uses)
    for name in step.get("with") or {}:
        if name not in known:
            yield f"the stand-in for {uses!r} does not honour the input {name!r}; it knows {', '.join(known)}."
