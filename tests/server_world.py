"""Environment for tests of the local GitHub's server: a repository with one commit on main.

Each test file creates its fixtures from `create_seed` and `open_world`.
"""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from github.model import Event, Job, Run, Token
from github.server import LocalGitHub
from repositories import run

WORKFLOW = """\
name: Train
on:
  push:
  workflow_dispatch:
    inputs:
      version: {required: true}
      stage: {type: choice, options: [trial, production], default: trial}
      dry: {type: boolean, default: true}
      rows: {type: number, default: 5}
jobs: {}
"""
PUSH_WORKFLOW = "name: Checks\non: push\njobs: {}\n"
Caller = Token | str | None
AS_PERSON = "person"


@dataclass
class ServerWorld:
    """The local GitHub, a person's clone, and the received events."""

    hub: LocalGitHub
    clone: Path
    events: list[Event] = field(default_factory=list)

    def git(self, *command: str, code: int = 0) -> str:
        """Run Git in the clone."""
        return run(self.clone, "git", *command, code=code)

    def branch(self, name: str, file: str = "model.txt", text: str = "new\n", token: Token | None = None) -> str:
        """Push a branch with one commit more than main, and return the commit."""
        self.git("checkout", "--quiet", "-B", name, "origin/main")
        self.commit(file, text)
        self.push(f"+{name}", token)
        return self.git("rev-parse", "HEAD").strip()

    def commit(self, file: str, text: str) -> None:
        """Commit one file."""
        path = self.clone / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"Write {file}")

    def push(self, ref: str, token: Token | None = None, code: int = 0) -> str:
        """Push a ref, as the person unless a token is given."""
        return self.git("push", "--quiet", self.hub.remote_for(token or self.hub.person), ref, code=code)

    def request(self, method: str, path: str, token: Caller = AS_PERSON, **body: Any) -> requests.Response:
        """Call the REST API below the repository, or from the root if the path starts with two slashes."""
        caller = self.hub.person if token == AS_PERSON else token
        headers = {"Authorization": f"Bearer {caller.value}"} if isinstance(caller, Token) else {}
        url = f"{self.hub.api}{path[1:]}" if path.startswith("//") else f"{self.hub.repository_url}{path}"
        return requests.request(method, url, json=body or None, headers=headers, timeout=20)

    def pull(self, head: str = "topic", token: Caller = AS_PERSON, **body: Any) -> dict[str, Any]:
        """Open a pull request."""
        response = self.request("POST", "/pulls", token, **{"title": "T", "head": head, "base": "main", **body})
        assert response.status_code == 201, response.text
        document: dict[str, Any] = response.json()
        return document

    def event_names(self) -> list[str]:
        """Return the names and actions of the received events."""
        return [f"{event.name} {event.action}".strip() for event in self.events]

    def add_run(self, number: int, sha: str, conclusion: str | None = "success", waits: bool = False) -> Run:
        """Add a run with one job, `required`, of a commit."""
        event = Event("push", "refs/heads/topic", sha, "ada", {}, head=("topic", sha), waits=waits)
        status = "waiting" if waits else "completed" if conclusion else "in_progress"
        job = Job(
            "required", conclusion, [("Check", "success", 1.5)], "## It works\n\n|a|b|\n|-|-|\n|1|2|", log="hello"
        )
        new_run = Run(number, "train.yml", "Train", event, self.clone, "2026-01-01T00:00:00Z", status, conclusion)
        new_run.jobs["required"] = job
        self.hub.runs[number] = new_run
        return new_run

    def add_ruleset(self, *rules: dict[str, Any], **body: Any) -> dict[str, Any]:
        """Protect the default branch."""
        names = {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}}
        ruleset = {
            "name": "main",
            "target": "branch",
            "enforcement": "active",
            "conditions": names,
            "rules": list(rules),
        }
        response = self.request("POST", "/rulesets", **{**ruleset, **body})
        assert response.status_code == 201, response.text
        document: dict[str, Any] = response.json()
        return document


def create_seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a clone and its bare remote, with one commit on main."""
    folder = tmp_path_factory.mktemp("seed")
    clone, bare = folder / "clone", folder / "hub" / "tumour-screening.git"
    bare.mkdir(parents=True)
    run(bare, "git", "init", "--quiet", "--bare", "--initial-branch", "main")
    run(folder, "git", "init", "--quiet", "--initial-branch", "main", str(clone))
    files = {"model.txt": "old\n", "README.md": "# Hi\n"}
    files |= {".github/workflows/train.yml": WORKFLOW, ".github/workflows/checks.yml": PUSH_WORKFLOW}
    for file, text in files.items():
        (clone / file).parent.mkdir(parents=True, exist_ok=True)
        (clone / file).write_text(text)
    run(clone, "git", "add", "--all")
    run(clone, "git", "commit", "--quiet", "--message", "Begin")
    run(clone, "git", "remote", "add", "origin", str(bare))
    run(clone, "git", "push", "--quiet", "--set-upstream", "origin", "main")
    return folder


def open_world(seed: Path, tmp_path: Path) -> Iterator[ServerWorld]:
    """Serve a public repository with one commit on main; assert that all traffic follows GitHub's OpenAPI."""
    shutil.copytree(seed, tmp_path, dirs_exist_ok=True)
    with LocalGitHub(tmp_path / "hub") as hub:
        world = ServerWorld(hub, tmp_path / "clone")
        world.git("remote", "set-url", "origin", hub.remote)
        hub.listeners.append(world.events.append)
        yield world
        assert hub.violations == [], hub.violations
    assert not [thread for thread in threading.enumerate() if thread.name == "local GitHub"]


def errors(response: requests.Response) -> list[str]:
    """Return the errors of a response with status 422, one line each."""
    assert response.status_code == 422, response.text
    return [error.get("message") or f"{error['field']} {error['code']}" for error in response.json().get("errors", [])]
