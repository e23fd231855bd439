"""Checks for workflow features that this runner does not support, made before anything runs."""

from collections.abc import Iterator, Mapping
from typing import Any

from github.runner import standins
from github.runner.expressions import UnsupportedExpression, evaluate
from github.runner.hub import Settings
from github.runner.local_actions import is_local
from github.runner.rewrite import secret_name
from github.runner.workflow import InvalidWorkflow, LocalAction, Workflow

LABELS = ("ubuntu-latest", "ubuntu-24.04", "ubuntu-22.04")


def check(workflow: Workflow, settings: Settings) -> None:
    """Raise InvalidWorkflow with all problems, if the workflow cannot run here."""
    actions = workflow.actions
    problems = [
        f"Job {job!r}: {problem}"
        for job, data in workflow.jobs.items()
        for problem in _job_problems(data, actions, settings)
    ]
    problems += [
        f"The action {uses!r}: {problem}" for uses in actions for problem in _action_problems(actions[uses], actions)
    ]
    if len({secret_name(job) for job in workflow.jobs}) < len(workflow.jobs):
        problems.append("The names of two jobs differ only in case or in - and _, so that they would share one token.")
    if problems:
        raise InvalidWorkflow("\n".join(problems))


def _job_problems(job: dict[str, Any], actions: Mapping[str, LocalAction], settings: Settings) -> Iterator[str]:
    """Yield the problems of a job."""
    if "uses" in job:
        yield f"it calls the workflow {job['uses']!r}; this runner does not support called workflows."
        return
    contexts = {"vars": dict(settings.variables)}
    yield from _runner_problems(job.get("runs-on"), contexts, settings)
    yield from _timeout_problems(job.get("timeout-minutes"), contexts)
    for key in ("container", "services"):
        if key in job:
            yield f"it needs a `{key}`; this runner has no containers."
    yield from _environment_problems(job.get("environment"))
    for number, step in enumerate(job.get("steps") or (), 1):
        yield from (f"step {number}: {problem}" for problem in _step_problems(step, actions))


def _runner_problems(text: Any, contexts: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    """Yield the labels of `runs-on` that no runner has."""
    try:
        value = _evaluate(text, contexts)
        labels = [_evaluate(label, contexts) for label in (value if isinstance(value, list) else [value])]
    except UnsupportedExpression as error:
        yield f"Error when evaluating 'runs-on'. {error}"
        return
    known = (*LABELS, *sorted(settings.runners))
    if not labels:
        yield "`runs-on` is an empty list."
    for label in labels:
        if label not in known:
            yield f"no runner has the label {label!r}. Use one of {', '.join(known)}."


def _timeout_problems(text: Any, contexts: Mapping[str, Any]) -> Iterator[str]:
    """Yield the problem of `timeout-minutes`, which must be a number, as on GitHub: a text with digits is none."""
    try:
        value = _evaluate(text, contexts)
    except UnsupportedExpression as error:
        yield f"Error when evaluating 'timeout-minutes'. {error}"
        return
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
        yield f"Error when evaluating 'timeout-minutes'. Unexpected value {value!r}."


def _evaluate(text: Any, contexts: Mapping[str, Any]) -> Any:
    """Return a value of the workflow file; an expression, which is the whole text here, is evaluated."""
    if not isinstance(text, str) or "${{" not in text:
        return text
    value = evaluate(text, contexts)
    return "" if value is None else value


def _action_problems(action: LocalAction, actions: Mapping[str, LocalAction]) -> Iterator[str]:
    """Yield the problems of a local action."""
    if not action.is_composite:
        yield "it is not composite; this runner supports no other local actions."
    if action.reads_token:
        yield "it reads the job's token, which this runner gives to no local action; pass it as an input."
    for number, step in enumerate(action.steps, 1):
        uses = step.get("uses", "")
        if "run" in step and "shell" not in step:
            yield f"step {number}: it needs a `shell`."
        if standins.uses_job_token(uses) and "token" not in (step.get("with") or {}):
            yield f"step {number}: the action {uses!r} needs its input `token` here."
        yield from (f"step {number}: {problem}" for problem in _step_problems(step, actions))


def _environment_problems(environment: Any) -> Iterator[str]:
    """Yield the problems of a job's environment."""
    if isinstance(environment, dict):
        if unknown := environment.keys() - {"name", "url"}:
            yield f"`environment` has no {', '.join(sorted(map(str, unknown)))} here; it knows name, url."
        if "name" not in environment:
            yield "`environment` needs a `name`."


def _step_problems(step: dict[str, Any], actions: Mapping[str, LocalAction]) -> Iterator[str]:
    """Yield the problems of a step."""
    uses, inputs = step.get("uses"), step.get("with") or {}
    if uses is None:
        return
    if is_local(uses):
        declared = actions[uses].inputs if uses in actions else inputs  # a missing action fails at its step
        message = f"the action {uses!r} has no input"
    elif standins.find_folder(uses):
        declared, message = standins.declared_inputs(uses), f"the stand-in for {uses!r} does not support the input"
    else:
        yield f"the action {uses!r} has no stand-in in tests/github/actions."
        return
    yield from (f"{message} {name!r}; it has {', '.join(declared)}." for name in inputs if name not in declared)
