"""Environment for tests of the local GitHub's runner: a clone, a fake server, and the runner."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from github.deployments import Deployments
from github.model import Event, Grant, Run, Token
from github.runner import Runner
from github.state import State
from repositories import GIT_IDENTITY

CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
PYTHON = "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97"
UPLOAD = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a"
DOWNLOAD = "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c"


@dataclass
class Settings:
    """Settings of the repository."""

    default_workflow_permissions: str = "read"
    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    runners: set[str] = field(default_factory=set)
    disabled: set[str] = field(default_factory=set)


@dataclass
class FakeHub:
    """Fake server without a network: a bare repository that is fetched from its folder, and tokens."""

    root: Path
    repository: str = "ada/iris"
    runs: dict[int, Run] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    issued: list[Token] = field(default_factory=list)
    revoked: list[Token] = field(default_factory=list)
    deployments: Deployments = field(default_factory=lambda: Deployments(State()))

    @property
    def url(self) -> str:
        """URL from which Git fetches."""
        return f"file://{self.root}"

    @property
    def api(self) -> str:
        """URL of the API, which does not answer."""
        return f"{self.url}/api"

    @property
    def bare(self) -> Path:
        """The repository as a resource."""
        return self.root / self.repository

    def issue_token(self, permissions: Mapping[str, Grant], /) -> Token:
        """Issue a token, and keep it in `issued`."""
        token = Token(f"ghs_secret{len(self.issued)}", "actions", "github-actions[bot]", permissions)
        self.issued.append(token)
        return token

    def revoke(self, token: Token, /) -> None:
        """Revoke a token, and keep it in `revoked`."""
        self.revoked.append(token)


class RunnerWorld:
    """A person's clone, the server that it pushes to, and the runner."""

    def __init__(self, folder: Path) -> None:
        """Create an empty repository."""
        self.hub = FakeHub(folder / "server")
        self.clone, self.out = folder / "clone", folder / "out"
        self.out.mkdir()
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", self.hub.bare], check=True)
        subprocess.run(["git", "clone", "-q", self.hub.bare, self.clone], check=True, stderr=subprocess.DEVNULL)
        self.runner = Runner(self.hub, folder / "runs", workers=3, env={"OUT": str(self.out)})

    def git(self, *arguments: str) -> str:
        """Run Git in the clone."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.clone,
            env={**os.environ, **GIT_IDENTITY},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Write workflows (by name) or, with a slash in the name, other files, and commit them."""
        for name, text in files.items():
            path = self.clone / (name if "/" in name else f".github/workflows/{name}.yml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("CHECKOUT", CHECKOUT).replace("UPLOAD", UPLOAD).replace("DOWNLOAD", DOWNLOAD))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Change")
        return self.git("rev-parse", "HEAD")

    def push(self, ref: str = "refs/heads/main", before: str = "0" * 40) -> None:
        """Push the checked-out commit, and send the event to the runner."""
        self.git("push", "--quiet", "--force", "origin", f"HEAD:{ref}")
        self.runner.on_event(Event("push", ref, self.git("rev-parse", "HEAD"), "ada", {}, before=before))

    def pull(self, base: str, head: str, merge: str, action: str = "opened", waits: bool = False) -> Event:
        """Return the event of a pull request."""
        pull = {"number": 7, "base": {"ref": "main", "sha": base}, "head": {"ref": "topic", "sha": head}}
        return Event("pull_request", "refs/pull/7/merge", merge, "ada", {"number": 7, "pull_request": pull},
                     action=action, head=("topic", head), waits=waits)  # fmt: skip

    def pull_request(self, **files: str) -> Event:
        """Return the event of a pull request whose branch changes `own`, while main changed `theirs`."""
        self.commit(**files)
        self.git("switch", "--quiet", "--create", "topic")
        head = self.commit(**{"./own": "x"})
        self.git("switch", "--quiet", "--create", "main2", "HEAD^")
        base = self.commit(**{"./theirs": "x"})
        self.git("merge", "--quiet", "--no-ff", "--no-edit", "topic")
        self.git("push", "--quiet", "origin", f"{base}:refs/heads/main", "topic", "HEAD:refs/pull/7/merge")
        return self.pull(base, head, self.git("rev-parse", "HEAD"))

    def dispatch(self, workflow: str, **inputs: str) -> None:
        """Start a workflow by hand on main."""
        sha = self.git("rev-parse", "HEAD")
        self.runner.on_event(
            Event("workflow_dispatch", "refs/heads/main", sha, "ada", {"inputs": inputs}, workflow=f"{workflow}.yml")
        )

    def release(self) -> None:
        """Let the jobs that wait for the file `go` end."""
        (self.out / "go").touch()

    def notes(self) -> list[str]:
        """Return the lines that jobs have written, in order."""
        file = self.out / "order"
        return file.read_text().splitlines() if file.exists() else []

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition is true."""
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def run(self) -> Run:
        """Wait for the only run, and return it."""
        (run,) = self.runner.wait(60)
        return run


def workflow(on: str, *steps: str, extra: str = "") -> str:
    """Return a workflow with one job."""
    lines = "".join(f"      - {step}\n" for step in steps or ("run: echo hello",))
    return f"name: Test\non: {on}\njobs:\n  one:\n    runs-on: ubuntu-latest\n{extra}    steps:\n{lines}"
