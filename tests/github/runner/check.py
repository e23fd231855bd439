"""What a workflow asks for that this runner cannot give: refused before anything runs, never passed over."""

from collections.abc import Iterator, Mapping
from typing import Any

from github.runner import standins
from github.runner.expressions import interpolate
from github.runner.local_actions import is_local
from github.runner.rewrite import secret
from github.runner.workflow import Invalid, LocalAction, Workflow

LABELS = ("ubuntu-latest", "ubuntu-24.04", "ubuntu-22.04")


def check(workflow: Workflow) -> None:
    """Invalid, with every reason, if the workflow cannot run here."""
    known = workflow.actions
    problems = [f"Job {job!r}: {problem}" for job, data in workflow.jobs.items() for problem in _in_job(data, known)]
    problems += [f"The action {uses!r}: {problem}" for uses in known for problem in _in_action(known[uses], known)]
    if len({secret(job) for job in workflow.jobs}) < len(workflow.jobs):
        problems.append("Two jobs' names differ only in case or in - and _, so that their tokens would be one.")
    if problems:
        raise Invalid("\n".join(problems))


def _in_job(job: dict[str, Any], actions: Mapping[str, LocalAction]) -> Iterator[str]:
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
        yield from (f"step {number}: {problem}" for problem in _in_step(step, actions))


def _in_action(action: LocalAction, actions: Mapping[str, LocalAction]) -> Iterator[str]:
    """What is wrong with a local action."""
    if not action.is_composite:
        yield "it is not composite; this runner has no other local actions."
    if action.reads_token:
        yield "it reads the job's token, which this runner gives to no local action; hand it in as an input."
    for number, step in enumerate(action.steps, 1):
        uses = step.get("uses", "")
        if "run" in step and "shell" not in step:
            yield f"step {number}: it needs a `shell`."
        if standins.takes_token(uses) and "token" not in (step.get("with") or {}):
            yield f"step {number}: the action {uses!r} needs its input `token` here."
        yield from (f"step {number}: {problem}" for problem in _in_step(step, actions))


def _in_environment(environment: Any) -> Iterator[str]:
    """What is wrong with where a job deploys to."""
    if isinstance(environment, dict):
        if unknown := environment.keys() - {"name", "url"}:
            yield f"`environment` has no {', '.join(sorted(map(str, unknown)))} here; it knows name, url."
        if "name" not in environment:
            yield "`environment` needs a `name`."


def _in_step(step: dict[str, Any], actions: Mapping[str, LocalAction]) -> Iterator[str]:
    """What is wrong with a step."""
    uses, given = step.get("uses"), step.get("with") or {}
    if uses is None:
        return
    if is_local(uses):
        known = actions[uses].inputs if uses in actions else given  # one that is not there fails at its step
        lacks = f"the action {uses!r} has no input"
    elif standins.folder(uses):
        known, lacks = standins.inputs(uses), f"the stand-in for {uses!r} does not honour the input"
    else:
        yield f"the action {uses!r} has no stand-in in tests/github/actions."
        return
    yield from (f"{lacks} {name!r}; it has {', '.join(known)}." for name in given if name not in known)
