"""Rulesets: which apply to a ref, which actors may bypass them, and what they refuse."""

from fnmatch import fnmatchcase
from typing import Any

from . import access, merging
from .hub import Hub
from .model import Token
from .resources import runs
from .state import Pull, Ruleset

MESSAGES = {
    "pull_request": "Changes must be made through a pull request.",
    "deletion": "Cannot delete this branch",
    "creation": "Cannot create ref due to creations being restricted.",
    "update": "Cannot update this protected ref.",
    "non_fast_forward": "Cannot force-push to this branch",
}
ADMIN_ROLE, ACTIONS_APP = 5, 15368
SUCCESSES = {"success", "skipped", "neutral"}


def _matches(hub: Hub, pattern: str, ref: str) -> bool:
    aliases = {"~ALL": "refs/heads/*", "~DEFAULT_BRANCH": f"refs/heads/{hub.settings.default_branch}"}
    return fnmatchcase(ref, aliases.get(pattern, pattern))


def _applies(hub: Hub, ruleset: Ruleset, ref: str) -> bool:
    target = "tag" if ref.startswith("refs/tags/") else "branch"
    if ruleset.body["enforcement"] != "active" or ruleset.body.get("target", "branch") != target:
        return False
    names = ruleset.body.get("conditions", {}).get("ref_name", {})
    included = any(_matches(hub, pattern, ref) for pattern in names.get("include", []))
    return included and not any(_matches(hub, pattern, ref) for pattern in names.get("exclude", []))


def _may_bypass(hub: Hub, ruleset: Ruleset, token: Token | None, is_merge: bool) -> bool:
    if token is None:
        return False
    modes = {"always", "pull_request"} if is_merge else {"always"}
    return any(
        actor.get("bypass_mode", "always") in modes and _is_actor(hub, token, actor)
        for actor in ruleset.body.get("bypass_actors", [])
    )


def _is_actor(hub: Hub, token: Token, actor: dict[str, Any]) -> bool:
    if actor["actor_type"] in {"RepositoryRole", "OrganizationAdmin"}:
        return access.is_admin(hub, token)
    if actor["actor_type"] == "Integration":
        return token.kind == ("actions" if actor.get("actor_id") == ACTIONS_APP else "app")
    return False


def rules_for_ref(hub: Hub, ref: str) -> list[tuple[Ruleset, dict[str, Any]]]:
    """Return each active rule for a ref, with its ruleset."""
    active = [ruleset for ruleset in hub.state.rulesets.values() if _applies(hub, ruleset, ref)]
    return [(ruleset, rule) for ruleset in active for rule in ruleset.body.get("rules", [])]


def binding_rules(hub: Hub, token: Token | None, ref: str, is_merge: bool = False) -> list[dict[str, Any]]:
    """Return the rules for a ref that this caller may not bypass; all rules if the token is None."""
    return [rule for ruleset, rule in rules_for_ref(hub, ref) if not _may_bypass(hub, ruleset, token, is_merge)]


def push_violations(hub: Hub, token: Token, ref: str, created: bool, deleted: bool, sha: str) -> dict[str, list[str]]:
    """Return the rules that a push of a ref violates: `always`, and `rewind` if it is a forced push."""
    kinds = {"creation"} if created else {"deletion"} if deleted else {"pull_request", "update"}
    rules = binding_rules(hub, token, ref)
    violations = [MESSAGES[rule["type"]] for rule in rules if rule["type"] in kinds]
    if not deleted and not created:
        violations += missing_checks(hub, rules, sha)
    rewind = [MESSAGES["non_fast_forward"]] if any(rule["type"] == "non_fast_forward" for rule in rules) else []
    return {"always": violations, "rewind": rewind}


def _jobs(hub: Hub, sha: str) -> dict[str, bool]:
    """Return whether each job of a commit succeeded; of each name, the latest job counts."""
    results: dict[str, bool] = {}
    for _, _, job in runs.checks(hub, sha):
        results.setdefault(job.id, job.conclusion in SUCCESSES)
    return results


def passed_checks(hub: Hub, sha: str) -> set[str]:
    """Return the successful statuses and jobs of a commit."""
    jobs = {name for name, is_success in _jobs(hub, sha).items() if is_success}
    return jobs | {status.context for status in hub.state.latest_statuses(sha) if status.state == "success"}


def unsuccessful_checks(hub: Hub, sha: str) -> set[str]:
    """Return the statuses and jobs of a commit that failed or are not finished."""
    jobs = {name for name, is_success in _jobs(hub, sha).items() if not is_success}
    return jobs | {status.context for status in hub.state.latest_statuses(sha) if status.state != "success"}


def missing_checks(hub: Hub, rules: list[dict[str, Any]], sha: str) -> list[str]:
    """Return messages about required checks that a commit lacks; a job and a status of one name must both succeed."""
    passed = passed_checks(hub, sha) - unsuccessful_checks(hub, sha)
    required = [
        check["context"]
        for rule in rules
        if rule["type"] == "required_status_checks"
        for check in rule["parameters"]["required_status_checks"]
    ]
    return [f'Required status check "{context}" is expected.' for context in required if context not in passed]


def merge_violations(hub: Hub, token: Token | None, pull: Pull) -> list[str]:
    """Return the rules that a merge of a pull request violates."""
    rules = binding_rules(hub, token, f"refs/heads/{pull.base}", is_merge=True)
    violations = missing_checks(hub, rules, merging.head_commit(hub, pull))
    for rule in rules:
        if rule["type"] == "pull_request":
            violations += _missing_approvals(pull, rule.get("parameters", {}).get("required_approving_review_count", 0))
    return violations


def _missing_approvals(pull: Pull, required: int) -> list[str]:
    last = {review.user.login: review.state for review in pull.reviews if review.state != "COMMENTED"}
    if "CHANGES_REQUESTED" in last.values():
        return ["Changes have been requested."]
    if list(last.values()).count("APPROVED") >= required:
        return []
    noun = "approving review is" if required == 1 else "approving reviews are"
    return [f"At least {required} {noun} required by reviewers with write access."]
