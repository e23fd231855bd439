"""Workflow files, parsed as GitHub parses them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml


class InvalidWorkflow(Exception):
    """Error for a workflow that cannot run here; the message has the reason."""


@dataclass(frozen=True)
class LocalAction:
    """An action that a repository has for its own workflows.

    Attributes:
        uses: Path by which steps name it.
        data: Content of its file.
        reads_token: Flag of actions whose file has an expression that reads the token of the job.
    """

    uses: str
    data: dict[str, Any]
    reads_token: bool

    @property
    def inputs(self) -> dict[str, Any]:
        """Declared inputs by name."""
        return self.data.get("inputs") or {}

    @property
    def is_composite(self) -> bool:
        """Return whether it consists of steps."""
        return bool((self.data.get("runs") or {}).get("using") == "composite")

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Steps of a composite action; empty for other actions."""
        return list(self.data["runs"].get("steps") or ()) if self.is_composite else []


@dataclass(frozen=True)
class Workflow:
    """A workflow file.

    Attributes:
        file: File name, such as train.yml.
        text: Content of the file.
        data: Parsed content.
        actions: Local actions that its steps use, directly or indirectly, by their paths.
    """

    file: str
    text: str
    data: dict[str, Any]
    actions: Mapping[str, LocalAction] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name, or else its path."""
        return str(self.data.get("name") or f".github/workflows/{self.file}")

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        """Jobs by id."""
        jobs: dict[str, dict[str, Any]] = self.data["jobs"]
        return jobs

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Steps of all jobs."""
        return [step for job in self.jobs.values() for step in job.get("steps") or ()]

    @cached_property
    def triggers(self) -> dict[str, dict[str, Any]]:
        """Events that start it, each with its filters."""
        on = self.data["on"]
        if isinstance(on, str):
            on = [on]
        if isinstance(on, list):
            return {event: {} for event in on}
        return {event: rule if isinstance(rule, dict) else {"list": rule or []} for event, rule in on.items()}


def parse_workflow(file: str, text: str) -> Workflow:
    """Parse a workflow file; raise InvalidWorkflow if it is not valid."""
    try:
        data = yaml.safe_load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise InvalidWorkflow(f"{file} is not YAML: {error}") from error
    if not isinstance(data, dict) or root is None:
        raise InvalidWorkflow(f"{file} is not a mapping.")
    for key in _repeated_keys(root):
        raise InvalidWorkflow(f"{file} has the key {key!r} twice.")
    if True in data:  # YAML 1.1 parses the key `on` as a boolean
        data["on"] = data.pop(True)
    _require_jobs(file, data)
    return Workflow(file, text, data)


def used_actions(steps: Iterable[dict[str, Any]]) -> list[str]:
    """Return the actions that steps name."""
    return [step["uses"] for step in steps if "uses" in step]


def _require_jobs(file: str, data: dict[str, Any]) -> None:
    """Require triggers, and jobs with an id and a content."""
    if not data.get("on"):
        raise InvalidWorkflow(f"{file} has no `on`.")
    jobs = data.get("jobs")
    if not isinstance(jobs, dict) or not jobs or not all(isinstance(job, dict) for job in jobs.values()):
        raise InvalidWorkflow(f"{file} has no jobs.")


def _repeated_keys(node: yaml.Node) -> Iterator[str]:
    """Yield the keys that a mapping has twice, which PyYAML accepts and GitHub does not."""
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        yield from {str(key) for key in keys if keys.count(key) > 1}
        for _, value in node.value:
            yield from _repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repeated_keys(value)
