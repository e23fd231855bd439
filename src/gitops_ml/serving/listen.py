"""Run an application until somebody ends it, and let it finish what it started."""

import logging
import signal
import socket
import sys

from starlette.types import ASGIApp

from gitops_ml.errors import ConfigError

GRACE = 5


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Take the port before anything heavy is done.

    Args:
        host: The address.
        port: The port; 0 takes any.
        shared: Whether another server of ours may have the port too: one that comes while the other one goes.

    Raises:
        ConfigError: It is taken, or not to be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        place = socket.create_server((host, port), family=family, backlog=2048, reuse_port=shared)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"{host}:{port} cannot be listened on: {error}.", "Choose another with `--port`, or `--host`."
        ) from error
    # Small answers leave at once, and do not wait 40 ms for a caller's acknowledgement; inherited by each connection.
    place.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return place


def listen(app: ASGIApp, places: list[socket.socket], timeout_seconds: int) -> None:
    """Serve until SIGTERM or SIGINT; requests that were started are finished.

    Args:
        app: What answers.
        places: Where callers come.
        timeout_seconds: How long one request may take at most.
    """
    import uvicorn

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("gitops_ml.serving")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.INFO)
    # uvicorn finishes, then raises the signal again for whoever handled it before: that is us, and we are done.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, http="h11", ws="none",
        timeout_graceful_shutdown=timeout_seconds + GRACE,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=places)
