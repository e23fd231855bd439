"""Around every request: its id, its line in the log, its count, and an answer in our shape whatever happens."""

import hmac
import re
import time
import uuid
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gitops_ml.serving.line import LOG, entry, where
from gitops_ml.serving.meter import Meter
from gitops_ml.serving.refusal import Refusal

HEADER = b"x-request-id"
GUARDED = frozenset({"/predict", "/metrics"})
OUTCOMES = "/outcomes"
_NO_TOKEN = Refusal(401, "A bearer token is needed.", headers={"WWW-Authenticate": "Bearer"})
_NOBODY = Refusal(
    403, "Outcomes are refused: GITOPS_OUTCOMES_TOKEN is not set, so nobody could tell forged ones from true ones."
)  # fmt: skip
WELL_FORMED = re.compile(rb"[A-Za-z0-9._-]{1,128}")


@dataclass
class Visit:
    """What is known of one request.

    Attributes:
        id: As the caller named it, or made here.
        rows: How many were predicted.
        code: Why it got no answer.
        failure: What was raised behind that, and where.
    """

    id: str
    rows: int = 0
    code: str | None = None
    failure: str | None = None


def visit(scope: Scope) -> Visit:
    """The visit of a request."""
    found: Visit = scope["state"]["visit"]
    return found


@dataclass(frozen=True)
class Tokens:
    """What callers must bear.

    Attributes:
        callers: To ask; None lets everybody ask.
        outcomes: To tell outcomes; None lets nobody.
    """

    callers: str | None = None
    outcomes: str | None = None


OPEN = Tokens()


class Desk:
    """ASGI middleware, outermost."""

    def __init__(self, app: ASGIApp, meter: Meter, paths: frozenset[str], tokens: Tokens) -> None:
        """Paths that are not among `paths` are counted together, for anybody can invent them."""
        self._app, self._meter, self._paths, self._tokens = app, meter, paths, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it pass, and see how it ends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0
        here = Visit(_id(scope))
        scope.setdefault("state", {})["visit"] = here

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER, here.id.encode())]
            await send(message)

        try:
            refusal = self._refusal(scope)
            await (refuse(refusal, here) if refusal else self._app)(scope, receive, stamped)
        except Exception as error:  # a bug, ours or yours: the caller learns that, the log learns where
            here.failure = where(error)
        seconds = time.perf_counter() - began
        path = scope["path"] if scope["path"] in self._paths else "other"
        self._meter.answered(path, status, seconds, here.code)
        line = {"id": here.id, "path": path, "status": status, "rows": here.rows, "seconds": round(seconds, 6)}
        LOG.info("%s", entry(**line, **({"code": here.code} if here.code else {}),
                              **({"failure": here.failure} if here.failure else {})))  # fmt: skip

    def _refusal(self, scope: Scope) -> Refusal | None:
        """Why the caller may not come in, if so."""
        path = scope["path"]
        if path == OUTCOMES:
            return _NOBODY if self._tokens.outcomes is None else _borne(scope, self._tokens.outcomes)
        return _borne(scope, self._tokens.callers) if self._tokens.callers and path in GUARDED else None


def _borne(scope: Scope, wanted: str) -> Refusal | None:
    """Nothing if the caller bears the token; compared so that time tells nothing."""
    given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    scheme, _, token = given.partition(b" ")
    same = hmac.compare_digest(token.strip(), wanted.encode()) and scheme.lower() == b"bearer"
    return None if same else _NO_TOKEN


def refuse(refusal: Refusal, here: Visit) -> ASGIApp:
    """A refusal as an answer; what was raised behind it is for the log."""
    from starlette.responses import JSONResponse

    here.code = refusal.code
    if isinstance(refusal.__cause__, Exception):
        here.failure = where(refusal.__cause__)
    return JSONResponse(refusal.content(here.id), refusal.status, refusal.headers)


def _id(scope: Scope) -> str:
    """The caller's id of the request if it is well-formed, else a new one."""
    given = next((value for name, value in scope["headers"] if name == HEADER), b"")
    return given.decode() if WELL_FORMED.fullmatch(given) else uuid.uuid4().hex
