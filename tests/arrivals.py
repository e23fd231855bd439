"""New rows for the repository at the desk, and the three jobs that bring them."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from desk import Desk
from github.model import Grant

DATA = "data/breast_cancer.csv"
BRANCH = "data/ingest"
# What the job `offer` declares.
GRANTS: dict[str, Grant] = {
    "contents": "write", "pull_requests": "write", "statuses": "write", "actions": "write",
}  # fmt: skip
NO_SOURCE = 'source = "none"            # "file", "http"'


def lines(data: str, number: int, first: int = 1) -> str:
    """A CSV of new rows that look like those of the data, under keys of their own."""
    header, *rows = data.splitlines()
    new = []
    for place in range(first, first + number):
        _, radius, *rest = rows[place * 7 % len(rows)].split(",")
        new.append(",".join([f"NEW-{place:04d}", f"{float(radius) * 1.01:.3f}", *rest]))
    return "\n".join([header, *new]) + "\n"


class Arrivals:
    """A source beside the desk, whose rows the jobs bring to its repository."""

    def __init__(self, desk: Desk) -> None:
        """Main names the source from now on."""
        self.desk = desk
        self.file = desk.clone.parent / "new.csv"
        desk.push("model.toml", NO_SOURCE, f'source = "file"\npath = "{self.file}"   # "file", "http"')
        self.grants = dict(GRANTS)
        self.digest = ""

    def arrive(self, number: int, first: int = 1) -> None:
        """Let the source have so many new rows."""
        self.file.write_text(lines(self.desk.git("show", f"main:{DATA}"), number, first))

    def check(self) -> str:
        """What the jobs `pull` and `check` do; what they said."""
        told = self.desk.job("ingest", env={"GITOPS_STAGE": "pull", "GITOPS_DIGEST": "", **self._outputs()})
        pulled = self._output("pulled")
        if not pulled:
            return told
        told += self.desk.job("ingest", env={"GITOPS_STAGE": "check", "GITOPS_DIGEST": pulled, **self._outputs()})
        self.digest = self._output("ingestion")
        return told

    def offer(self, code: int = 0) -> str:
        """What the job `offer` does, where there is something to offer; what it said."""
        if not self.digest:
            return ""
        desk = self.desk
        token = desk.hub.issue_token(self.grants)
        env = {**desk.environment(token), "GITOPS_STAGE": "offer", "GITOPS_DIGEST": self.digest}
        done = desk.driver.run(desk.clone, "ingest", env=env)
        assert done.code == code, f"exit {done.code}, not {code}\n{done.out}\n{done.err}"
        return done.out + done.err

    def ingest(self, code: int = 0) -> str:
        """All three jobs; what they said."""
        return self.check() + self.offer(code)

    def _outputs(self) -> dict[str, str]:
        self._file.write_text("")
        return {"GITHUB_OUTPUT": str(self._file)}

    def _output(self, name: str) -> str:
        said = dict(line.split("=", 1) for line in self._file.read_text().splitlines())
        return said.get(name, "")

    @property
    def _file(self) -> Path:
        return self.desk.clone.parent / "outputs"


@contextmanager
def served(file: Path, token: str) -> Iterator[str]:
    """The address of a file that is given to whoever bears the token."""

    class Handler(BaseHTTPRequestHandler):
        """One file, behind a token."""

        def do_GET(self) -> None:
            """Give it, or not."""
            allowed = self.headers["Authorization"] == f"Bearer {token}"
            self.send_response(200 if allowed else 401)
            self.end_headers()
            if allowed:
                self.wfile.write(file.read_bytes())

        def log_message(self, format: str, *args: object) -> None:
            """Quietly."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/new.csv"
    server.shutdown()
    server.server_close()
