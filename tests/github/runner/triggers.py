"""Rules by which an event starts a workflow."""

from typing import Any

from github.model import Event
from github.runner.patterns import matches
from github.runner.repository import NOWHERE, Repository
from github.runner.workflow import InvalidWorkflow, Workflow

DEFAULT_TYPES = {"pull_request": ["opened", "synchronize", "reopened"]}
SKIP_MARKERS = ("[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]")
MAX_FILES = 300  # limit of GitHub's path filter


def starts(workflow: Workflow, event: Event, repository: Repository) -> bool:
    """Return whether the event passes the workflow's filters."""
    rule = workflow.triggers.get(event.name)
    if rule is None or event.sha == NOWHERE:
        return False
    if event.name == "workflow_dispatch":
        return workflow.file == event.workflow
    return (
        _type_passes(rule, event)
        and _ref_passes(rule, event)
        and _paths_pass(rule, event, repository)
        and not _skip_requested(event, repository)
    )


def _as_list(rule: dict[str, Any], key: str) -> list[str] | None:
    """Return a filter as a list; None if there is none."""
    value = rule.get(key)
    if value is None:
        return None
    return [value] if isinstance(value, str) else [str(one) for one in value]


def _type_passes(rule: dict[str, Any], event: Event) -> bool:
    """Return whether the event's type is included."""
    types = _as_list(rule, "types") or DEFAULT_TYPES.get(event.name)
    return types is None or event.action in types


def _ref_passes(rule: dict[str, Any], event: Event) -> bool:
    """Return whether the branch or tag is included; for a pull request, its base branch counts."""
    kind, name = _target(event)
    if not kind:
        return True
    passes = _apply_filter(rule, kind, name)
    if passes is not None:
        return passes
    # A filter of branches alone excludes tags, and a filter of tags alone excludes branches.
    other = "tags" if kind == "branches" else "branches"
    return event.name != "push" or (other not in rule and f"{other}-ignore" not in rule)


def _target(event: Event) -> tuple[str, str]:
    """Return the kind of filter, branches or tags, and the name to filter."""
    if event.name == "push":
        kind = "tags" if event.ref.startswith("refs/tags/") else "branches"
        return kind, event.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    if event.name == "pull_request":
        return "branches", event.payload["pull_request"]["base"]["ref"]
    if event.name == "merge_group":
        return "branches", event.payload["merge_group"]["base_ref"].removeprefix("refs/heads/")
    return "", ""


def _apply_filter(rule: dict[str, Any], kind: str, name: str) -> bool | None:
    """Return whether a filter or its `-ignore` accepts a name; None if there is neither."""
    included, ignored = _as_list(rule, kind), _as_list(rule, f"{kind}-ignore")
    if included is not None and ignored is not None:
        raise InvalidWorkflow(f"`{kind}` and `{kind}-ignore` cannot be combined.")
    if included is not None:
        return matches(included, name)
    return None if ignored is None else not matches(ignored, name)


def _paths_pass(rule: dict[str, Any], event: Event, repository: Repository) -> bool:
    """Return whether a changed file is included; tags have no path filters."""
    if not {"paths", "paths-ignore"} & rule.keys() or event.ref.startswith("refs/tags/"):
        return True
    return any(_apply_filter(rule, "paths", file) for file in _changed_files(event, repository)[:MAX_FILES])


def _changed_files(event: Event, repository: Repository) -> list[str]:
    """Return the files that an event changed."""
    if event.name == "pull_request":
        pull = event.payload["pull_request"]
        return repository.files_of_pull_request(pull["base"]["sha"], pull["head"]["sha"])
    return repository.files_of_push(event.before, event.sha)


def _skip_requested(event: Event, repository: Repository) -> bool:
    """Return whether the commit's message asks to skip runs, which GitHub supports for pushes and pull requests."""
    if event.name not in {"push", "pull_request"}:
        return False
    sha = event.payload["pull_request"]["head"]["sha"] if event.name == "pull_request" else event.sha
    message = repository.message(sha)
    return any(skip in message for skip in SKIP_MARKERS)
