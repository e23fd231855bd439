"""Flask application: faults first, then REST, Git and pages; each response is logged and checked."""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, g, request
from openapi_core.protocols import Request as OpenAPIRequest
from werkzeug.exceptions import HTTPException

from . import access, contract, rest, transport
from .errors import ApiError, not_found
from .faults import Fault
from .hub import Hub, LoggedRequest
from .model import Token
from .pages import repository_pages
from .routing import Call, RestResponse, Route, declared_routes

API = "/api/v3"
# Status of a placeholder for a response that is never sent.
NEVER_SENT = 599
UNICORN = (
    "<!DOCTYPE html><title>Unicorn! &middot; GitHub</title><p>We had issues producing the response to your request.</p>"
)
GIT = {"info/refs": "GET", "git-upload-pack": "POST", "git-receive-pack": "POST"}


@dataclass
class RequestNotes:
    """Notes about the current request."""

    token: Token | None = None
    fault: Fault | None = None
    route: Route | None = None
    contract_request: OpenAPIRequest | None = None
    violations: list[str] = field(default_factory=list)


def request_notes() -> RequestNotes:
    """Return the notes about the current request."""
    if "notes" not in g:
        g.notes = RequestNotes()
    notes: RequestNotes = g.notes
    return notes


class WebApplication:
    """Web application of one hub."""

    def __init__(self, hub: Hub, stopping: threading.Event) -> None:
        """Register all routes; it does not listen yet."""
        assert rest.__all__, "declares the routes"
        self.hub = hub
        self.stopping = stopping
        self.app = Flask(__name__, static_folder=None, template_folder="pages")
        self.app.before_request(self.receive_request)
        self.app.after_request(self.log_response)
        self.app.register_error_handler(ApiError, self.error_response)
        self.app.register_error_handler(HTTPException, self.unknown_route)
        self.app.register_error_handler(Exception, self.server_error)
        for rest_of_path, method in GIT.items():
            rule = f"/<owner>/<name>/{rest_of_path}"
            self.app.add_url_rule(rule, "git", self.git, methods=[method], defaults={"rest": rest_of_path})
        self.routes = {f"{route.method} {route.template}": route for route in declared_routes()}
        for name, route in self.routes.items():
            self.app.add_url_rule(API + route.rule, name, self.rest(route), methods=[route.method])
        repository_pages.register(self.app, hub)

    def receive_request(self) -> Response | None:
        """Apply requested faults, and refuse requests that no server accepts, before any other handler."""
        notes = request_notes()
        notes.route = self.routes.get(request.endpoint or "")
        if notes.route is not None:
            notes.contract_request = contract.make_request(
                notes.route, request.view_args or {}, request.args, request.get_data()
            )
        if len(request.environ["github.authorizations"]) > 1:
            raise ApiError(400, "Bad Request: more than one Authorization header")
        notes.token = self.hub.tokens.get(access.parse_token(request.headers.get("Authorization")) or "")
        notes.fault = fault = self.hub.faults.take(request.method, request.path)
        if fault is None or fault.kind == "lost":
            return None
        if fault.kind == "dropped":
            return Response(status=NEVER_SENT)
        if fault.kind == "slow":
            self.stopping.wait(fault.seconds)
            return None
        # Without this read, a client that is still sending sees a broken pipe instead of the response.
        request.get_data()
        raise fault.error() or not_found()

    def rest(self, route: Route) -> Callable[..., Response]:
        """Return the view of one operation."""

        def view(**values: str) -> Response:
            notes = request_notes()
            notes.token = access.authenticate(self.hub, request.headers.get("Authorization"))
            if "owner" in values and f"{values['owner']}/{values['repo']}".lower() != self.hub.repository.lower():
                raise not_found()
            access.authorize(self.hub, notes.token, route.needs)
            body = self.body()
            call = Call(self.hub, notes.token, request.path, values, request.args, body)
            with self.hub.locked():
                result = route.handler(call)
            response = result if isinstance(result, RestResponse) else RestResponse(200, result)
            return self.json_response(response.status, response.body, call.headers)

        return view

    def body(self) -> dict[str, Any]:
        """Return the request's body, if it conforms to GitHub's OpenAPI."""
        notes = request_notes()
        assert notes.contract_request is not None
        try:
            body = json.loads(request.get_data() or b"null")
        except ValueError:
            raise ApiError(400, "Problems parsing JSON") from None
        violations = contract.request_violations(notes.contract_request)
        notes.violations += violations
        if violations:
            raise ApiError(422, "Invalid request.\n\n" + "\n".join(violations))
        return body if isinstance(body, dict) else {}

    def json_response(self, status: int, body: Any, headers: dict[str, str]) -> Response:
        """Return a JSON response with GitHub's headers."""
        text = b"" if status == 204 else json.dumps(body).encode()
        response = Response(text, status, headers, content_type="application/json; charset=utf-8")
        response.headers["X-GitHub-Media-Type"] = "github.v3; format=json"
        return response

    def error_response(self, error: ApiError) -> Response:
        """Return an error response: JSON for API clients, plain text for Git."""
        if error.status == 502:
            # A 502 comes from a proxy before the API, in HTML.
            return Response(UNICORN, 502, content_type="text/html; charset=utf-8")
        if request.path.startswith(API):
            return self.json_response(error.status, error.body(), error.headers)
        return Response(f"{error.message}\n", error.status, error.headers, content_type="text/plain; charset=utf-8")

    def unknown_route(self, error: HTTPException) -> Response:
        """Return 404 for an unknown route, and record a violation: GitHub might have the route."""
        if request.path.startswith(API):
            request_notes().violations.append("no such operation here")
            return self.error_response(not_found())
        return self.error_response(ApiError(error.code or 500, error.name))

    def server_error(self, error: Exception) -> Response:
        """Return 500 for an error of this server, and record a violation, to tell it from a requested fault."""
        self.app.logger.exception("the local GitHub failed")
        request_notes().violations.append(f"the server itself failed: {error!r}")
        return self.error_response(ApiError(500, "Server Error"))

    def git(self, owner: str, name: str, rest: str) -> Response:
        """Serve a request of a Git client."""
        header = request.headers.get("Authorization")
        try:
            notes = request_notes()
            notes.token = access.authenticate(self.hub, header)
        except ApiError:
            headers = {"WWW-Authenticate": 'Basic realm="GitHub"'}
            raise ApiError(401, "Invalid username or token.", headers=headers) from None
        if f"{owner}/{name.removesuffix('.git')}".lower() != self.hub.repository.lower():
            raise ApiError(404, "Repository not found.")
        git_request = transport.GitRequest(
            request.method, rest, request.query_string.decode(), request.content_type or "",
            request.headers.get("Content-Encoding", ""), request.headers.get("Git-Protocol", ""), request.get_data(),
        )  # fmt: skip
        status, headers, body = transport.serve(self.hub, notes.token, git_request)
        return Response(body, status, headers)

    def log_response(self, response: Response) -> Response:
        """Check and log the response; close the connection if a fault requests that."""
        notes = request_notes()
        status = response.status_code
        is_lost = notes.fault is not None and notes.fault.kind in {"lost", "dropped"}
        if is_lost:
            status = 0 if response.status_code == NEVER_SENT else status
        elif notes.contract_request is not None and notes.route is not None:
            notes.violations += contract.response_violations(
                notes.contract_request, notes.route, status, response.get_data()
            )
        login = notes.token.login if notes.token else None
        self.hub.requests.append(LoggedRequest(request.method, request.path, status, login, sent_json()))
        self.hub.violations += [f"{request.method} {request.path} {status}: {line}" for line in notes.violations]
        if is_lost:
            close_connection()
        return response


def sent_json() -> Any:
    """Return the request's JSON; None if it has none."""
    try:
        return json.loads(request.get_data()) if request.path.startswith(API) else None
    except ValueError:
        return None


def close_connection() -> None:
    """Close the connection before the response is sent."""
    connection = request.environ["werkzeug.socket"]
    assert isinstance(connection, socket.socket)
    connection.shutdown(socket.SHUT_RDWR)
