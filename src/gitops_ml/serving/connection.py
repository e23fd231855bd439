"""HTTP connections with time limits, and their end on SIGTERM without a lost request.

uvicorn limits neither the time of a request's headers nor that of a response, and closes idle connections at once when
it ends. A caller that is about to send its next request then gets an error.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

import uvicorn
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol

# Time for the headers of a request, from the start of the connection or the end of the last response.
HEADER_SECONDS = 10
# Idle connections are kept open so long. On SIGTERM, every connection has sent a request or is closed after this time.
KEEP_ALIVE_SECONDS = 5
# On SIGTERM: seconds without a connection after which nothing is waited for; seconds for a first request.
QUIET_SECONDS, FIRST_SECONDS = 0.3, 1
POLL_SECONDS = 0.05


class TimedConnection(H11Protocol):
    """A connection that is closed if its caller sends no request, or takes no response, in time.

    Attributes:
        response_seconds: Longest time from the headers of a request to the end of its response.
    """

    response_seconds = 60.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time of the first request's headers."""
        super().connection_made(transport)
        self._limit(HEADER_SECONDS, self._expire)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time."""
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()

    def handle_events(self) -> None:
        """Start the time of the response when the headers of a request are complete."""
        cycle = self.cycle
        super().handle_events()
        if self.cycle is not cycle:
            self._limit(self.response_seconds, self.transport.abort)

    def on_response_complete(self) -> None:
        """Start the time of the next request's headers, unless that request was sent already."""
        cycle = self.cycle
        super().on_response_complete()
        if self.cycle is cycle and not self.transport.is_closing():
            self._limit(HEADER_SECONDS, self._expire)

    def _limit(self, seconds: float, end: Callable[[], None]) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, end)

    def _expire(self) -> None:
        """Close the connection; a caller that is still taking the last response has the time of a response."""
        if self.transport.get_write_buffer_size():
            self._limit(self.response_seconds, self.transport.abort)
        else:
            self.transport.abort()


class DrainingServer(uvicorn.Server):
    """A server that answers with `Connection: close` before it ends, and accepts connections meanwhile."""

    def __init__(self, config: uvicorn.Config, on_ending: Callable[[], None]) -> None:
        """Prepare the server.

        Args:
            config: Configuration of uvicorn.
            on_ending: Function that is called when the server begins to end.
        """
        super().__init__(config)
        self._on_ending = on_ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let callers leave, then end.

        Args:
            sockets: Sockets that the server listens on.
        """
        self._on_ending()
        self._announce_end()
        await self._wait(KEEP_ALIVE_SECONDS, QUIET_SECONDS)
        await self._stop_accepting(sockets or [])
        # Connections that were accepted last may not have sent their request yet.
        await self._wait(FIRST_SECONDS, 0)
        await super().shutdown(sockets)

    def _announce_end(self) -> None:
        """Send `Connection: close` in all responses from now on, so that callers use another connection next."""
        self.server_state.default_headers = [*self.server_state.default_headers, CLOSE_HEADER]
        for connection in self.server_state.connections:
            cycle: Any = getattr(connection, "cycle", None)
            if cycle is not None and not cycle.response_complete:
                if cycle.response_started:
                    cycle.keep_alive = False
                else:
                    cycle.default_headers = self.server_state.default_headers

    async def _wait(self, seconds: float, quiet: float) -> None:
        """Wait until no connection has been open for some time, at most so long."""
        now = last_open = time.monotonic()
        until = now + seconds
        while now < until and not self.force_exit:
            if self.server_state.connections:
                last_open = now
            elif now - last_open >= quiet:
                return
            await asyncio.sleep(POLL_SECONDS)
            now = time.monotonic()

    async def _stop_accepting(self, sockets: Iterable[socket.socket]) -> None:
        """Close the sockets; connections that the operating system has accepted already are served."""
        loop, copies = asyncio.get_running_loop(), [listener.dup() for listener in sockets]
        for server in self.servers:
            server.close()
        for copy in copies:
            accepted = list[socket.socket]()
            with copy, contextlib.suppress(BlockingIOError):
                copy.setblocking(False)
                while True:
                    accepted.append(copy.accept()[0])
            for connection in accepted:
                connection.setblocking(False)
                await loop.connect_accepted_socket(self._connect, connection)

    def _connect(self) -> asyncio.Protocol:
        config: Any = self.config
        protocol: asyncio.Protocol = config.http_protocol_class(
            config=config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol
