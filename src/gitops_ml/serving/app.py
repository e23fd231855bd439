"""The ASGI application of a service: its paths, limits and error responses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from gitops_ml.config import ServingConfig
from gitops_ml.predictions import Predictions
from gitops_ml.rows.cell_rules import cell_rules
from gitops_ml.serving import body, openapi, outcomes_endpoint
from gitops_ml.serving.api_error import ApiError
from gitops_ml.serving.log_entries import OutcomeEntry
from gitops_ml.serving.log_recorder import LogRecorder
from gitops_ml.serving.middleware import NO_TOKENS, OUTCOMES, RequestMiddleware, Tokens, error_response, get_context
from gitops_ml.serving.server_metrics import ServerMetrics
from gitops_ml.serving.service import Service
from gitops_ml.serving.workers import Job, Workers

T = TypeVar("T")
PATHS = frozenset({
    "/predict", OUTCOMES, "/metadata", "/metrics", "/health/live", "/health/ready", "/openapi.json", "/docs",
})  # fmt: skip


def create_app(service: Service, tokens: Tokens = NO_TOKENS, log: LogRecorder | None = None) -> ASGIApp:
    """Return a service as an ASGI application.

    Args:
        service: An opened version. The application runs its smoke test at startup, unless the version is ready.
        tokens: Tokens that callers must send.
        log: Prediction log for rows and outcomes; the caller of this function must close it.
    """
    workers = Workers(service.repository.config.serving.max_body_mib)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        smoke_test = None if service.ready else loop.run_in_executor(None, service.run_smoke_test)
        yield
        if smoke_test:
            await smoke_test
        workers.close()

    # The documentation page brings its own files, so it also works in a network without internet access.
    app = FastAPIOffline(
        title=service.metadata.model, version=service.version_id.release or service.version_id.short,
        lifespan=lifespan, docs_url="/docs", redoc_url=None, redirect_slashes=False,
    )  # fmt: skip
    metrics = ServerMetrics(service)
    if log is not None:
        metrics.register(log)
    _add_error_handlers(app)
    _add_paths(app, service, metrics, workers, log)
    _add_outcomes_path(app, service, workers, log)
    document = openapi.build_document(app.title, app.version, service, token_required=tokens.callers is not None)
    app.openapi = lambda: document  # type: ignore[method-assign]

    return RequestMiddleware(app, metrics, PATHS, tokens)


def _add_error_handlers(app: FastAPI) -> None:
    """Give every error response the same format."""

    @app.exception_handler(ApiError)
    async def handle_api_error(request: Request, error: ApiError) -> Any:
        return error_response(error, get_context(request.scope))

    @app.exception_handler(Exception)
    async def handle_exception(request: Request, error: Exception) -> Any:
        bug = ApiError(500, "Internal error. The server's log has the details under this request id.")
        return error_response(bug, get_context(request.scope))

    @app.exception_handler(HTTPException)
    async def handle_http_exception(request: Request, error: HTTPException) -> Any:
        messages = {404: f"This path does not exist. Use one of {', '.join(sorted(PATHS))}.",
                    405: f"This path does not accept {request.method}."}  # fmt: skip
        message = messages.get(error.status_code, error.detail)
        api_error = ApiError(error.status_code, message, headers=dict(error.headers or {}))
        return error_response(api_error, get_context(request.scope))


def _add_paths(
    app: FastAPI, service: Service, metrics: ServerMetrics, workers: Workers, log: LogRecorder | None
) -> None:
    limits = service.repository.config.serving

    @app.post("/predict")
    async def predict(request: Request) -> Response:
        context = get_context(request.scope)
        content_type, explain = _content_type(request), _explain_option(request)
        work = service.predict_and_explain if explain else service.predict
        result = await _work(request, workers, limits, lambda content: work(content_type, content))
        context.rows = len(result.rows)
        if metrics.record_predictions(result.rows, result.predictions):
            workers.submit(0, metrics.count_pending)
        if log is not None:
            log.record_predictions(context.id, result.rows, result.predictions)
        explanations = {} if result.explanations is None else {"reasons": result.explanations}
        identity = {"version": service.version_id.short, "request_id": context.id}
        return JSONResponse({**_predictions_to_json(result.predictions), **explanations, **identity})

    @app.get("/metadata")
    async def metadata() -> Response:
        return JSONResponse(service.metadata_document)

    @app.get("/metrics")
    async def render_metrics() -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/health/live")
    async def live() -> Response:
        return JSONResponse({"status": "live"})

    @app.get("/health/ready")
    async def ready() -> Response:
        if not service.ready:
            raise service.not_ready_error()
        if workers.is_stuck:
            raise ApiError(503, "All threads work for callers that are gone, so no request is answered.", code="stuck")
        if service.is_ending:
            raise ApiError(503, "The server is ending.", code="ending")
        return JSONResponse(
            {"status": "ready", "version": service.version_id.short, "digest": service.version_id.digest}
        )


def _add_outcomes_path(app: FastAPI, service: Service, workers: Workers, log: LogRecorder | None) -> None:
    limits = service.repository.config.serving

    @app.post(OUTCOMES)
    async def receive_outcomes(request: Request) -> Response:
        if log is None:
            raise outcomes_endpoint.NO_LOG
        context, content_type = get_context(request.scope), _content_type(request)
        max_outcomes = outcomes_endpoint.find_max_outcomes(log, limits.max_rows)
        rules = cell_rules(service.repository.config.data)

        def parse(content: bytes) -> OutcomeEntry:
            return outcomes_endpoint.parse_outcomes(content_type, content, service.metadata, max_outcomes, rules)

        outcomes = await _work(request, workers, limits, parse)
        outcomes_endpoint.record_outcomes(log, outcomes)
        return JSONResponse({"accepted": len(outcomes), "request_id": context.id}, 202)


def _predictions_to_json(predictions: Predictions) -> dict[str, Any]:
    """Return predictions for a JSON response: labels or numbers, and the probability of each class."""
    document: dict[str, Any] = {"predictions": predictions.values.tolist()}
    if predictions.probabilities is not None:
        columns = predictions.probabilities.T.tolist()
        labels = map(str, predictions.classes)
        document["probabilities"] = dict(zip(labels, columns, strict=True))
    return document


def _content_type(request: Request) -> str:
    """Return the content type of the body; raise ApiError if it is not supported."""
    return body.check_content_type(request.headers.get("content-type", ""), request.headers.get("content-encoding", ""))


def _explain_option(request: Request) -> bool:
    """Return whether the caller asks for explanations; raise ApiError if the option has another value."""
    option = request.query_params.get("explain", "false")
    if option not in {"true", "false"}:
        raise ApiError(422, f"`explain` must be true or false, not {option[:100]!r}.", code="unknown_option")
    return option == "true"


async def _work(request: Request, workers: Workers, limits: ServingConfig, work: Callable[[bytes], T]) -> T:
    """Return the result of work on the body, done in a thread within the time limit of a request."""
    job, reading = Job(workers), True
    try:
        async with asyncio.timeout(limits.timeout_seconds):
            content = await _read_content(request, limits.max_body_mib, job)
            reading = False
            is_packed = _content_type(request) in body.PACKED
            return await job.run(request.receive, lambda: work(content), is_packed=is_packed)
    except TimeoutError:
        slow = "The request took too long to arrive" if reading else "The prediction took too long"
        raise ApiError(408 if reading else 504, f"{slow}: more than {limits.timeout_seconds} s.") from None
    finally:
        job.close()


async def _read_content(request: Request, max_mib: int, job: Job) -> bytes:
    """Return the body; stop reading as soon as it is larger than allowed."""
    max_bytes, parts, size = max_mib * 2**20, list[bytes](), 0
    too_large = ApiError(413, f"The body is larger than the limit of {max_mib} MiB. Split it into smaller requests.")
    if int(request.headers.get("content-length", "0") or 0) > max_bytes:
        raise too_large
    try:
        async for part in request.stream():
            size += len(part)
            if size > max_bytes:
                raise too_large
            job.hold(len(part))
            parts.append(part)
    except ClientDisconnect:
        raise ApiError(400, "The caller closed the connection before the body was complete.") from None
    return b"".join(parts)
