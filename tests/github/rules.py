"""Rulesets: which hold for a ref, who may pass by, and what they refuse."""

from fnmatch import fnmatchcase
from typing import Any

from . import access, merging
from .hub import Hub
from .model import Token
from .resources import runs
from .state import Pull, Ruleset

SENTENCES = {
    "pull_request": "Changes must be made through a pull request.",
    "deletion": "Cannot delete this branch",
    "creation": "Cannot create ref due to creations being restricted.",
    "update": "Cannot update this protected ref.",
    "non_fast_forward": "Cannot force-push to this branch",
}
ADMIN_ROLE, ACTIONS_APP = 5, 15368
SUCCESSES = {"success", "skipped", "neutral"}


def _matches(hub: Hub, pattern: str, ref: str) -> bool:
    named = {"~ALL": "refs/heads/*", "~DEFAULT_BRANCH": f"refs/heads/{hub.settings.default_branch}"}
    return fnmatchcase(ref, named.get(pattern, pattern))


def _holds(hub: Hub, ruleset: Ruleset, ref: str) -> bool:
    target = "tag" if ref.startswith("refs/tags/") else "branch"
    if ruleset.body["enforcement"] != "active" or ruleset.body.get("target", "branch") != target:
        return False
    names = ruleset.body.get("conditions", {}).get("ref_name", {})
    taken = any(_matches(hub, pattern, ref) for pattern in names.get("include", []))
    return taken and not any(_matches(hub, pattern, ref) for pattern in names.get("exclude", []))


def _passes(hub: Hub, ruleset: Ruleset, token: Token | None, merging_now: bool) -> bool:
    if token is None:
        return False
    modes = {"always", "pull_request"} if merging_now else {"always"}
    return any(
        actor.get("bypass_mode", "always") in modes and _is(hub, token, actor)
        for actor in ruleset.body.get("bypass_actors", [])
    )


def _is(hub: Hub, token: Token, actor: dict[str, Any]) -> bool:
    if actor["actor_type"] in {"RepositoryRole", "OrganizationAdmin"}:
        return access.is_admin(hub, token)
    if actor["actor_type"] == "Integration":
        return token.kind == ("actions" if actor.get("actor_id") == ACTIONS_APP else "app")
    return False


def listed(hub: Hub, ref: str) -> list[tuple[Ruleset, dict[str, Any]]]:
    """Each rule in force for a ref, with the ruleset that it comes from."""
    holding = [ruleset for ruleset in hub.state.rulesets.values() if _holds(hub, ruleset, ref)]
    return [(ruleset, rule) for ruleset in holding for rule in ruleset.body.get("rules", [])]


def binding(hub: Hub, token: Token | None, ref: str, merging_now: bool = False) -> list[dict[str, Any]]:
    """The rules for a ref that this caller may not pass by; all, if nobody in particular is meant."""
    return [rule for ruleset, rule in listed(hub, ref) if not _passes(hub, ruleset, token, merging_now)]


def refusals(hub: Hub, token: Token, ref: str, created: bool, deleted: bool, sha: str) -> dict[str, list[str]]:
    """What a push of a ref breaks: `always`, and `rewind` if it turns out to be forced."""
    kinds = {"creation"} if created else {"deletion"} if deleted else {"pull_request", "update"}
    rules = binding(hub, token, ref)
    broken = [SENTENCES[rule["type"]] for rule in rules if rule["type"] in kinds]
    if not deleted and not created:
        broken += expected(hub, rules, sha)
    rewind = [SENTENCES["non_fast_forward"]] if any(rule["type"] == "non_fast_forward" for rule in rules) else []
    return {"always": broken, "rewind": rewind}


def _jobs(hub: Hub, sha: str) -> dict[str, bool]:
    """Each job of a commit and whether it is a success; of each name the latest counts."""
    seen: dict[str, bool] = {}
    for _, _, job in runs.checks(hub, sha):
        seen.setdefault(job.id, job.conclusion in SUCCESSES)
    return seen


def passed(hub: Hub, sha: str) -> set[str]:
    """The statuses and jobs of a commit that are a success."""
    jobs = {name for name, good in _jobs(hub, sha).items() if good}
    return jobs | {status.context for status in hub.state.latest(sha) if status.state == "success"}


def unsuccessful(hub: Hub, sha: str) -> set[str]:
    """The statuses and jobs of a commit that failed or are not over."""
    jobs = {name for name, good in _jobs(hub, sha).items() if not good}
    return jobs | {status.context for status in hub.state.latest(sha) if status.state != "success"}


def expected(hub: Hub, rules: list[dict[str, Any]], sha: str) -> list[str]:
    """The required checks that a commit has not passed; where a job and a status have one name, both must have."""
    done = passed(hub, sha) - unsuccessful(hub, sha)
    wanted = [
        check["context"]
        for rule in rules
        if rule["type"] == "required_status_checks"
        for check in rule["parameters"]["required_status_checks"]
    ]
    return [f'Required status check "{context}" is expected.' for context in wanted if context not in done]


def against_merge(hub: Hub, token: Token | None, pull: Pull) -> list[str]:
    """What a merge of a pull request breaks."""
    rules = binding(hub, token, f"refs/heads/{pull.base}", merging_now=True)
    broken = expected(hub, rules, merging.head(hub, pull))
    for rule in rules:
        if rule["type"] == "pull_request":
            broken += _unapproved(pull, rule.get("parameters", {}).get("required_approving_review_count", 0))
    return broken


def _unapproved(pull: Pull, wanted: int) -> list[str]:
    last = {review.user.login: review.state for review in pull.reviews if review.state != "COMMENTED"}
    if "CHANGES_REQUESTED" in last.values():
        return ["Changes have been requested."]
    if list(last.values()).count("APPROVED") >= wanted:
        return []
    noun = "approving review is" if wanted == 1 else "approving reviews are"
    return [f"At least {wanted} {noun} required by reviewers with write access."]
