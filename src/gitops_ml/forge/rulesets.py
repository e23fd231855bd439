"""Branch rules: as .github/rulesets/*.json define them in GitHub's import format, and as GitHub has them.

https://docs.github.com/rest/repos/rules
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gitops_ml.errors import ConfigError, ForgeError
from gitops_ml.forge.github import GitHub

FOLDER = ".github/rulesets"
BASE = "main"
FIELDS = ("name", "target", "enforcement", "conditions", "rules", "bypass_actors")
ACTIONS = 15368  # id of the app GitHub Actions
BLOCKS_PUSH = {
    "creation", "update", "pull_request", "required_status_checks", "required_signatures", "required_deployments",
    "merge_queue", "workflows", "code_scanning",
}  # fmt: skip

Ruleset = dict[str, Any]


def load_rulesets(root: Path) -> list[Ruleset]:
    """Return the rulesets that the repository's files define, without the fields that only an export has.

    Args:
        root: Root of the clone.

    Raises:
        ConfigError: A file does not contain a ruleset.
    """
    return [_read_ruleset(file) for file in sorted((root / FOLDER).glob("*.json"))]


def _read_ruleset(file: Path) -> Ruleset:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or not {"name", "enforcement", "rules"} <= set(document):
            raise ValueError("it needs `name`, `enforcement` and `rules`")
    except ValueError as error:
        raise ConfigError(
            f"{FOLDER}/{file.name} is not a ruleset: {error}.", "Restore it from Git, or export one from GitHub."
        ) from error
    return {field: document[field] for field in FIELDS if field in document}


def fetch_rulesets(github: GitHub) -> dict[str, Ruleset]:
    """Return the repository's own rulesets on GitHub by name, without those of its organisation.

    Args:
        github: The repository.

    Raises:
        ForgeError: GitHub cannot be reached, or refuses.
    """
    listed = github.paginate("/rulesets", includes_parents="false")
    return {ruleset["name"]: github.get(f"/rulesets/{ruleset['id']}") for ruleset in listed}


def matches(expected: Ruleset, actual: Ruleset) -> bool:
    """Return whether GitHub's ruleset is as the file defines it.

    GitHub shows `bypass_actors` only to a token that may change the ruleset; if it is hidden, it is not compared.

    Args:
        expected: The ruleset of the file.
        actual: The ruleset on GitHub.
    """
    hidden = {"bypass_actors"} - set(actual)
    return covers({name: value for name, value in expected.items() if name not in hidden}, actual)


def covers(expected: Any, actual: Any) -> bool:
    """Return whether a value of GitHub contains everything that is expected.

    GitHub adds default keys to every object, but no items to lists.

    Args:
        expected: A JSON value.
        actual: The JSON value that GitHub has.
    """
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            key in actual and covers(expected[key], actual[key]) for key in expected
        )
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(expected) != len(actual):
            return False
        return all(any(covers(item, other) for other in actual) for item in expected)
    return bool(expected == actual)


def rules_for_branch(rulesets: list[Ruleset], branch: str) -> list[dict[str, Any]]:
    """Return the rules that active rulesets have for a branch.

    Args:
        rulesets: The rulesets.
        branch: Name of the branch.
    """
    names = {f"refs/heads/{branch}", "~ALL", *(["~DEFAULT_BRANCH"] if branch == BASE else [])}
    return [rule for it in rulesets if it["enforcement"] == "active" and _targets(it, names) for rule in it["rules"]]


def _targets(ruleset: Ruleset, names: set[str]) -> bool:
    refs = ruleset.get("conditions", {}).get("ref_name", {})
    return bool(names & set(refs.get("include", []))) and not names & set(refs.get("exclude", []))


def fetch_active_rules(github: GitHub, branch: str) -> list[dict[str, Any]]:
    """Return the rules that GitHub enforces for a branch, from every ruleset.

    Args:
        github: The repository.
        branch: Name of the branch.

    Raises:
        ForgeError: GitHub cannot be reached, or refuses.
    """
    return list(github.paginate(f"/rules/branches/{quote(branch, safe='')}"))


def find_missing_rules(github: GitHub, rulesets: list[Ruleset], branch: str) -> list[str]:
    """Return the types of the rules that GitHub does not enforce for a branch, or enforces with other parameters.

    Args:
        github: The repository.
        rulesets: The expected rulesets.
        branch: Name of the branch.

    Raises:
        ForgeError: GitHub cannot be reached, or refuses.
    """
    active = fetch_active_rules(github, branch)
    expected = rules_for_branch(rulesets, branch)
    return [rule["type"] for rule in expected if not any(covers(rule, other) for other in active)]


def find_blocking_rules(github: GitHub, branch: str, types: set[str]) -> list[str]:
    """Return the types of the rules that stop the token of a job from pushing a branch.

    Args:
        github: The repository.
        branch: Name of the branch.
        types: Types of rules to look for.

    Raises:
        ForgeError: GitHub cannot be reached, or refuses.
    """
    rules = [rule for rule in fetch_active_rules(github, branch) if rule["type"] in types]
    return [rule["type"] for rule in rules if not _actions_may_bypass(github, rule)]


def _actions_may_bypass(github: GitHub, rule: dict[str, Any]) -> bool:
    """Return whether GitHub Actions may bypass the ruleset that a rule belongs to."""
    ruleset = github.find(f"/rulesets/{rule['ruleset_id']}") if "ruleset_id" in rule else None
    actors = (ruleset or {}).get("bypass_actors") or []
    return any((actor["actor_type"], actor.get("actor_id")) == ("Integration", ACTIONS) for actor in actors)


def is_beyond_plan(error: ForgeError) -> bool:
    """Return whether GitHub refuses because the owner's plan has no branch rules for private repositories.

    Args:
        error: The error of a request for rulesets.
    """
    return error.status == 403 and "upgrade to" in error.problem.lower()
