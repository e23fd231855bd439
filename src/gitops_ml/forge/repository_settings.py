"""The settings that a repository on GitHub should have, and the steps of `gitops setup` to reach them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from gitops_ml.config import FILE, load_config
from gitops_ml.errors import ConfigError, ForgeError
from gitops_ml.forge import rulesets
from gitops_ml.forge.github import GitHub
from gitops_ml.forge.pull_request import LABEL

WORKFLOW = "/actions/permissions/workflow"
PERMISSIONS = {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": True}
LABELS = (
    {"name": LABEL, "color": "1f6feb", "description": "Offers a model version as champion; merging promotes it"},
)  # fmt: skip
PRODUCTION = "production"
PAST_TENSE = {"create": "Created", "update": "Updated", "allow": "Allowed"}


@dataclass(frozen=True)
class SetupStep:
    """A request to GitHub that changes one setting.

    Attributes:
        verb: Verb of the step.
        subject: Setting that the step changes.
        method: HTTP method of the request.
        path: Path of the request, below the repository.
        body: JSON body of the request.
    """

    verb: Literal["create", "update", "allow"]
    subject: str
    method: str
    path: str
    body: dict[str, Any]

    @property
    def todo(self) -> str:
        """The step in the imperative, such as "create label promotion"."""
        return f"{self.verb} {self.subject}"

    @property
    def done(self) -> str:
        """The step in the past tense, such as "Created label promotion"."""
        return f"{PAST_TENSE[self.verb]} {self.subject}"


@dataclass(frozen=True)
class SetupPlan:
    """The steps that are missing.

    Attributes:
        steps: Steps in the order in which they are taken.
        skipped: Sentences about settings that this repository cannot have.
    """

    steps: tuple[SetupStep, ...]
    skipped: tuple[str, ...]


def plan_setup(github: GitHub, root: Path) -> SetupPlan:
    """Compare the repository with the expected settings, without changing it.

    Args:
        github: The repository.
        root: Root of the clone.

    Returns:
        The missing steps.

    Raises:
        ForgeError: A setting cannot be read.
        ConfigError: The file of a ruleset is invalid.
    """
    skipped: tuple[str, ...] = ()
    try:
        ruleset_steps = list(_plan_rulesets(github, root))
    except ForgeError as error:
        if not rulesets.is_beyond_plan(error):
            raise
        ruleset_steps = []
        skipped = ("Rulesets are skipped: a private repository on this plan has none.",)
    steps = (
        *_plan_permissions(github), *_plan_merged_branches(github), *_plan_labels(github), *ruleset_steps,
        *_plan_environments(github, root),
    )  # fmt: skip
    return SetupPlan(steps, skipped)


def _plan_permissions(github: GitHub) -> Iterator[SetupStep]:
    """Yield the step that lets workflows open pull requests, and makes tokens of jobs read-only by default."""
    permissions = github.get(WORKFLOW)
    if any(permissions[name] != value for name, value in PERMISSIONS.items()):
        subject = "workflows to open pull requests, and only to read otherwise"
        yield SetupStep("allow", subject, "PUT", WORKFLOW, PERMISSIONS)


def _plan_merged_branches(github: GitHub) -> Iterator[SetupStep]:
    """Yield the step that removes `promote/production` and others after their merge; only administrators see this."""
    if github.get("").get("delete_branch_on_merge") is False:
        yield SetupStep(
            "allow", "GitHub to delete a branch when its pull request is merged", "PATCH", "",
            {"delete_branch_on_merge": True},
        )  # fmt: skip


def _plan_labels(github: GitHub) -> Iterator[SetupStep]:
    existing = {label["name"].lower(): label for label in github.paginate("/labels")}
    for label in LABELS:
        current, expected = existing.get(label["name"]), {name: label[name] for name in ("color", "description")}
        subject = f"label {label['name']}"
        if current is None:
            yield SetupStep("create", subject, "POST", "/labels", label)
        elif not rulesets.covers(expected, current):
            yield SetupStep("update", subject, "PATCH", f"/labels/{quote(current['name'], safe='')}", expected)


def configured_environments(root: Path) -> list[str]:
    """Return the environments of model.toml, or "production" if the file is invalid, which another check reports.

    Args:
        root: Root of the clone.
    """
    try:
        return sorted(load_config(root / FILE).deploy.environments)
    except ConfigError:
        return [PRODUCTION]


def fetch_environments(github: GitHub) -> set[str]:
    """Return the names of the repository's environments on GitHub.

    Args:
        github: The repository.

    Raises:
        ForgeError: GitHub cannot be reached, or refuses.
    """
    return {environment["name"] for environment in github.get("/environments", per_page=100)["environments"]}


def _plan_environments(github: GitHub, root: Path) -> Iterator[SetupStep]:
    existing = fetch_environments(github)
    for name in configured_environments(root):
        if name not in existing:
            yield SetupStep("create", f"environment {name}", "PUT", f"/environments/{quote(name, safe='')}", {})


def _plan_rulesets(github: GitHub, root: Path) -> Iterator[SetupStep]:
    existing = rulesets.fetch_rulesets(github)
    for ruleset in rulesets.load_rulesets(root):
        current, subject = existing.get(ruleset["name"]), f"ruleset {ruleset['name']}"
        if current is None:
            yield SetupStep("create", subject, "POST", "/rulesets", ruleset)
        elif not rulesets.matches(ruleset, current):
            yield SetupStep("update", subject, "PUT", f"/rulesets/{current['id']}", ruleset)
