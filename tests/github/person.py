"""A person who uses the local GitHub in the browser."""

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
        """Use the owner's token, without a login."""
        self.hub = hub

    def request(self, method: str, path: str, **body: Any) -> Any:
        """Send a request as the owner, and return the response's JSON."""
        headers = {"Authorization": f"Bearer {self.hub.person.value}"}
        response = requests.request(
            method, f"{self.hub.repository_url}{path}", json=body or None, headers=headers, timeout=60
        )
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    @property
    def pulls(self) -> list[dict[str, Any]]:
        """Every pull request, oldest first."""
        pulls: list[dict[str, Any]] = self.request("GET", "/pulls?state=all&direction=asc&sort=created")
        return pulls

    @property
    def pull(self) -> dict[str, Any]:
        """The only open pull request."""
        (pull,) = (pull for pull in self.pulls if pull["state"] == "open")
        return pull

    def comments(self, number: int) -> list[str]:
        """Return the comments on a pull request or an issue."""
        return [comment["body"] for comment in self.request("GET", f"/issues/{number}/comments")]

    def statuses(self, head: str) -> list[tuple[str, str]]:
        """Return the context and state of each status of a commit, newest first."""
        return [(each["context"], each["state"]) for each in self.request("GET", f"/commits/{head}/statuses")]

    def merge(self, number: int) -> None:
        """Merge a pull request."""
        self.request("PUT", f"/pulls/{number}/merge")

    @property
    def pending_reviews(self) -> list[tuple[int, dict[str, Any]]]:
        """Runs that wait for a review of a deployment, each with the environment."""
        waiting = self.request("GET", "/actions/runs?status=waiting")["workflow_runs"]
        return [
            (run["id"], pending["environment"])
            for run in waiting
            for pending in self.request("GET", f"/actions/runs/{run['id']}/pending_deployments")
        ]

    def require_review(self, environment: str) -> None:
        """Make the owner a required reviewer of an environment."""
        reviewers = [{"type": "User", "id": number(self.hub.person.login)}]
        self.request("PUT", f"/environments/{environment}", reviewers=reviewers)

    def approve(self, environment: str, timeout: float = 120) -> int:
        """Wait for a run that needs a review for an environment, approve the oldest, and return its id."""
        return self._review(environment, "approved", timeout)

    def reject(self, environment: str, timeout: float = 120) -> int:
        """Wait for such a run, reject it, and return its id."""
        return self._review(environment, "rejected", timeout)

    def _review(self, environment: str, state: str, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while not (waiting := [(run, item["id"]) for run, item in self.pending_reviews if item["name"] == environment]):
            assert time.monotonic() < deadline, f"no run waits for {environment!r}"
            time.sleep(0.1)
        run, id = min(waiting)
        self.request("POST", f"/actions/runs/{run}/pending_deployments", environment_ids=[id], state=state, comment="")
        return run

    def close(self, number: int) -> None:
        """Close a pull request."""
        self.request("PATCH", f"/pulls/{number}", state="closed")

    def git(self, *arguments: str) -> str:
        """Run Git in the bare repository."""
        done = subprocess.run(["git", *arguments], cwd=self.hub.bare, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def record(self, revision: str) -> dict[str, Any]:
        """Return the record of production at a revision."""
        record: dict[str, Any] = json.loads(self.git("show", f"{revision}:registry/production.json"))
        return record
