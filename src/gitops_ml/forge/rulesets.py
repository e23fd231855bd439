"""Branch rules: as .github/rulesets/*.json have them, in the form in which GitHub imports them, and as GitHub has them.

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
ACTIONS = 15368  # GitHub Actions, among the apps
BLOCKS_PUSH = {
    "creation", "update", "pull_request", "required_status_checks", "required_signatures", "required_deployments",
    "merge_queue", "workflows", "code_scanning",
}  # fmt: skip

Ruleset = dict[str, Any]


def wanted(root: Path) -> list[Ruleset]:
    """The rulesets that the repository's files write down, without what only an export says.

    Raises:
        ConfigError: A file is not a ruleset.
    """
    return [_read(file) for file in sorted((root / FOLDER).glob("*.json"))]


def _read(file: Path) -> Ruleset:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or not {"name", "enforcement", "rules"} <= set(found):
            raise ValueError("it needs `name`, `enforcement` and `rules`")
    except ValueError as error:
        raise ConfigError(
            f"{FOLDER}/{file.name} is not a ruleset: {error}.", "Restore it from Git, or export one from GitHub."
        ) from error
    return {field: found[field] for field in FIELDS if field in found}


def there(github: GitHub) -> dict[str, Ruleset]:
    """The repository's own rulesets on GitHub, whole, by name; those of its organisation are not ours to change."""
    listed = github.each("/rulesets", includes_parents="false")
    return {found["name"]: github.get(f"/rulesets/{found['id']}") for found in listed}


def same(ours: Ruleset, theirs: Ruleset) -> bool:
    """Whether GitHub has what the file says; who may pass by is shown only to those who may change it."""
    hidden = {"bypass_actors"} - set(theirs)
    return covers({name: value for name, value in ours.items() if name not in hidden}, theirs)


def covers(ours: Any, theirs: Any) -> bool:
    """Whether theirs says all that ours says; GitHub adds defaults of its own to every object, but to no list."""
    if isinstance(ours, dict):
        return isinstance(theirs, dict) and all(key in theirs and covers(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list):
        if not isinstance(theirs, list) or len(ours) != len(theirs):
            return False
        return all(any(covers(mine, other) for other in theirs) for mine in ours)
    return bool(ours == theirs)


def for_branch(rulesets: list[Ruleset], branch: str) -> list[dict[str, Any]]:
    """The rules that these rulesets have for a branch."""
    names = {f"refs/heads/{branch}", "~ALL", *(["~DEFAULT_BRANCH"] if branch == BASE else [])}
    return [rule for it in rulesets if it["enforcement"] == "active" and _targets(it, names) for rule in it["rules"]]


def _targets(ruleset: Ruleset, names: set[str]) -> bool:
    refs = ruleset.get("conditions", {}).get("ref_name", {})
    return bool(names & set(refs.get("include", []))) and not names & set(refs.get("exclude", []))


def in_force(github: GitHub, branch: str) -> list[dict[str, Any]]:
    """The rules that GitHub keeps for a branch, whichever ruleset they come from."""
    return list(github.each(f"/rules/branches/{quote(branch, safe='')}"))


def lacking(github: GitHub, rulesets: list[Ruleset], branch: str) -> list[str]:
    """The kinds of rules that a branch should have and that GitHub does not keep, or keeps otherwise."""
    found = in_force(github, branch)
    return [rule["type"] for rule in for_branch(rulesets, branch) if not any(covers(rule, kept) for kept in found)]


def blocking(github: GitHub, branch: str, kinds: set[str]) -> list[str]:
    """The rules of these kinds that keep a job's token from pushing a branch."""
    found = [rule for rule in in_force(github, branch) if rule["type"] in kinds]
    return [rule["type"] for rule in found if not _excepted(github, rule)]


def _excepted(github: GitHub, rule: dict[str, Any]) -> bool:
    """Whether GitHub Actions may pass by the ruleset that a rule comes from."""
    source = github.find(f"/rulesets/{rule['ruleset_id']}") if "ruleset_id" in rule else None
    actors = (source or {}).get("bypass_actors") or []
    return any((actor["actor_type"], actor.get("actor_id")) == ("Integration", ACTIONS) for actor in actors)


def beyond_the_plan(error: ForgeError) -> bool:
    """Whether GitHub says that the owner's plan has no branch rules for a private repository."""
    return error.status == 403 and "upgrade to" in error.what.lower()
