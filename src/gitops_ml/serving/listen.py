"""Listening for requests until the process receives a signal, with a graceful shutdown."""

import logging
import signal
import socket
import sys

from starlette.types import ASGIApp

from gitops_ml.errors import ConfigError

GRACE_SECONDS = 5


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket that listens on a port; it is bound before the slow imports.

    Args:
        host: Address of the interface.
        port: Port number; 0 chooses a free one.
        shared: True if another server may listen on the port too, while one server replaces the other.

    Raises:
        ConfigError: The port is in use or not allowed.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048, reuse_port=shared)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {error}.", "Choose another port with `--port`, or another `--host`."
        ) from error
    # Small responses are sent at once instead of after 40 ms. Each connection inherits the option.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def listen(app: ASGIApp, listeners: list[socket.socket], timeout_seconds: int) -> None:
    """Serve an application until SIGTERM or SIGINT; requests in progress are finished.

    Args:
        app: The application.
        listeners: Sockets to accept connections from.
        timeout_seconds: Longest time of one request in seconds.
    """
    import uvicorn

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("gitops_ml.serving")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.INFO)
    # After its shutdown uvicorn raises the signal again for the previous handler; nothing is left to do then.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, http="h11", ws="none",
        timeout_graceful_shutdown=timeout_seconds + GRACE_SECONDS,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=listeners)
