"""The store on every kind of remote: HTTP with a password that only the clone knows, and SSH."""

import base64
import getpass
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from repositories import run

TOKEN = base64.b64encode(b"ada:secret").decode()


class GitOverHttp(BaseHTTPRequestHandler):
    """Git's own HTTP back end, behind a password."""

    root: Path

    def do_GET(self) -> None:
        """Run the back end."""
        self._serve()

    def do_POST(self) -> None:
        """The same."""
        self._serve()

    def log_message(self, format: str, *args: object) -> None:
        """Write no log."""

    def _serve(self) -> None:
        if self.headers.get("Authorization") != f"Basic {TOKEN}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        body = self._body()
        env = {**os.environ, "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
               "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_USER": "ada",
               "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
               "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
               "GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}  # fmt: skip
        answer = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True, check=True).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


@pytest.fixture
def bare(repository: Path, tmp_path: Path) -> Path:
    """A copy of the remote, so that each test may change it."""
    copy = tmp_path / "served" / "remote.git"
    shutil.copytree(repository.parent / "remote.git", copy)
    run(copy, "git", "config", "http.receivepack", "true")
    run(copy, "git", "config", "uploadpack.allowFilter", "true")
    return copy


@pytest.fixture
def http(bare: Path) -> Iterator[str]:
    """The remote over HTTP."""
    handler = type("Handler", (GitOverHttp,), {"root": bare.parent})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/remote.git"
    server.shutdown()
    server.server_close()


@pytest.fixture
def ssh(bare: Path, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The remote over a real SSH server; its address, and the command that reaches it."""
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    for name in ("host", "person"):
        run(keys, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name)
    shutil.copy(keys / "person.pub", keys / "authorized")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where root's server gives up its privileges
    options = [f"ListenAddress=127.0.0.1:{port}", f"HostKey={keys}/host", f"AuthorizedKeysFile={keys}/authorized",
               "StrictModes=no", "UsePAM=no", "PidFile=none"]  # fmt: skip
    command = ["/usr/sbin/sshd", "-D", "-f", "/dev/null", *(part for option in options for part in ("-o", option))]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        quiet = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        client = f"ssh -p {port} -i {keys}/person {quiet} -o ConnectionAttempts=10"
        yield f"{getpass.getuser()}@127.0.0.1:{bare}", client
    finally:
        server.terminate()
        server.wait(30)


def clone(repository: Path, folder: Path, url: str, *settings: tuple[str, str]) -> Path:
    """A clone with its own settings for the remote."""
    asked = [part for key, value in settings for part in ("--config", f"{key}={value}")]
    run(folder, "git", "clone", "--quiet", *asked, url, "clone")
    return folder / "clone"


def loop(repository: Path, root: Path) -> str:
    """Change an input of training, train, and register."""
    toml = root / "model.toml"
    toml.write_text(toml.read_text().replace("seed = 0", "seed = 7"))
    run(root, "git", "commit", "--quiet", "--all", "--message", "Another seed")
    gitops = str(repository / ".venv/bin/gitops")
    run(root, gitops, "train")
    return run(root, gitops, "register") + run(root, gitops, "store", "status")


def test_the_store_works_over_http_with_the_clones_own_password(repository: Path, http: str, tmp_path: Path) -> None:
    """The authorization header is set only in the clone, as by actions/checkout."""
    header = ("http.extraHeader", f"Authorization: Basic {TOKEN}")
    output = loop(repository, clone(repository, tmp_path, http, header))
    assert "Registered version 2" in output
    assert "champion" in output


def test_a_wrong_password_is_an_error_and_never_a_question(repository: Path, http: str, tmp_path: Path) -> None:
    """There is no prompt for a password; exit code 7."""
    root = clone(repository, tmp_path, http, ("http.extraHeader", f"Authorization: Basic {TOKEN}"))
    run(root, "git", "config", "http.extraHeader", "Authorization: Basic wrong")
    assert "Store: " in run(root, str(repository / ".venv/bin/gitops"), "store", "status", code=7)


def test_the_store_works_over_ssh(repository: Path, ssh: tuple[str, str], tmp_path: Path) -> None:
    """A real SSH server, and a key that only the clone's settings name."""
    url, command = ssh
    output = loop(repository, clone(repository, tmp_path, url, ("core.sshCommand", command)))
    assert "Registered version 2" in output
