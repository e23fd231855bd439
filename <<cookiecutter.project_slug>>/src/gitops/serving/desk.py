# machinery
"""Around every request: its id, its line in the log, its count, and an answer in our shape whatever happens."""

import hmac
import json
import logging
import re
import time
import traceback
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gitops.serving.meter import Meter
from gitops.serving.refusal import Refusal

HEADER = b"x-request-id"
GUARDED = frozenset({"/predict", "/metrics"})
_NO_TOKEN = Refusal(401, "A bearer token is needed.", headers={"WWW-Authenticate": "Bearer"})
_WELL_FORMED = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_LOG = logging.getLogger("gitops.serving")


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


class Desk:
    """ASGI middleware, outermost."""

    def __init__(self, app: ASGIApp, meter: Meter, paths: frozenset[str], token: str | None) -> None:
        """Paths that are not among `paths` are counted together, for anybody can invent them."""
        self._app, self._meter, self._paths, self._token = app, meter, paths, token

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
            await (self._app if self._may(scope) else refuse(_NO_TOKEN, here))(scope, receive, stamped)
        except Exception as error:  # a bug, ours or yours: the caller learns that, the log learns where
            here.failure = _where(error)
        seconds = time.perf_counter() - began
        path = scope["path"] if scope["path"] in self._paths else "other"
        self._meter.answered(path, status, seconds, here.code)
        line = {"id": here.id, "path": path, "status": status, "rows": here.rows, "seconds": round(seconds, 6)}
        _LOG.info("%s", entry(**line, **({"code": here.code} if here.code else {}),
                              **({"failure": here.failure} if here.failure else {})))  # fmt: skip

    def _may(self, scope: Scope) -> bool:
        """Whether the caller bears the token, where one is needed; compared so that time tells nothing."""
        if self._token is None or scope["path"] not in GUARDED:
            return True
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        return hmac.compare_digest(token.strip(), self._token.encode()) and scheme.lower() == b"bearer"


def refuse(refusal: Refusal, here: Visit) -> ASGIApp:
    """A refusal as an answer; what was raised behind it is for the log."""
    from starlette.responses import JSONResponse

    here.code = refusal.code
    if isinstance(refusal.__cause__, Exception):
        here.failure = _where(refusal.__cause__)
    return JSONResponse(refusal.content(here.id), refusal.status, refusal.headers)


def entry(**said: Any) -> str:
    """One line of the log."""
    return json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **said}, ensure_ascii=True)


def _id(scope: Scope) -> str:
    """The caller's id of the request if it is well-formed, else a new one."""
    given = next((value for name, value in scope["headers"] if name == HEADER), b"")
    return given.decode() if _WELL_FORMED.fullmatch(given) else uuid.uuid4().hex


def _where(error: Exception) -> str:
    """The type of an error and where it was raised; not its words, which may hold data."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames[-5:]))
    return f"{type(error).__name__} at {places}"
