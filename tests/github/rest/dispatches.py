"""Repository dispatches."""

from .. import events
from ..routing import Call, RestResponse, route


@route("POST", "/repos/{owner}/{repo}/dispatches", "contents=write")
def dispatch(call: Call) -> RestResponse:
    """Start the workflows that listen for a repository_dispatch of this type."""
    # The limits, ten keys and a hundred characters, are in GitHub's OpenAPI.
    events.repository_dispatch(call.hub, call.caller, call.body["event_type"], call.body.get("client_payload") or {})
    return RestResponse(204)
