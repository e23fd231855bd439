"""Checks of `gitops doctor` on GitHub: token, permissions, rules, environments, labels and schedule."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitops_ml import git
from gitops_ml.doctor_checks import CheckResult, cannot_tell, check, not_applicable, ok, problem, warning
from gitops_ml.errors import ForgeError, GitopsError
from gitops_ml.forge import repository_settings, rulesets
from gitops_ml.forge.github import GitHub

ACTIONS = "Settings > Actions > General > Workflow permissions"
ACTIONS_HINT = f"Look under {ACTIONS}."
OR_SETUP = "or run `gitops setup` with an owner's token."
NO_RULES = "A private repository on this plan has no branch rules; the merge by a person is the approval."
TRAIN = "train.yml"
LATE_DAYS, DISABLED_DAYS = 14, 60  # the schedule is weekly; GitHub disables schedules after 60 days


@dataclass(frozen=True)
class RemoteRepository:
    """The repository on GitHub, as the checks need it.

    Attributes:
        github: Client of the repository.
        root: Root of the clone.
        description: GitHub's JSON document of the repository, as the token sees it.
        environment: Environment to promote to.
        store_branch: Branch of the model store.
    """

    github: GitHub
    root: Path
    description: dict[str, Any]
    environment: str
    store_branch: str


def open_repository(github: GitHub, root: Path, environment: str, store_branch: str) -> RemoteRepository:
    """Return the repository with its description, so that the checks need not repeat a failing request.

    Args:
        github: Client of the repository.
        root: Root of the clone.
        environment: Environment to promote to.
        store_branch: Branch of the model store.

    Raises:
        ForgeError: GitHub cannot be reached, or refuses the token.
    """
    try:
        return RemoteRepository(github, root, github.get(""), environment, store_branch)
    except ValueError as error:
        raise ForgeError(f"{github.api} does not answer as GitHub does.", "Check GITHUB_API_URL.") from error


@check("TOKEN")
def token(repository: RemoteRepository) -> CheckResult:
    """GitHub accepts the token."""
    login = repository.github.login
    if login is None:
        return ok("The token belongs to a job in GitHub Actions, or to a GitHub App.")
    permissions = repository.description.get("permissions", {})
    level = (
        "administers" if permissions.get("admin") else "may write to" if permissions.get("push") else "may only read"
    )
    return ok(f"The token belongs to {login}, who {level} {repository.github.repository}.")


@check("PULL-REQUESTS", fallback=ACTIONS_HINT)
def pull_requests(repository: RemoteRepository) -> CheckResult:
    """Workflows may open pull requests."""
    if repository.github.get(repository_settings.WORKFLOW)["can_approve_pull_request_reviews"]:
        return ok()
    return problem(
        f"Workflows are not allowed to open pull requests, so no version can be proposed. {ACTIONS}: tick `Allow "
        f"GitHub Actions to create and approve pull requests`, {OR_SETUP}"
    )


@check("PERMISSIONS", fallback=ACTIONS_HINT)
def permissions(repository: RemoteRepository) -> CheckResult:
    """A job that does not declare its permissions may only read."""
    if repository.github.get(repository_settings.WORKFLOW)["default_workflow_permissions"] == "read":
        return ok()
    return warning(
        "A job that does not declare its permissions may write. The workflows of this repository declare theirs, "
        f"others may not. {ACTIONS}: choose `Read repository contents and packages permissions`, {OR_SETUP}"
    )


@check("PLAN")
def plan(repository: RemoteRepository) -> CheckResult:
    """The repository is public, so GitHub enforces every rule on every plan."""
    if not repository.description["private"]:
        return ok()
    return warning(
        "The repository is private. On the plans Free, Pro and Team, GitHub enforces neither required reviewers nor "
        "the protection of environments, and on Free no branch rules either. The merge by a person is the approval."
    )


@check("RULES", fallback="Look under Settings > Rules > Rulesets.")
def rules(repository: RemoteRepository) -> CheckResult:
    """main and the store's branch have the rules of .github/rulesets."""
    expected, store_branch = rulesets.load_rulesets(repository.root), repository.store_branch
    if not expected:
        return not_applicable(f"There is no {rulesets.FOLDER}/*.json.")
    missing = {branch: rulesets.find_missing_rules(repository.github, expected, branch)
               for branch in (rulesets.BASE, store_branch)}  # fmt: skip
    lacks = [f"{branch} lacks, or has otherwise: {', '.join(types)}" for branch, types in missing.items() if types]
    if lacks:
        return (
            not_applicable(NO_RULES) if _has_no_rules(repository) else problem(f"{'; '.join(lacks)}. {_import_hint()}")
        )
    if not rulesets.rules_for_branch(expected, store_branch):
        return warning(
            f"No file in {rulesets.FOLDER} has rules for the store's branch {store_branch!r}. Restore store.json from "
            "Git."
        )
    return ok()


def _import_hint() -> str:
    return f"Settings > Rules > Rulesets > Import a ruleset: take the files in {rulesets.FOLDER}, {OR_SETUP}"


def _has_no_rules(repository: RemoteRepository) -> bool:
    """Return whether the owner's plan has no branch rules for this repository."""
    if not repository.description["private"]:
        return False
    try:
        rulesets.fetch_rulesets(repository.github)
    except ForgeError as error:
        return rulesets.is_beyond_plan(error)
    return False


@check("BRANCHES", fallback="Look under Settings > Rules > Rulesets.")
def branches(repository: RemoteRepository) -> CheckResult:
    """No rule stops workflows from pushing the store's branch and the branches of proposals."""
    fixed = (git.DATA_BRANCH, git.UPDATE_BRANCH)
    prefixes = [prefix for prefix in git.PROPOSAL_PREFIXES if not any(name.startswith(prefix) for name in fixed)]
    proposals = [*(f"{prefix}/{repository.environment}" for prefix in prefixes), *fixed]
    # A proposal is created again from main and pushed with force.
    force_push_types = rulesets.BLOCKS_PUSH | {"non_fast_forward"}
    types = {repository.store_branch: rulesets.BLOCKS_PUSH, **dict.fromkeys(proposals, force_push_types)}
    blocked = {branch: rulesets.find_blocking_rules(repository.github, branch, types[branch]) for branch in types}
    blockers = [f"{branch} by {', '.join(rules)}" for branch, rules in blocked.items() if rules]
    if blockers:
        return problem(
            f"Workflows may not push: {'; '.join(blockers)}. Settings > Rules > Rulesets: exclude these branches there."
        )
    return ok()


@check("ENVIRONMENTS", fallback="Look under Settings > Environments.")
def environments(repository: RemoteRepository) -> CheckResult:
    """Every environment of model.toml exists on GitHub."""
    configured = set(repository_settings.configured_environments(repository.root))
    missing = sorted({repository.environment, *configured} - repository_settings.fetch_environments(repository.github))
    if missing:
        or_setup = f", {OR_SETUP}" if set(missing) <= configured else "."
        return problem(f"There is no environment {', '.join(missing)}. Settings > Environments: create it{or_setup}")
    return ok()


@check("LABELS", fallback="Look under Issues > Labels.")
def labels(repository: RemoteRepository) -> CheckResult:
    """The labels of pull requests exist."""
    existing = {label["name"].lower() for label in repository.github.paginate("/labels")}
    missing = [label["name"] for label in repository_settings.LABELS if label["name"] not in existing]
    if missing:
        return warning(f"There is no label {', '.join(missing)}. Issues > Labels: create it, {OR_SETUP}")
    return ok()


@check("SCHEDULE", fallback="Look under Actions > Train.")
def schedule(repository: RemoteRepository) -> CheckResult:
    """Train runs regularly."""
    runs = repository.github.get(f"/actions/workflows/{TRAIN}/runs", per_page=1)["workflow_runs"]
    if not runs:
        return warning("Train has never run. Push to main, or start it: Actions > Train > Run workflow.")
    last = datetime.fromisoformat(runs[0]["created_at"])
    days = (datetime.now(UTC) - last).days
    sentence = f"The last run of Train was {_format_age(days)} ({runs[0]['event']}, {last:%Y-%m-%d})."
    if days < LATE_DAYS:
        return ok(sentence)
    hint = "Actions > Train: enable the workflow if GitHub shows it as disabled, and run it."
    if days < DISABLED_DAYS:
        return warning(f"Train should run every week. {sentence} {hint}")
    return problem(f"{sentence} GitHub disables schedules after {DISABLED_DAYS} days without a commit. {hint}")


def _format_age(days: int) -> str:
    return "today" if days < 1 else "yesterday" if days == 1 else f"{days} days ago"


CHECKS = (
    token, pull_requests, permissions, plan, rules, branches, environments, labels, schedule,
)  # fmt: skip


def connection_result(error: GitopsError) -> CheckResult:
    """Return the result of the check TOKEN when the repository cannot be read.

    Args:
        error: The error of the request.
    """
    status = error.status if isinstance(error, ForgeError) else None
    if status == 404:
        return cannot_tell(f"{error.problem} Check GITHUB_REPOSITORY, and that the token may read the repository.")
    text = f"{error.problem} {error.next_step}"
    return problem(text) if status == 401 else cannot_tell(text)
