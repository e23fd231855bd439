"""The Flask application: faults first, then REST, Git and pages; every answer is logged and judged."""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, g, request
from openapi_core.protocols import Request as Asking
from werkzeug.exceptions import HTTPException

from . import access, contract, rest, transport
from .errors import RefusedError, not_found
from .faults import Fault
from .hub import Asked, Hub
from .model import Token
from .pages import site
from .routing import Answer, Call, Route, declared

API = "/api/v3"
# Of an answer that stands for none.
NEVER_SENT = 599
UNICORN = (
    "<!DOCTYPE html><title>Unicorn! &middot; GitHub</title><p>We had issues producing the response to your request.</p>"
)
GIT = {"info/refs": "GET", "git-upload-pack": "POST", "git-receive-pack": "POST"}


@dataclass
class Seen:
    """What is known of the request that is being answered."""

    token: Token | None = None
    fault: Fault | None = None
    route: Route | None = None
    asking: Asking | None = None
    complaints: list[str] = field(default_factory=list)


def seen() -> Seen:
    """The present request's notes."""
    if "seen" not in g:
        g.seen = Seen()
    notes: Seen = g.seen
    return notes


class Web:
    """One application for one hub."""

    def __init__(self, hub: Hub, stopping: threading.Event) -> None:
        """Wire everything; nothing listens yet."""
        assert rest.__all__, "declares the routes"
        self.hub = hub
        self.stopping = stopping
        self.app = Flask(__name__, static_folder=None, template_folder="pages")
        self.app.before_request(self.arrive)
        self.app.after_request(self.leave)
        self.app.register_error_handler(RefusedError, self.refuse)
        self.app.register_error_handler(HTTPException, self.unknown)
        self.app.register_error_handler(Exception, self.broken)
        for rest_of_path, method in GIT.items():
            rule = f"/<owner>/<name>/{rest_of_path}"
            self.app.add_url_rule(rule, "git", self.git, methods=[method], defaults={"rest": rest_of_path})
        self.routes = {f"{route.method} {route.template}": route for route in declared()}
        for name, route in self.routes.items():
            self.app.add_url_rule(API + route.rule, name, self.rest(route), methods=[route.method])
        site.register(self.app, hub)

    def arrive(self) -> Response | None:
        """Before all else: what goes wrong on demand, and what no server accepts."""
        notes = seen()
        notes.route = self.routes.get(request.endpoint or "")
        if notes.route is not None:
            notes.asking = contract.asking(notes.route, request.view_args or {}, request.args, request.get_data())
        if len(request.environ["github.authorizations"]) > 1:
            raise RefusedError(400, "Bad Request: more than one Authorization header")
        notes.token = self.hub.tokens.get(access.secret(request.headers.get("Authorization")) or "")
        notes.fault = fault = self.hub.faults.take(request.method, request.path)
        if fault is None or fault.kind == "lost":
            return None
        if fault.kind == "dropped":
            return Response(status=NEVER_SENT)
        if fault.kind == "slow":
            self.stopping.wait(fault.seconds)
            return None
        # A client that hangs up before it has sent all sees a broken pipe instead of the answer.
        request.get_data()
        raise fault.answer() or not_found()

    def rest(self, route: Route) -> Callable[..., Response]:
        """The view of one operation."""

        def view(**values: str) -> Response:
            notes = seen()
            notes.token = access.caller(self.hub, request.headers.get("Authorization"))
            if "owner" in values and f"{values['owner']}/{values['repo']}".lower() != self.hub.repository.lower():
                raise not_found()
            access.allow(self.hub, notes.token, route.needs)
            body = self.body()
            call = Call(self.hub, notes.token, request.path, values, request.args, body)
            with self.hub.changing():
                result = route.answer(call)
            answer = result if isinstance(result, Answer) else Answer(200, result)
            return self.answered(answer.status, answer.body, call.headers)

        return view

    def body(self) -> dict[str, Any]:
        """What was sent, if GitHub's OpenAPI has nothing against it."""
        notes = seen()
        assert notes.asking is not None
        try:
            body = json.loads(request.get_data() or b"null")
        except ValueError:
            raise RefusedError(400, "Problems parsing JSON") from None
        complaints = contract.of_request(notes.asking)
        notes.complaints += complaints
        if complaints:
            raise RefusedError(422, "Invalid request.\n\n" + "\n".join(complaints))
        return body if isinstance(body, dict) else {}

    def answered(self, status: int, body: Any, headers: dict[str, str]) -> Response:
        """An answer as GitHub words and dresses it."""
        text = b"" if status == 204 else json.dumps(body).encode()
        answer = Response(text, status, headers, content_type="application/json; charset=utf-8")
        answer.headers["X-GitHub-Media-Type"] = "github.v3; format=json"
        return answer

    def refuse(self, error: RefusedError) -> Response:
        """An answer that is not a success: JSON for programs, words for Git."""
        if error.status == 502:
            # What answers then is not the interface but something before it, and it speaks HTML.
            return Response(UNICORN, 502, content_type="text/html; charset=utf-8")
        if request.path.startswith(API):
            return self.answered(error.status, error.body(), error.headers)
        return Response(f"{error.message}\n", error.status, error.headers, content_type="text/plain; charset=utf-8")

    def unknown(self, error: HTTPException) -> Response:
        """A call that nothing here answers; the tests hear of it, for GitHub might."""
        if request.path.startswith(API):
            seen().complaints.append("no such operation here")
            return self.refuse(not_found())
        return self.refuse(RefusedError(error.code or 500, error.name))

    def broken(self, error: Exception) -> Response:
        """A mistake in this server, which must not pass for one of GitHub's bad days."""
        self.app.logger.exception("the local GitHub failed")
        seen().complaints.append(f"the server itself failed: {error!r}")
        return self.refuse(RefusedError(500, "Server Error"))

    def git(self, owner: str, name: str, rest: str) -> Response:
        """A Git client's request."""
        header = request.headers.get("Authorization")
        try:
            notes = seen()
            notes.token = access.caller(self.hub, header)
        except RefusedError:
            headers = {"WWW-Authenticate": 'Basic realm="GitHub"'}
            raise RefusedError(401, "Invalid username or token.", headers=headers) from None
        if f"{owner}/{name.removesuffix('.git')}".lower() != self.hub.repository.lower():
            raise RefusedError(404, "Repository not found.")
        wanted = transport.Wanted(
            request.method, rest, request.query_string.decode(), request.content_type or "",
            request.headers.get("Content-Encoding", ""), request.headers.get("Git-Protocol", ""), request.get_data(),
        )  # fmt: skip
        status, headers, body = transport.serve(self.hub, notes.token, wanted)
        return Response(body, status, headers)

    def leave(self, answer: Response) -> Response:
        """Judge and log the answer; lose it, if that was asked for."""
        notes = seen()
        status = answer.status_code
        lost = notes.fault is not None and notes.fault.kind in {"lost", "dropped"}
        if lost:
            status = 0 if answer.status_code == NEVER_SENT else status
        elif notes.asking is not None and notes.route is not None:
            notes.complaints += contract.of_answer(notes.asking, notes.route, status, answer.get_data())
        login = notes.token.login if notes.token else None
        self.hub.requests.append(Asked(request.method, request.path, status, login, sent()))
        self.hub.violations += [f"{request.method} {request.path} {status}: {line}" for line in notes.complaints]
        if lost:
            hang_up()
        return answer


def sent() -> Any:
    """The JSON that was sent; nothing for what is none."""
    try:
        return json.loads(request.get_data()) if request.path.startswith(API) else None
    except ValueError:
        return None


def hang_up() -> None:
    """Close the connection under the answer."""
    connection = request.environ["werkzeug.socket"]
    assert isinstance(connection, socket.socket)
    connection.shutdown(socket.SHUT_RDWR)
