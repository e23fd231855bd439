"""Rulesets: listed, made, read, changed; and the rules for one branch."""

from typing import Any

from ..errors import RefusedError, custom, not_found
from ..hub import Hub
from ..routing import Answer, Call, route
from ..rules import listed as rules_for
from ..state import Ruleset, now

PATH = "/repos/{owner}/{repo}/rulesets"
FIELDS = ("name", "target", "enforcement", "bypass_actors", "conditions", "rules")


def _shown(hub: Hub, ruleset: Ruleset) -> dict[str, Any]:
    return {
        "id": ruleset.id,
        "source_type": "Repository",
        "source": hub.repository,
        "target": "branch",
        **{name: ruleset.body[name] for name in FIELDS if name in ruleset.body},
        "node_id": f"RRS_{ruleset.id}",
        "_links": {
            "self": {"href": f"{hub.home}/rulesets/{ruleset.id}"},
            "html": {"href": f"{hub.page}/rules/{ruleset.id}"},
        },
        "created_at": ruleset.created,
        "updated_at": ruleset.updated,
        "current_user_can_bypass": "never",
    }


def _affordable(hub: Hub) -> None:
    if hub.settings.private and hub.settings.plan == "free":
        raise RefusedError(403, "Upgrade to GitHub Pro or make this repository public to enable this feature.")


def _found(call: Call) -> Ruleset:
    ruleset = call.hub.state.rulesets.get(call.number("ruleset_id"))
    if ruleset is None:
        raise not_found()
    return ruleset


def _unique(call: Call, besides: Ruleset | None = None) -> None:
    names = {ruleset.body["name"] for ruleset in call.hub.state.rulesets.values() if ruleset is not besides}
    if call.body.get("name") in names:
        raise custom("RepositoryRuleset", "Name must be unique")


@route("GET", PATH, "metadata=read")
def listed(call: Call) -> list[dict[str, Any]]:
    """Every ruleset, without its rules."""
    _affordable(call.hub)
    hidden = {"rules", "conditions", "bypass_actors", "current_user_can_bypass"}
    shown = [_shown(call.hub, ruleset) for ruleset in call.hub.state.rulesets.values()]
    return call.paged([{name: value for name, value in it.items() if name not in hidden} for it in shown])


@route("POST", PATH, "administration=write")
def create(call: Call) -> Answer:
    """A new ruleset."""
    _affordable(call.hub)
    _unique(call)
    body = {name: value for name, value in call.body.items() if name in FIELDS}
    ruleset = Ruleset(call.hub.state.identity(), body)
    call.hub.state.rulesets[ruleset.id] = ruleset
    return Answer(201, _shown(call.hub, ruleset))


@route("GET", f"{PATH}/{{ruleset_id}}", "metadata=read")
def one(call: Call) -> dict[str, Any]:
    """One ruleset in full."""
    return _shown(call.hub, _found(call))


@route("PUT", f"{PATH}/{{ruleset_id}}", "administration=write")
def update(call: Call) -> dict[str, Any]:
    """Change a ruleset."""
    ruleset = _found(call)
    _unique(call, ruleset)
    ruleset.body |= {name: value for name, value in call.body.items() if name in FIELDS}
    ruleset.updated = now()
    return _shown(call.hub, ruleset)


@route("GET", "/repos/{owner}/{repo}/rules/branches/{branch}", "metadata=read")
def for_branch(call: Call) -> list[dict[str, Any]]:
    """The rules in force for a branch, whichever ruleset they come from."""
    found = rules_for(call.hub, f"refs/heads/{call.values['branch']}")
    source = {"ruleset_source_type": "Repository", "ruleset_source": call.hub.repository}
    return call.paged([{**rule, **source, "ruleset_id": ruleset.id} for ruleset, rule in found])
