"""Middleware around every request: its id, the tokens, its log line, its metrics and the error format."""

import hmac
import re
import time
import uuid
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gitops_ml.serving.api_error import ApiError
from gitops_ml.serving.json_log import LOG, describe_error, log_line
from gitops_ml.serving.server_metrics import ServerMetrics

ID_HEADER = b"x-request-id"
PROTECTED = frozenset({"/predict", "/metrics"})
OUTCOMES = "/outcomes"
_UNAUTHORIZED = ApiError(
    401, "A valid bearer token is required: send the header `Authorization: Bearer ...`.",
    headers={"WWW-Authenticate": "Bearer"},
)  # fmt: skip
_OUTCOMES_FORBIDDEN = ApiError(
    403, "Outcomes are refused, because GITOPS_OUTCOMES_TOKEN is not set: without a token, forged outcomes could not "
         "be distinguished from real ones. Set it where the server runs."
)  # fmt: skip
VALID_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")


@dataclass
class RequestContext:
    """Facts about one request, collected while it is handled.

    Attributes:
        id: Request id, from the caller or generated here.
        rows: Number of predicted rows.
        code: Error code of the response; None if the request succeeded.
        failure: Type and place of the exception behind an error; None if there is none.
    """

    id: str
    rows: int = 0
    code: str | None = None
    failure: str | None = None


def get_context(scope: Scope) -> RequestContext:
    """Return the context of a request.

    Args:
        scope: ASGI scope of the request.
    """
    context: RequestContext = scope["state"]["context"]
    return context


@dataclass(frozen=True)
class Tokens:
    """Bearer tokens that callers must send.

    Attributes:
        callers: Token for predictions and metrics; None requires no token.
        outcomes: Token for sending outcomes; None refuses all outcomes.
    """

    callers: str | None = None
    outcomes: str | None = None


NO_TOKENS = Tokens()


class RequestMiddleware:
    """The outermost ASGI middleware of the application."""

    def __init__(self, app: ASGIApp, metrics: ServerMetrics, paths: frozenset[str], tokens: Tokens) -> None:
        """Wrap an application.

        Args:
            app: The application.
            metrics: Metrics that count each request.
            paths: Paths that are counted separately; all others are counted together, because callers choose them.
            tokens: Tokens that callers must send.
        """
        self._app, self._metrics, self._paths, self._tokens = app, metrics, paths, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, then count it and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0
        context = RequestContext(_request_id(scope))
        scope.setdefault("state", {})["context"] = context

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (ID_HEADER, context.id.encode())]
            await send(message)

        try:
            refusal = self._check_token(scope)
            await (error_response(refusal, context) if refusal else self._app)(scope, receive, send_with_id)
        except Exception as error:  # a bug; its message may contain data, so only its place is logged
            context.failure = describe_error(error)
        seconds = time.perf_counter() - start
        path = scope["path"] if scope["path"] in self._paths else "other"
        self._metrics.record_request(path, status, seconds, context.code)
        fields = {"id": context.id, "path": path, "status": status, "rows": context.rows, "seconds": round(seconds, 6)}
        LOG.info("%s", log_line(**fields, **({"code": context.code} if context.code else {}),
                                **({"failure": context.failure} if context.failure else {})))  # fmt: skip

    def _check_token(self, scope: Scope) -> ApiError | None:
        """Return the error if the caller lacks the token for the path, else None."""
        path = scope["path"]
        if path == OUTCOMES:
            expected = self._tokens.outcomes
            return _OUTCOMES_FORBIDDEN if expected is None else _compare_token(scope, expected)
        return _compare_token(scope, self._tokens.callers) if self._tokens.callers and path in PROTECTED else None


def _compare_token(scope: Scope, expected: str) -> ApiError | None:
    """Return None if the caller sends the token, compared in constant time, else the error."""
    header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    scheme, _, token = header.partition(b" ")
    is_same = hmac.compare_digest(token.strip(), expected.encode()) and scheme.lower() == b"bearer"
    return None if is_same else _UNAUTHORIZED


def error_response(error: ApiError, context: RequestContext) -> ASGIApp:
    """Return the response of an error, and note its cause in the context for the log.

    Args:
        error: The error.
        context: Context of the request.
    """
    from starlette.responses import JSONResponse

    context.code = error.code
    if isinstance(error.__cause__, Exception):
        context.failure = describe_error(error.__cause__)
    return JSONResponse(error.to_json(context.id), error.status, error.headers)


def _request_id(scope: Scope) -> str:
    """Return the caller's request id if it is valid, else a new one."""
    header = next((value for name, value in scope["headers"] if name == ID_HEADER), b"")
    return header.decode() if VALID_ID.fullmatch(header) else uuid.uuid4().hex
