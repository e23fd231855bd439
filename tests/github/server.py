"""The local GitHub itself: one repository, served on this machine."""

import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from . import transport
from .hub import Hub
from .web import Web


class Handler(WSGIRequestHandler):
    """Answers quietly, in HTTP/1.1: Git's client sends nothing in chunks to an older server."""

    protocol_version = "HTTP/1.1"

    def make_environ(self) -> dict[str, Any]:
        """Keep repeated Authorization headers apart, which WSGI would join."""
        return {**super().make_environ(), "github.authorizations": self.headers.get_all("Authorization", [])}

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: the hub keeps a log."""


class Server(ThreadedWSGIServer):
    """Waits, when it is closed, for what it is still answering."""

    daemon_threads = False


class LocalGitHub(Hub):
    """A hub that listens while it is entered."""

    def __init__(self, folder: Path, repository: str = "ada/tumour-screening") -> None:
        """Make the repository in the folder, unless it is there; nothing listens yet."""
        super().__init__(folder, repository)
        transport.install(self)
        self._stopping = threading.Event()
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, port: int = 0) -> Self:
        """Listen on 127.0.0.1, at a free port unless one is named."""
        self._stopping.clear()
        self._server = Server("127.0.0.1", port, Web(self, self._stopping).app, Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="local GitHub")
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening; whatever is being answered is answered first."""
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
