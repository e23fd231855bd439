"""Connections of a real server: callers that are slow, and a server that ends while callers keep their connections."""

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest

from gitops_ml.serving.listen import bind

pytestmark = pytest.mark.slow

SERVER = textwrap.dedent("""
    import asyncio, sys
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from gitops_ml.serving import connection
    from gitops_ml.serving.listen import bind, listen

    async def answer(request):
        await asyncio.sleep(float(request.query_params.get("seconds", 0)))
        return PlainTextResponse("x" * int(request.query_params.get("size", 1)))

    connection.HEADER_SECONDS = 2
    port, shared, seconds = int(sys.argv[1]), sys.argv[2] == "shared", int(sys.argv[3])
    listener = bind("127.0.0.1", port, shared=shared)
    print(listener.getsockname()[1], flush=True)
    listen(Starlette(routes=[Route("/", answer, methods=["GET", "POST"])]), [listener], seconds)
""")


@contextmanager
def start_server(port: int = 0, kind: str = "own", seconds: int = 30) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Run a server in a process of its own, and yield it with its port."""
    command = [sys.executable, "-c", SERVER, str(port), kind, str(seconds)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline())
        wait_for_answer(port)
        yield server, port
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def wait_for_answer(port: int) -> None:
    """Wait until the server answers."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            Client(port).request()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("no answer in 30 seconds")


def is_closed(connection: socket.socket) -> bool:
    """Return whether the server has closed a connection."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@dataclass
class Client:
    """A caller that keeps its connection as long as the server does."""

    port: int
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    connection: http.client.HTTPConnection | None = None
    is_to_close: bool = False

    def request(self, path: str = "/") -> None:
        """Send one request; do not repeat it if it fails."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.connection.request("GET", path)
        response = self.connection.getresponse()
        assert response.status == 200
        response.read()
        self.answered += 1
        if response.headers.get("connection") == "close":
            self.connection.close()
            self.connection = None

    def has_more_than(self, answered: int) -> bool:
        """Return whether there are more answers, or a failure."""
        return self.answered > answered or bool(self.failures)

    def run(self, pause: float, is_over: Callable[[], bool]) -> None:
        """Send requests until the end, and note those that were lost."""
        while not is_over():
            try:
                self.request()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                self.connection = None
            time.sleep(pause)


SLOW: dict[str, list[bytes]] = {
    "nothing": [],
    "half of the headers": [b"GET / HTTP/1.1\r\nHost: a\r\nX-A: "],
    "a header every second": [b"GET / HTTP/1.1\r\n", *[b"X-A: 1\r\n"] * 20],
    "a body every second after the answer": [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", *[b"x"] * 20,
    ],
    "a second request every second": [b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", *[b" "] * 20],
}  # fmt: skip


def test_slow_requests_are_closed() -> None:
    """Whatever a caller sends slowly, its connection is closed after the time for headers."""
    with start_server() as (_, port):
        connections = [
            (socket.create_connection(("127.0.0.1", port)), list(parts)) for parts in SLOW.values() for _ in range(20)
        ]
        for _ in range(4):
            for connection, parts in connections:
                if parts:
                    try:
                        connection.send(parts.pop(0))
                    except OSError:
                        parts.clear()
            time.sleep(1)
        left = 0
        for connection, _ in connections:
            try:
                connection.settimeout(0.2)
                while connection.recv(2**16):
                    pass
            except TimeoutError:
                left += 1
            except OSError:
                pass
            connection.close()
        assert left == 0
        Client(port).request()


def test_answer_that_is_not_taken_is_closed() -> None:
    """A caller that does not read its answer holds the server's memory for the time of a request only."""
    with start_server(seconds=1) as (_, port):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET /?size=20000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(11)
        taken = 0
        with contextlib.suppress(OSError):  # reset, or broken pipe
            while part := connection.recv(2**20):
                taken += len(part)
        assert taken < 20_000_000


def test_no_request_is_lost_when_a_server_ends() -> None:
    """Callers that keep their connections, or open a new one for each request, get an answer until the end."""
    with start_server() as (server, port):
        clients, over = [Client(port) for _ in range(20)], threading.Event()
        threads = [threading.Thread(target=client.run, args=(0.3, lambda: server.poll() is not None or over.is_set()))
                   for client in clients]  # fmt: skip
        waiting = Client(port)
        slow = threading.Thread(target=waiting.request, args=("/?seconds=3",))
        for thread in (*threads, slow):
            thread.start()
        time.sleep(1)
        # Callers stop when the server says so: a refused connection to a server that has ended is no lost request.
        started = {id(client): client.answered for client in clients}
        server.send_signal(signal.SIGTERM)
        time.sleep(1)
        over.set()
        for thread in (*threads, slow):
            thread.join()
        assert server.wait(20) == 0
        assert [client.failures for client in clients] == [[]] * 20
        assert all(client.answered > started[id(client)] for client in clients)
        assert waiting.answered == 1


def test_no_request_is_lost_when_one_server_replaces_another() -> None:
    """Two servers share a port while one replaces the other, as the target `process` does."""
    with start_server(kind="shared") as (first, port):
        over = threading.Event()
        clients = [Client(port) for _ in range(12)]
        pauses = [0.0, 0.01, 0.2]
        threads = [threading.Thread(target=client.run, args=(pauses[number % 3], over.is_set))
                   for number, client in enumerate(clients)]  # fmt: skip
        fresh = [Client(port) for _ in range(2)]

        def reconnect(client: Client) -> None:
            while not over.is_set():
                client.run(0, partial(client.has_more_than, client.answered))
                client.connection = None

        threads += [threading.Thread(target=reconnect, args=(client,)) for client in fresh]
        for thread in threads:
            thread.start()
        with start_server(port, "shared") as (second, _):
            time.sleep(0.5)
            first.send_signal(signal.SIGTERM)
            assert first.wait(20) == 0
            time.sleep(0.5)
            over.set()
            for thread in threads:
                thread.join()
            assert second.poll() is None
        assert [client.failures for client in (*clients, *fresh)] == [[]] * 14


def test_an_idle_server_ends_at_once() -> None:
    """Without a connection there is nothing to wait for."""
    with start_server() as (server, _):
        time.sleep(0.2)
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
        assert time.monotonic() - began < 3


def test_new_connections_go_to_the_newest_server() -> None:
    """The one that it replaces gets none any more, so that none waits in its queue when it is closed."""
    with bind("127.0.0.1", 0, shared=True) as old:
        port = old.getsockname()[1]
        assert spread(port, [old]) == [20]
        with bind("127.0.0.1", port, shared=True) as new:
            assert spread(port, [old, new]) == [0, 20]
        assert spread(port, [old]) == [20]


def spread(port: int, listeners: list[socket.socket]) -> list[int]:
    """Open twenty connections, and return the number that each socket gets."""
    connections = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(20)]
    counts = []
    for listener in listeners:
        listener.setblocking(False)
        accepted = list[socket.socket]()
        with contextlib.suppress(BlockingIOError):
            while True:
                accepted.append(listener.accept()[0])
        counts.append(len(accepted))
        for connection in accepted:
            connection.close()
    for connection in connections:
        connection.close()
    return counts
