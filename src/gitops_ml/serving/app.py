"""The HTTP side of a service: paths, limits and refusals; what is predicted is none of its business."""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from gitops_ml.serving import body, openapi, outcomes
from gitops_ml.serving.desk import OPEN, OUTCOMES, Desk, Tokens, refuse, visit
from gitops_ml.serving.log import Log
from gitops_ml.serving.meter import Meter, answer
from gitops_ml.serving.refusal import Refusal
from gitops_ml.serving.service import Service

PATHS = frozenset({
    "/predict", OUTCOMES, "/metadata", "/metrics", "/health/live", "/health/ready", "/openapi.json", "/docs",
})  # fmt: skip


def application(service: Service, tokens: Tokens = OPEN, log: Log | None = None) -> ASGIApp:
    """The service as an ASGI application.

    Args:
        service: A version that was opened; the application rehearses it when it starts, if nobody did.
        tokens: What callers must bear.
        log: Where answers are kept, and outcomes; whoever opened it closes it.
    """
    # As many threads as processors: more would only wait for each other. What nobody waits for any more still ends.
    pool = ThreadPoolExecutor(max_workers=os.cpu_count(), thread_name_prefix="predict")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        rehearsal = None if service.ready else loop.run_in_executor(None, service.rehearse)
        yield
        if rehearsal:
            await rehearsal
        pool.shutdown(wait=False, cancel_futures=True)

    # Its page for people comes with its files: a network that lets nobody out shows it too.
    app = FastAPIOffline(
        title=service.described.model, version=service.named.release or service.named.short, lifespan=lifespan,
        docs_url="/docs", redoc_url=None, redirect_slashes=False,
    )  # fmt: skip
    meter = Meter(service)
    if log is not None:
        meter.register(log)
    _refusals(app)
    _paths(app, service, meter, pool, log)
    _outcomes(app, service, pool, log)
    said = openapi.document(app.title, app.version, service, guarded=tokens.callers is not None)
    app.openapi = lambda: said  # type: ignore[method-assign]

    return Desk(app, meter, PATHS, tokens)


def _refusals(app: FastAPI) -> None:
    """One shape for every answer that is none."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> Any:
        return refuse(refusal, visit(request.scope))

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Any:
        bug = Refusal(500, "A bug; the log of the server has more under this request id.")
        return refuse(bug, visit(request.scope))

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Any:
        words = {404: f"Nothing is here; perhaps you meant one of {', '.join(sorted(PATHS))}.",
                 405: f"{request.method} is not for this path."}  # fmt: skip
        said = Refusal(error.status_code, words.get(error.status_code, error.detail), headers=dict(error.headers or {}))
        return refuse(said, visit(request.scope))


def _paths(app: FastAPI, service: Service, meter: Meter, pool: ThreadPoolExecutor, log: Log | None) -> None:
    limits = service.repository.config.serving

    @app.post("/predict")
    async def predict(request: Request) -> Response:
        here, reading, kind, explain = visit(request.scope), True, _kind(request), _explain(request)
        try:
            async with asyncio.timeout(limits.timeout_seconds):
                content = await _content(request, limits.max_body_mib)
                reading = False
                work = service.explained if explain else service.answer
                told = await asyncio.get_running_loop().run_in_executor(pool, work, kind, content)
        except TimeoutError:
            slow = "The request took too long to arrive" if reading else "The prediction took too long"
            raise Refusal(408 if reading else 504, f"{slow}: more than {limits.timeout_seconds} s.") from None
        here.rows = len(told.rows)
        if meter.predicted(told.rows, told.predictions):
            pool.submit(meter.count)
        if log is not None:
            log.predicted(here.id, told.rows, told.predictions)
        why = {} if told.reasons is None else {"reasons": told.reasons}
        said = {**answer(told.predictions), **why, "version": service.named.short, "request_id": here.id}
        return JSONResponse(said)

    @app.get("/metadata")
    async def metadata() -> Response:
        return JSONResponse(service.about)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(meter.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/health/live")
    async def live() -> Response:
        return JSONResponse({"status": "live"})

    @app.get("/health/ready")
    async def ready() -> Response:
        if not service.ready:
            raise service.unready()
        return JSONResponse({"status": "ready", "version": service.named.short, "digest": service.named.digest})


def _outcomes(app: FastAPI, service: Service, pool: ThreadPoolExecutor, log: Log | None) -> None:
    limits = service.repository.config.serving

    @app.post(OUTCOMES)
    async def told(request: Request) -> Response:
        if log is None:
            raise outcomes.NO_LOG
        here, kind, most = visit(request.scope), _kind(request), outcomes.room(log, limits.max_rows)
        try:
            async with asyncio.timeout(limits.timeout_seconds):
                content = await _content(request, limits.max_body_mib)
        except TimeoutError:
            slow = f"The request took too long to arrive: more than {limits.timeout_seconds} s."
            raise Refusal(408, slow) from None
        described = service.described
        loop = asyncio.get_running_loop()
        truths = await loop.run_in_executor(pool, outcomes.read, kind, content, described, most)
        outcomes.take(log, truths)
        return JSONResponse({"accepted": len(truths), "request_id": here.id}, 202)


def _kind(request: Request) -> str:
    """The content type of the body; raises Refusal where it is none that is read."""
    return body.check_kind(request.headers.get("content-type", ""), request.headers.get("content-encoding", ""))


def _explain(request: Request) -> bool:
    """Whether the caller asks for reasons; raises Refusal where nobody can tell."""
    said = request.query_params.get("explain", "false")
    if said not in {"true", "false"}:
        raise Refusal(422, f"`explain` is true or false, not {said[:100]!r}.", code="unknown_option")
    return said == "true"


async def _content(request: Request, max_mib: int) -> bytes:
    """The body, but never more of it than is allowed."""
    most, parts, size = max_mib * 2**20, list[bytes](), 0
    too_large = Refusal(413, f"The body is larger than the {max_mib} MiB that are allowed; send it in parts.")
    if int(request.headers.get("content-length", "0") or 0) > most:
        raise too_large
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise too_large
            parts.append(part)
    except ClientDisconnect:
        raise Refusal(400, "The caller hung up before the body was whole.") from None
    return b"".join(parts)
