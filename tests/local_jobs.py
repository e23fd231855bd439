"""A person's clone, a server without a network, and the local GitHub's runner, for the tests of the runner."""

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
from house import PERSON

CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
PYTHON = "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97"
UPLOAD = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a"
DOWNLOAD = "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c"


@dataclass
class Settings:
    """What the repository's owner has set."""

    default_workflow_permissions: str = "read"
    secrets: dict[str, str] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)


@dataclass
class FakeHub:
    """A server without a network: a bare repository that is fetched from its folder, and tokens."""

    root: Path
    repository: str = "ada/iris"
    runs: dict[int, Run] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    issued: list[Token] = field(default_factory=list)
    revoked: list[Token] = field(default_factory=list)
    deployments: Deployments = field(default_factory=lambda: Deployments(State()))

    @property
    def url(self) -> str:
        """Git fetches from here."""
        return f"file://{self.root}"

    @property
    def api(self) -> str:
        """Nobody answers here."""
        return f"{self.url}/api"

    @property
    def bare(self) -> Path:
        """The repository."""
        return self.root / self.repository

    def issue_token(self, permissions: Mapping[str, Grant], /) -> Token:
        """A token, remembered."""
        token = Token(f"ghs_secret{len(self.issued)}", "actions", "github-actions[bot]", permissions)
        self.issued.append(token)
        return token

    def revoke(self, token: Token, /) -> None:
        """Remember that, too."""
        self.revoked.append(token)


class World:
    """A person's clone, the server it pushes to, and the runner that hears of it."""

    def __init__(self, folder: Path) -> None:
        """An empty repository."""
        self.hub = FakeHub(folder / "server")
        self.clone, self.out = folder / "clone", folder / "out"
        self.out.mkdir()
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", self.hub.bare], check=True)
        subprocess.run(["git", "clone", "-q", self.hub.bare, self.clone], check=True, stderr=subprocess.DEVNULL)
        self.runner = Runner(self.hub, folder / "runs", workers=3, env={"OUT": str(self.out)})

    def git(self, *arguments: str) -> str:
        """Git in the clone."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.clone,
            env={**os.environ, **PERSON},
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
        """Push what is checked out, and tell the runner."""
        self.git("push", "--quiet", "--force", "origin", f"HEAD:{ref}")
        self.runner.on_event(Event("push", ref, self.git("rev-parse", "HEAD"), "ada", {}, before=before))

    def pull(self, base: str, head: str, merge: str, action: str = "opened", waits: bool = False) -> Event:
        """A pull request's event."""
        pull = {"number": 7, "base": {"ref": "main", "sha": base}, "head": {"ref": "topic", "sha": head}}
        return Event("pull_request", "refs/pull/7/merge", merge, "ada", {"number": 7, "pull_request": pull},
                     action=action, head=("topic", head), waits=waits)  # fmt: skip

    def proposal(self, **files: str) -> Event:
        """A pull request of a branch that changes `own`, while main changed `theirs`."""
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

    def go(self) -> None:
        """Let the jobs that wait for it end."""
        (self.out / "go").touch()

    def order(self) -> list[str]:
        """What jobs have noted, in order."""
        notes = self.out / "order"
        return notes.read_text().splitlines() if notes.exists() else []

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to be so."""
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def run(self) -> Run:
        """The only run, once it is over."""
        (run,) = self.runner.wait(60)
        return run


def workflow(on: str, *steps: str, extra: str = "") -> str:
    """A workflow with one job."""
    lines = "".join(f"      - {step}\n" for step in steps or ("run: echo hello",))
    return f"name: Test\non: {on}\njobs:\n  one:\n    runs-on: ubuntu-latest\n{extra}    steps:\n{lines}"
