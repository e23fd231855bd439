"""What a repository on GitHub should be like, and the steps that are missing until it is: `gitops setup` takes them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from gitops_ml.config import FILE, load
from gitops_ml.errors import ConfigError, ForgeError
from gitops_ml.forge import rulesets
from gitops_ml.forge.github import GitHub
from gitops_ml.forge.pull_request import LABEL

WORKFLOW = "/actions/permissions/workflow"
JOBS = {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": True}
LABELS = (
    {"name": LABEL, "color": "1f6feb", "description": "Offers a model version as champion; merging promotes it"},
)  # fmt: skip
PRODUCTION = "production"
PAST = {"create": "Created", "update": "Updated", "allow": "Allowed"}


@dataclass(frozen=True)
class Step:
    """One write that is missing.

    Attributes:
        verb: What it does.
        what: To what.
        method: Of the call.
        path: The same.
        body: The same.
    """

    verb: Literal["create", "update", "allow"]
    what: str
    method: str
    path: str
    body: dict[str, Any]

    @property
    def todo(self) -> str:
        """Before it was taken."""
        return f"{self.verb} {self.what}"

    @property
    def done(self) -> str:
        """Once it was taken."""
        return f"{PAST[self.verb]} {self.what}"


@dataclass(frozen=True)
class Plan:
    """All that is missing.

    Attributes:
        steps: In the order in which they are taken.
        left_out: What cannot be done here at all, and why.
    """

    steps: tuple[Step, ...]
    left_out: tuple[str, ...]


def plan(github: GitHub, root: Path) -> Plan:
    """Compare what is with what should be; reads only.

    Raises:
        ForgeError: Something cannot be read.
        ConfigError: A ruleset's file is not one.
    """
    left_out: tuple[str, ...] = ()
    try:
        rules = list(_rulesets(github, root))
    except ForgeError as error:
        if not rulesets.beyond_the_plan(error):
            raise
        rules, left_out = [], ("Rulesets are left out: a private repository on this plan has none.",)
    steps = (*_jobs(github), *_labels(github), *rules, *_environments(github, root))
    return Plan(steps, left_out)


def _jobs(github: GitHub) -> Iterator[Step]:
    """What jobs may do: read, unless they say otherwise, and open pull requests."""
    found = github.get(WORKFLOW)
    if any(found[name] != value for name, value in JOBS.items()):
        yield Step("allow", "workflows to open pull requests, and else to read only", "PUT", WORKFLOW, JOBS)


def _labels(github: GitHub) -> Iterator[Step]:
    there = {label["name"].lower(): label for label in github.each("/labels")}
    for label in LABELS:
        found, look = there.get(label["name"]), {name: label[name] for name in ("color", "description")}
        if found is None:
            yield Step("create", f"label {label['name']}", "POST", "/labels", label)
        elif not rulesets.covers(look, found):
            yield Step("update", f"label {label['name']}", "PATCH", f"/labels/{quote(found['name'], safe='')}", look)


def environments(root: Path) -> list[str]:
    """Every environment that model.toml names; the usual one while it cannot be read, which has a check of its own."""
    try:
        return sorted(load(root / FILE).deploy.environments)
    except ConfigError:
        return [PRODUCTION]


def known_environments(github: GitHub) -> set[str]:
    """The environments that GitHub knows."""
    return {found["name"] for found in github.get("/environments", per_page=100)["environments"]}


def _environments(github: GitHub, root: Path) -> Iterator[Step]:
    known = known_environments(github)
    for name in environments(root):
        if name not in known:
            yield Step("create", f"environment {name}", "PUT", f"/environments/{quote(name, safe='')}", {})


def _rulesets(github: GitHub, root: Path) -> Iterator[Step]:
    there = rulesets.there(github)
    for ruleset in rulesets.wanted(root):
        found = there.get(ruleset["name"])
        if found is None:
            yield Step("create", f"ruleset {ruleset['name']}", "POST", "/rulesets", ruleset)
        elif not rulesets.same(ruleset, found):
            yield Step("update", f"ruleset {ruleset['name']}", "PUT", f"/rulesets/{found['id']}", ruleset)
