"""Does an event start a workflow?"""

from typing import Any

from github.model import Event
from github.runner.patterns import matches
from github.runner.repository import NOWHERE, Repository
from github.runner.workflow import Invalid, Workflow

DEFAULT_TYPES = {"pull_request": ["opened", "synchronize", "reopened"]}
SKIPS = ("[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]")
MOST_FILES = 300  # GitHub's filter looks at no more


def starts(workflow: Workflow, event: Event, repository: Repository) -> bool:
    """Whether the event passes the workflow's filters."""
    rule = workflow.triggers.get(event.name)
    if rule is None or event.sha == NOWHERE:
        return False
    if event.name == "workflow_dispatch":
        return workflow.file == event.workflow
    return (
        _type_passes(rule, event)
        and _ref_passes(rule, event)
        and _paths_pass(rule, event, repository)
        and not _asked_to_skip(event, repository)
    )


def _listed(rule: dict[str, Any], key: str) -> list[str] | None:
    """A filter as a list; None where there is none."""
    value = rule.get(key)
    if value is None:
        return None
    return [value] if isinstance(value, str) else [str(one) for one in value]


def _type_passes(rule: dict[str, Any], event: Event) -> bool:
    """Whether it is of a type that is wanted."""
    types = _listed(rule, "types") or DEFAULT_TYPES.get(event.name)
    return types is None or event.action in types


def _ref_passes(rule: dict[str, Any], event: Event) -> bool:
    """Whether the branch or tag is wanted; a pull request counts with the branch that it goes to."""
    kind, name = _target(event)
    if not kind:
        return True
    verdict = _filtered(rule, kind, name)
    if verdict is not None:
        return verdict
    # Who filters only branches wants no tags, and the other way round.
    other = "tags" if kind == "branches" else "branches"
    return event.name != "push" or (other not in rule and f"{other}-ignore" not in rule)


def _target(event: Event) -> tuple[str, str]:
    """Whether branches or tags are filtered, and the name to filter."""
    if event.name == "push":
        kind = "tags" if event.ref.startswith("refs/tags/") else "branches"
        return kind, event.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    if event.name == "pull_request":
        return "branches", event.payload["pull_request"]["base"]["ref"]
    if event.name == "merge_group":
        return "branches", event.payload["merge_group"]["base_ref"].removeprefix("refs/heads/")
    return "", ""


def _filtered(rule: dict[str, Any], kind: str, name: str) -> bool | None:
    """What a filter and its `-ignore` say of a name; None where there is neither."""
    wanted, unwanted = _listed(rule, kind), _listed(rule, f"{kind}-ignore")
    if wanted is not None and unwanted is not None:
        raise Invalid(f"`{kind}` and `{kind}-ignore` cannot stand together.")
    if wanted is not None:
        return matches(wanted, name)
    return None if unwanted is None else not matches(unwanted, name)


def _paths_pass(rule: dict[str, Any], event: Event, repository: Repository) -> bool:
    """Whether a changed file is wanted; tags have none."""
    if not {"paths", "paths-ignore"} & rule.keys() or event.ref.startswith("refs/tags/"):
        return True
    return any(_filtered(rule, "paths", file) for file in _changed(event, repository)[:MOST_FILES])


def _changed(event: Event, repository: Repository) -> list[str]:
    """The files that an event is about."""
    if event.name == "pull_request":
        pull = event.payload["pull_request"]
        return repository.proposed(pull["base"]["sha"], pull["head"]["sha"])
    return repository.pushed(event.before, event.sha)


def _asked_to_skip(event: Event, repository: Repository) -> bool:
    """Whether the commit's message asks for no run, which GitHub obeys for pushes and pull requests."""
    if event.name not in {"push", "pull_request"}:
        return False
    sha = event.payload["pull_request"]["head"]["sha"] if event.name == "pull_request" else event.sha
    message = repository.message(sha)
    return any(skip in message for skip in SKIPS)
