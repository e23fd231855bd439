"""A source of new rows beside the prepared hub, and the three ingestion jobs."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from github.model import Grant
from hub_fixture import PreparedHub

DATA = "data/breast_cancer.csv"
BRANCH = "data/ingest"
# Grants of the job `offer`.
GRANTS: dict[str, Grant] = {
    "contents": "write", "pull_requests": "write", "statuses": "write", "actions": "write",
}  # fmt: skip
NO_SOURCE = 'source = "none"            # "file", "http"'


def make_rows(data: str, count: int, first: int = 1) -> str:
    """Return a CSV of new rows that resemble the data, with new keys."""
    header, *rows = data.splitlines()
    new = []
    for row_number in range(first, first + count):
        _, radius, *rest = rows[row_number * 7 % len(rows)].split(",")
        new.append(",".join([f"NEW-{row_number:04d}", f"{float(radius) * 1.01:.3f}", *rest]))
    return "\n".join([header, *new]) + "\n"


class IngestJobs:
    """A source of new rows, and the jobs that propose them to the repository."""

    def __init__(self, prepared_hub: PreparedHub) -> None:
        """Set the source in model.toml on main."""
        self.prepared_hub = prepared_hub
        self.file = prepared_hub.clone.parent / "new.csv"
        prepared_hub.push("model.toml", NO_SOURCE, f'source = "file"\npath = "{self.file}"   # "file", "http"')
        self.grants = dict(GRANTS)
        self.digest = ""

    def set_rows(self, count: int, first: int = 1) -> None:
        """Write this many new rows to the source."""
        self.file.write_text(make_rows(self.prepared_hub.git("show", f"main:{DATA}"), count, first))

    def pull_and_check(self) -> str:
        """Run the jobs `pull` and `check`, and return their output."""
        output = self.prepared_hub.job("ingest", env={"GITOPS_STAGE": "pull", "GITOPS_DIGEST": "", **self._outputs()})
        pulled = self._output("pulled")
        if not pulled:
            return output
        output += self.prepared_hub.job(
            "ingest", env={"GITOPS_STAGE": "check", "GITOPS_DIGEST": pulled, **self._outputs()}
        )
        self.digest = self._output("ingestion")
        return output

    def propose(self, code: int = 0) -> str:
        """Run the job `offer` if there are new rows, and return its output."""
        if not self.digest:
            return ""
        prepared_hub = self.prepared_hub
        token = prepared_hub.hub.issue_token(self.grants)
        env = {**prepared_hub.environment(token), "GITOPS_STAGE": "offer", "GITOPS_DIGEST": self.digest}
        done = prepared_hub.worker.run(prepared_hub.clone, "ingest", env=env)
        assert done.code == code, f"exit {done.code}, not {code}\n{done.out}\n{done.err}"
        return done.out + done.err

    def ingest(self, code: int = 0) -> str:
        """Run all three jobs, and return their output."""
        return self.pull_and_check() + self.propose(code)

    def _outputs(self) -> dict[str, str]:
        self._file.write_text("")
        return {"GITHUB_OUTPUT": str(self._file)}

    def _output(self, name: str) -> str:
        outputs = dict(line.split("=", 1) for line in self._file.read_text().splitlines())
        return outputs.get(name, "")

    @property
    def _file(self) -> Path:
        return self.prepared_hub.clone.parent / "outputs"


@contextmanager
def serve_file(file: Path, token: str) -> Iterator[str]:
    """Serve a file to requests with this bearer token, and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        """Handler of one file that requires a token."""

        def do_GET(self) -> None:
            """Send the file, or status 401."""
            allowed = self.headers["Authorization"] == f"Bearer {token}"
            self.send_response(200 if allowed else 401)
            self.end_headers()
            if allowed:
                self.wfile.write(file.read_bytes())

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/new.csv"
    server.shutdown()
    server.server_close()
