"""Rulesets: list, create, get and update; and the rules for one branch."""

from typing import Any

from ..errors import ApiError, custom, not_found
from ..hub import Hub
from ..routing import Call, RestResponse, route
from ..rules import rules_for_ref
from ..state import Ruleset, now

PATH = "/repos/{owner}/{repo}/rulesets"
FIELDS = ("name", "target", "enforcement", "bypass_actors", "conditions", "rules")


def _document(hub: Hub, ruleset: Ruleset) -> dict[str, Any]:
    return {
        "id": ruleset.id,
        "source_type": "Repository",
        "source": hub.repository,
        "target": "branch",
        **{name: ruleset.body[name] for name in FIELDS if name in ruleset.body},
        "node_id": f"RRS_{ruleset.id}",
        "_links": {
            "self": {"href": f"{hub.repository_url}/rulesets/{ruleset.id}"},
            "html": {"href": f"{hub.html_url}/rules/{ruleset.id}"},
        },
        "created_at": ruleset.created,
        "updated_at": ruleset.updated,
        "current_user_can_bypass": "never",
    }


def _require_plan(hub: Hub) -> None:
    if hub.settings.private and hub.settings.plan == "free":
        raise ApiError(403, "Upgrade to GitHub Pro or make this repository public to enable this feature.")


def _find_ruleset(call: Call) -> Ruleset:
    ruleset = call.hub.state.rulesets.get(call.number("ruleset_id"))
    if ruleset is None:
        raise not_found()
    return ruleset


def _require_unique_name(call: Call, exclude: Ruleset | None = None) -> None:
    names = {ruleset.body["name"] for ruleset in call.hub.state.rulesets.values() if ruleset is not exclude}
    if call.body.get("name") in names:
        raise custom("RepositoryRuleset", "Name must be unique")


@route("GET", PATH, "metadata=read")
def list_rulesets(call: Call) -> list[dict[str, Any]]:
    """List all rulesets, without their rules."""
    _require_plan(call.hub)
    hidden = {"rules", "conditions", "bypass_actors", "current_user_can_bypass"}
    documents = [_document(call.hub, ruleset) for ruleset in call.hub.state.rulesets.values()]
    return call.paginate([{name: value for name, value in item.items() if name not in hidden} for item in documents])


@route("POST", PATH, "administration=write")
def create(call: Call) -> RestResponse:
    """Create a ruleset."""
    _require_plan(call.hub)
    _require_unique_name(call)
    body = {name: value for name, value in call.body.items() if name in FIELDS}
    ruleset = Ruleset(call.hub.state.next_id(), body)
    call.hub.state.rulesets[ruleset.id] = ruleset
    return RestResponse(201, _document(call.hub, ruleset))


@route("GET", f"{PATH}/{{ruleset_id}}", "metadata=read")
def get_ruleset(call: Call) -> dict[str, Any]:
    """Return one ruleset with all fields."""
    return _document(call.hub, _find_ruleset(call))


@route("PUT", f"{PATH}/{{ruleset_id}}", "administration=write")
def update(call: Call) -> dict[str, Any]:
    """Update a ruleset."""
    ruleset = _find_ruleset(call)
    _require_unique_name(call, ruleset)
    ruleset.body |= {name: value for name, value in call.body.items() if name in FIELDS}
    ruleset.updated = now()
    return _document(call.hub, ruleset)


@route("GET", "/repos/{owner}/{repo}/rules/branches/{branch}", "metadata=read")
def for_branch(call: Call) -> list[dict[str, Any]]:
    """List the active rules for a branch, from all rulesets."""
    rules = rules_for_ref(call.hub, f"refs/heads/{call.values['branch']}")
    source = {"ruleset_source_type": "Repository", "ruleset_source": call.hub.repository}
    return call.paginate([{**rule, **source, "ruleset_id": ruleset.id} for ruleset, rule in rules])
