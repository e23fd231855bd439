"""What `gitops doctor` asks GitHub."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitops_ml import git
from gitops_ml.errors import ForgeError, GitopsError
from gitops_ml.forge import rulesets, settings
from gitops_ml.forge.github import GitHub
from gitops_ml.health import Finding, cannot_tell, check, not_applicable, ok, problem, warning

ACTIONS = "Settings > Actions > General > Workflow permissions"
LOOK = f"Look under {ACTIONS}."
OR_SETUP = "or run `gitops setup` with an owner's token."
NO_RULES = "A private repository on this plan has no branch rules; the merge by a person is the approval."
TRAIN = "train.yml"
LATE, SWITCHED_OFF = 14, 60  # days; the schedule is weekly


@dataclass(frozen=True)
class Site:
    """The repository on GitHub.

    Attributes:
        github: Whom to ask.
        root: The clone.
        about: The repository, as GitHub describes it to this token.
        environment: The one that is looked at.
        store: The store's branch.
    """

    github: GitHub
    root: Path
    about: dict[str, Any]
    environment: str
    store: str


def visit(github: GitHub, root: Path, environment: str, store: str) -> Site:
    """Ask for the repository once, so that what cannot be reached is not asked for again and again.

    Raises:
        ForgeError: It cannot be reached, or not with this token.
    """
    try:
        return Site(github, root, github.get(""), environment, store)
    except ValueError as error:
        raise ForgeError(f"{github.api} does not answer as GitHub does.", "Check GITHUB_API_URL.") from error


@check("TOKEN")
def token(site: Site) -> Finding:
    """GitHub knows the token."""
    login = site.github.login
    if login is None:
        return ok("It is that of a job in GitHub Actions, or of an App.")
    may = site.about.get("permissions", {})
    level = "administers" if may.get("admin") else "may write to" if may.get("push") else "may only read"
    return ok(f"It is that of {login}, who {level} {site.github.repository}.")


@check("PULL-REQUESTS", where=LOOK)
def pull_requests(site: Site) -> Finding:
    """Workflows may open pull requests."""
    if site.github.get(settings.WORKFLOW)["can_approve_pull_request_reviews"]:
        return ok()
    return problem(
        f"Workflows may not open pull requests, so nothing would be proposed. {ACTIONS}: tick `Allow GitHub Actions to "
        f"create and approve pull requests`, {OR_SETUP}"
    )


@check("PERMISSIONS", where=LOOK)
def permissions(site: Site) -> Finding:
    """A job that does not say what it needs may only read."""
    if site.github.get(settings.WORKFLOW)["default_workflow_permissions"] == "read":
        return ok()
    return warning(
        f"A job that does not say what it needs may write; ours say it. {ACTIONS}: choose `Read repository contents "
        f"and packages permissions`, {OR_SETUP}"
    )


@check("PLAN")
def plan(site: Site) -> Finding:
    """The repository is public, so GitHub enforces every rule on every plan."""
    if not site.about["private"]:
        return ok()
    return warning(
        "The repository is private: on the plans Free, Pro and Team GitHub enforces neither required reviewers nor the "
        "protection of environments, and on Free no branch rules either. The merge by a person is the approval."
    )


@check("RULES", where="Look under Settings > Rules > Rulesets.")
def rules(site: Site) -> Finding:
    """main and the store's branch have the rules of .github/rulesets."""
    wanted = rulesets.wanted(site.root)
    if not wanted:
        return not_applicable(f"There is no {rulesets.FOLDER}/*.json.")
    missing = {branch: rulesets.lacking(site.github, wanted, branch) for branch in (rulesets.BASE, site.store)}
    told = [f"{branch} lacks, or has otherwise: {', '.join(kinds)}" for branch, kinds in missing.items() if kinds]
    if told:
        return not_applicable(NO_RULES) if _beyond_the_plan(site) else problem(f"{'; '.join(told)}. {_import()}")
    if not rulesets.for_branch(wanted, site.store):
        return warning(f"No file in {rulesets.FOLDER} is about the store's branch {site.store!r}. Let store.json be.")
    return ok()


def _import() -> str:
    return f"Settings > Rules > Rulesets > Import a ruleset: take the files in {rulesets.FOLDER}, {OR_SETUP}"


def _beyond_the_plan(site: Site) -> bool:
    if not site.about["private"]:
        return False
    try:
        rulesets.there(site.github)
    except ForgeError as error:
        return rulesets.beyond_the_plan(error)
    return False


@check("BRANCHES", where="Look under Settings > Rules > Rulesets.")
def branches(site: Site) -> Finding:
    """No rule keeps workflows from pushing the store's branch and the proposals."""
    proposals = [*(f"{kind}/{site.environment}" for kind in git.PROPOSALS if not git.DATA.startswith(kind)), git.DATA]
    # A proposal is cut from main again and again, which is a forced push.
    moved = rulesets.BLOCKS_PUSH | {"non_fast_forward"}
    kinds = {site.store: rulesets.BLOCKS_PUSH, **dict.fromkeys(proposals, moved)}
    blocked = {branch: rulesets.blocking(site.github, branch, kinds[branch]) for branch in kinds}
    told = [f"{branch} by {', '.join(found)}" for branch, found in blocked.items() if found]
    if told:
        return problem(
            f"Workflows may not push: {'; '.join(told)}. Settings > Rules > Rulesets: exclude these branches there."
        )
    return ok()


@check("ENVIRONMENTS", where="Look under Settings > Environments.")
def environments(site: Site) -> Finding:
    """Every environment that is promoted to exists."""
    wanted = {site.environment, *settings.environments(site.root)}
    missing = sorted(wanted - settings.known_environments(site.github))
    if missing:
        or_setup = f", {OR_SETUP}" if set(missing) <= set(settings.environments(site.root)) else "."
        return problem(f"There is no environment {', '.join(missing)}. Settings > Environments: create it{or_setup}")
    return ok()


@check("LABELS", where="Look under Issues > Labels.")
def labels(site: Site) -> Finding:
    """The labels that pull requests get are there."""
    there = {label["name"].lower() for label in site.github.each("/labels")}
    missing = [label["name"] for label in settings.LABELS if label["name"] not in there]
    if missing:
        return warning(f"There is no label {', '.join(missing)}. Issues > Labels: create it, {OR_SETUP}")
    return ok()


@check("SCHEDULE", where="Look under Actions > Train.")
def schedule(site: Site) -> Finding:
    """Train runs."""
    found = site.github.get(f"/actions/workflows/{TRAIN}/runs", per_page=1)["workflow_runs"]
    if not found:
        return warning("Train never ran. Push to main, or start it: Actions > Train > Run workflow.")
    last = datetime.fromisoformat(found[0]["created_at"])
    days = (datetime.now(UTC) - last).days
    told = f"Its last run was {_age(days)} ({found[0]['event']}, {last:%Y-%m-%d})."
    if days < LATE:
        return ok(told)
    again = "Actions > Train: enable the workflow if GitHub says that it is off, and run it."
    if days < SWITCHED_OFF:
        return warning(f"Train should run every week. {told} {again}")
    return problem(f"{told} GitHub switches schedules off after {SWITCHED_OFF} days without a change. {again}")


def _age(days: int) -> str:
    return "today" if days < 1 else "yesterday" if days == 1 else f"{days} days ago"


CHECKS = (
    token, pull_requests, permissions, plan, rules, branches, environments, labels, schedule,
)  # fmt: skip


def refused(error: GitopsError) -> Finding:
    """What it means for the token that the repository could not be asked for."""
    status = error.status if isinstance(error, ForgeError) else None
    if status == 404:
        return cannot_tell(f"{error.what} Check GITHUB_REPOSITORY, and that the token may see the repository.")
    return problem(f"{error.what} {error.next}") if status == 401 else cannot_tell(f"{error.what} {error.next}")
