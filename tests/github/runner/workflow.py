"""A workflow file, read as GitHub reads it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml


class Invalid(Exception):
    """A workflow that cannot run here; the message says why"""


@dataclass(frozen=True)
class LocalAction:
    """An action that a repository has for its own workflows.

    Attributes:
        uses: Path by which steps name it.
        data: Content of its file.
        reads_token: Whether an expression in its file reads the token of the job.
    """

    uses: str
    data: dict[str, Any]
    reads_token: bool

    @property
    def inputs(self) -> dict[str, Any]:
        """Inputs that it declares, by name."""
        return self.data.get("inputs") or {}

    @property
    def is_composite(self) -> bool:
        """Whether it consists of steps."""
        return bool((self.data.get("runs") or {}).get("using") == "composite")

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Its steps; none where it is not composite."""
        return list(self.data["runs"].get("steps") or ()) if self.is_composite else []


@dataclass(frozen=True)
class Workflow:
    """A workflow file.

    Attributes:
        file: Its name, such as train.yml.
        text: What stands in it.
        data: The same, as data.
        actions: Local actions that its steps use, directly or in turn, by their paths.
    """

    file: str
    text: str
    data: dict[str, Any]
    actions: Mapping[str, LocalAction] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it calls itself, else its path."""
        return str(self.data.get("name") or f".github/workflows/{self.file}")

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        """Its jobs, by id."""
        jobs: dict[str, dict[str, Any]] = self.data["jobs"]
        return jobs

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Steps of all its jobs."""
        return [step for job in self.jobs.values() for step in job.get("steps") or ()]

    @cached_property
    def triggers(self) -> dict[str, dict[str, Any]]:
        """What it runs on: each event with its filters."""
        on = self.data["on"]
        if isinstance(on, str):
            on = [on]
        if isinstance(on, list):
            return {event: {} for event in on}
        return {event: rule if isinstance(rule, dict) else {"list": rule or []} for event, rule in on.items()}


def read(file: str, text: str) -> Workflow:
    """The workflow in a file; Invalid where it is none."""
    try:
        data = yaml.safe_load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise Invalid(f"{file} is not YAML: {error}") from error
    if not isinstance(data, dict) or root is None:
        raise Invalid(f"{file} is not a mapping.")
    for key in _repeated(root):
        raise Invalid(f"{file} has the key {key!r} twice.")
    if True in data:  # YAML 1.1 reads the key `on` so
        data["on"] = data.pop(True)
    _demand(file, data)
    return Workflow(file, text, data)


def used(steps: Iterable[dict[str, Any]]) -> list[str]:
    """Return the actions that steps name."""
    return [step["uses"] for step in steps if "uses" in step]


def _demand(file: str, data: dict[str, Any]) -> None:
    """It must have triggers, and jobs with an id and a content."""
    if not data.get("on"):
        raise Invalid(f"{file} has no `on`.")
    jobs = data.get("jobs")
    if not isinstance(jobs, dict) or not jobs or not all(isinstance(job, dict) for job in jobs.values()):
        raise Invalid(f"{file} has no jobs.")


def _repeated(node: yaml.Node) -> Iterator[str]:
    """The keys that a mapping has twice, which PyYAML lets pass and GitHub does not."""
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        yield from {str(key) for key in keys if keys.count(key) > 1}
        for _, value in node.value:
            yield from _repeated(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repeated(value)
