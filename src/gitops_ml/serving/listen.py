"""Listening for requests until the process receives a signal, with a graceful shutdown."""

import ctypes
import logging
import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress

from starlette.types import ASGIApp

from gitops_ml.errors import ConfigError

GRACE_SECONDS = 5
# SO_ATTACH_REUSEPORT_CBPF and BPF_RET | BPF_K of Linux.
ATTACH_FILTER, RETURN = 51, 0x06


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
    if shared and sys.platform == "linux":
        _prefer_newest(listener)
    # Small responses are sent at once instead of after 40 ms. Each connection inherits the option.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _prefer_newest(listener: socket.socket) -> None:
    """Give new connections to the second of the servers that listen on a port, so that the first loses none at its end.

    Linux distributes connections among the sockets of a port, and resets those that a socket has not accepted when it
    is closed. A filter (socket(7), SO_ATTACH_REUSEPORT_CBPF) names the socket by its number instead; if there is no
    such socket, because there is one server only, Linux distributes again.
    """
    # One instruction, as <linux/filter.h> has it: return 1.
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", RETURN, 0, 0, 1))
    program = struct.pack("HP", 1, ctypes.addressof(instruction))
    with suppress(OSError):  # a kernel without it
        listener.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, program)


def listen(
    app: ASGIApp, listeners: list[socket.socket], timeout_seconds: int, on_ending: Callable[[], None] = lambda: None
) -> None:
    """Serve an application until SIGTERM or SIGINT, then until callers have left.

    Args:
        app: The application.
        listeners: Sockets to accept connections from.
        timeout_seconds: Longest time of one request in seconds.
        on_ending: Function that is called when the server begins to end.
    """
    import uvicorn

    from gitops_ml.serving import connection

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("gitops_ml.serving")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.INFO)
    # After its shutdown uvicorn raises the signal again for the previous handler; nothing is left to do then.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, ws="none",
        http=connection.TimedConnection, timeout_keep_alive=connection.KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=timeout_seconds + GRACE_SECONDS,
    )  # fmt: skip
    connection.TimedConnection.response_seconds = timeout_seconds + GRACE_SECONDS
    connection.DrainingServer(config, on_ending).run(sockets=listeners)
