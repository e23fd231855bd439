"""A person at the local GitHub: what people do in the browser, and what they see there."""

import json
import subprocess
import time
from typing import Any

import requests

from .hub import Hub
from .resources.users import number


class Person:
    """The owner of the repository."""

    def __init__(self, hub: Hub) -> None:
        """Nobody logs in: the hub knows the owner's token."""
        self.hub = hub

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """One click."""
        headers = {"Authorization": f"Bearer {self.hub.person.value}"}
        answer = requests.request(method, f"{self.hub.home}{path}", json=body or None, headers=headers, timeout=60)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    @property
    def pulls(self) -> list[dict[str, Any]]:
        """Every pull request, oldest first."""
        found: list[dict[str, Any]] = self.ask("GET", "/pulls?state=all&direction=asc&sort=created")
        return found

    @property
    def pull(self) -> dict[str, Any]:
        """The only open pull request."""
        (found,) = (pull for pull in self.pulls if pull["state"] == "open")
        return found

    def comments(self, number: int) -> list[str]:
        """What was said in a pull request or an issue."""
        return [comment["body"] for comment in self.ask("GET", f"/issues/{number}/comments")]

    def statuses(self, head: str) -> list[tuple[str, str]]:
        """Context and state of each status of a commit, newest first."""
        return [(each["context"], each["state"]) for each in self.ask("GET", f"/commits/{head}/statuses")]

    def merge(self, number: int) -> None:
        """Press the green button."""
        self.ask("PUT", f"/pulls/{number}/merge")

    @property
    def asked(self) -> list[tuple[int, dict[str, Any]]]:
        """The runs that wait for somebody to let them deploy, and the environments to which."""
        waiting = self.ask("GET", "/actions/runs?status=waiting")["workflow_runs"]
        return [
            (run["id"], pending["environment"])
            for run in waiting
            for pending in self.ask("GET", f"/actions/runs/{run['id']}/pending_deployments")
        ]

    def restrict(self, environment: str) -> None:
        """Have oneself asked before anything is deployed there."""
        reviewers = [{"type": "User", "id": number(self.hub.person.login)}]
        self.ask("PUT", f"/environments/{environment}", reviewers=reviewers)

    def approve(self, environment: str, timeout: float = 120) -> int:
        """Let the oldest run that waits for an environment deploy there, once there is one; its number."""
        return self._review(environment, "approved", timeout)

    def reject(self, environment: str, timeout: float = 120) -> int:
        """Forbid it instead."""
        return self._review(environment, "rejected", timeout)

    def _review(self, environment: str, state: str, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while not (found := [(run, it["id"]) for run, it in self.asked if it["name"] == environment]):
            assert time.monotonic() < deadline, f"no run waits for {environment!r}"
            time.sleep(0.1)
        run, id = min(found)
        self.ask("POST", f"/actions/runs/{run}/pending_deployments", environment_ids=[id], state=state, comment="")
        return run

    def close(self, number: int) -> None:
        """Press the other one."""
        self.ask("PATCH", f"/pulls/{number}", state="closed")

    def git(self, *arguments: str) -> str:
        """Ask the remote itself."""
        done = subprocess.run(["git", *arguments], cwd=self.hub.bare, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def record(self, revision: str) -> dict[str, Any]:
        """The record of production at a revision."""
        found: dict[str, Any] = json.loads(self.git("show", f"{revision}:registry/production.json"))
        return found
