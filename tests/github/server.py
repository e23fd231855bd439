"""The local GitHub server: one repository, served on this machine."""

import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from . import transport
from .hub import Hub
from .web import WebApplication


class Handler(WSGIRequestHandler):
    """Request handler without log output, for HTTP/1.1: Git's client sends no chunked bodies to older servers."""

    protocol_version = "HTTP/1.1"

    def make_environ(self) -> dict[str, Any]:
        """Keep repeated Authorization headers apart, which WSGI would join."""
        return {**super().make_environ(), "github.authorizations": self.headers.get_all("Authorization", [])}

    def log(self, type: str, message: str, *args: Any) -> None:
        """Print nothing: the hub keeps a log."""


class Server(ThreadedWSGIServer):
    """Server that finishes open requests when it is closed."""

    daemon_threads = False


class LocalGitHub(Hub):
    """Hub that listens for requests while its context is active."""

    def __init__(self, folder: Path, repository: str = "ada/tumour-screening") -> None:
        """Create the repository in the folder, unless it exists; it does not listen yet."""
        super().__init__(folder, repository)
        transport.install_hook(self)
        self._stopping = threading.Event()
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, port: int = 0) -> Self:
        """Listen on 127.0.0.1, on a free port by default."""
        self._stopping.clear()
        self._server = Server("127.0.0.1", port, WebApplication(self, self._stopping).app, Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="local GitHub")
        self._thread.start()
        return self

    def stop(self) -> None:
        """Finish open requests, and stop listening."""
        self._stopping.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()
