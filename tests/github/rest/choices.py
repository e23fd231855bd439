"""Variables and names of secrets of the repository. The lists of an organization and of environments are empty."""

from typing import Any

from ..errors import not_found
from ..routing import Call, route

REPO = "/repos/{owner}/{repo}"
ENVIRONMENT = f"{REPO}/environments/{{environment_name}}"


@route("GET", f"{REPO}/actions/variables", "actions_variables=read")
def list_variables(call: Call) -> dict[str, Any]:
    """List the repository's variables."""
    return _listed(call, "variables", dict(call.hub.settings.variables))


@route("GET", f"{REPO}/actions/organization-variables", "actions_variables=read")
def list_organization_variables(call: Call) -> dict[str, Any]:
    """List the variables that the organization shares with the repository."""
    return _listed(call, "variables", {})


@route("GET", f"{REPO}/actions/secrets", "secrets=read")
def list_secrets(call: Call) -> dict[str, Any]:
    """List the names of the repository's secrets."""
    return _listed(call, "secrets", dict.fromkeys(call.hub.settings.secrets))


@route("GET", f"{REPO}/actions/organization-secrets", "secrets=read")
def list_organization_secrets(call: Call) -> dict[str, Any]:
    """List the names of the secrets that the organization shares with the repository."""
    return _listed(call, "secrets", {})


@route("GET", f"{ENVIRONMENT}/secrets", "environments=read")
def list_environment_secrets(call: Call) -> dict[str, Any]:
    """List the names of an environment's secrets."""
    if call.values["environment_name"] not in call.hub.state.environments:
        raise not_found()
    return _listed(call, "secrets", {})


def _listed(call: Call, key: str, values: dict[str, str | None]) -> dict[str, Any]:
    """Return the document of a list; secrets have no value."""
    times = {"created_at": call.hub.state.created, "updated_at": call.hub.state.created}
    items = [{"name": name, **({} if value is None else {"value": value}), **times} for name, value in values.items()]
    return {"total_count": len(items), key: call.paginate(items)}
