"""A repository on the local GitHub, with one commit on main, for the tests of the server.

Each test file makes its fixtures of `plant` and `enter`.
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
from house import run

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
PLAIN = "name: Checks\non: push\njobs: {}\n"
Who = Token | str | None
PERSON_ASKS = "person"


@dataclass
class World:
    """The local GitHub, a person's clone, and what the listener heard."""

    hub: LocalGitHub
    clone: Path
    heard: list[Event] = field(default_factory=list)

    def git(self, *command: str, code: int = 0) -> str:
        """Run Git in the clone."""
        return run(self.clone, "git", *command, code=code)

    def branch(self, name: str, file: str = "model.txt", text: str = "new\n", token: Token | None = None) -> str:
        """Push a branch with one commit more than main; the commit."""
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

    def ask(self, method: str, path: str, token: Who = PERSON_ASKS, **body: Any) -> requests.Response:
        """Call the REST interface below the repository, or from the root if the path starts with two slashes."""
        who = self.hub.person if token == PERSON_ASKS else token
        headers = {"Authorization": f"Bearer {who.value}"} if isinstance(who, Token) else {}
        url = f"{self.hub.api}{path[1:]}" if path.startswith("//") else f"{self.hub.home}{path}"
        return requests.request(method, url, json=body or None, headers=headers, timeout=20)

    def pull(self, head: str = "topic", token: Who = PERSON_ASKS, **body: Any) -> dict[str, Any]:
        """Open a pull request."""
        answer = self.ask("POST", "/pulls", token, **{"title": "T", "head": head, "base": "main", **body})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def names(self) -> list[str]:
        """What was heard, in short."""
        return [f"{event.name} {event.action}".strip() for event in self.heard]

    def ran(self, number: int, sha: str, conclusion: str | None = "success", waits: bool = False) -> Run:
        """Say that a run with one job, `required`, happened on a commit."""
        event = Event("push", "refs/heads/topic", sha, "ada", {}, head=("topic", sha), waits=waits)
        status = "waiting" if waits else "completed" if conclusion else "in_progress"
        job = Job(
            "required", conclusion, [("Check", "success", 1.5)], "## It works\n\n|a|b|\n|-|-|\n|1|2|", log="hello"
        )
        made = Run(number, "train.yml", "Train", event, self.clone, "2026-01-01T00:00:00Z", status, conclusion)
        made.jobs["required"] = job
        self.hub.runs[number] = made
        return made

    def rules(self, *rules: dict[str, Any], **body: Any) -> dict[str, Any]:
        """Protect the default branch."""
        names = {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}}
        about = {"name": "main", "target": "branch", "enforcement": "active", "conditions": names, "rules": list(rules)}
        answer = self.ask("POST", "/rulesets", **{**about, **body})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone and its bare remote, with one commit on main."""
    folder = tmp_path_factory.mktemp("seed")
    clone, bare = folder / "clone", folder / "hub" / "tumour-screening.git"
    bare.mkdir(parents=True)
    run(bare, "git", "init", "--quiet", "--bare", "--initial-branch", "main")
    run(folder, "git", "init", "--quiet", "--initial-branch", "main", str(clone))
    files = {"model.txt": "old\n", "README.md": "# Hi\n"}
    files |= {".github/workflows/train.yml": WORKFLOW, ".github/workflows/checks.yml": PLAIN}
    for file, text in files.items():
        (clone / file).parent.mkdir(parents=True, exist_ok=True)
        (clone / file).write_text(text)
    run(clone, "git", "add", "--all")
    run(clone, "git", "commit", "--quiet", "--message", "Begin")
    run(clone, "git", "remote", "add", "origin", str(bare))
    run(clone, "git", "push", "--quiet", "--set-upstream", "origin", "main")
    return folder


def enter(seed: Path, tmp_path: Path) -> Iterator[World]:
    """A public repository with one commit on main; whatever a test does, GitHub's OpenAPI has no complaint."""
    shutil.copytree(seed, tmp_path, dirs_exist_ok=True)
    with LocalGitHub(tmp_path / "hub") as hub:
        world = World(hub, tmp_path / "clone")
        world.git("remote", "set-url", "origin", hub.remote)
        hub.listeners.append(world.heard.append)
        yield world
        assert hub.violations == [], hub.violations
    assert not [thread for thread in threading.enumerate() if thread.name == "local GitHub"]


def errors(answer: requests.Response) -> list[str]:
    """What a 422 says, one line per error."""
    assert answer.status_code == 422, answer.text
    return [error.get("message") or f"{error['field']} {error['code']}" for error in answer.json().get("errors", [])]
