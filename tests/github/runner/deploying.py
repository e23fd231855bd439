"""The deployment that GitHub makes by itself for a job with an `environment`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from github.model import Run
from github.runner.expressions import interpolate
from github.runner.hub import Hub


@dataclass(frozen=True)
class Deploying:
    """One job's deployment.

    Attributes:
        number: Of the deployment.
        url: What it will say of where to find it; may hold expressions.
    """

    hub: Hub
    run: Run
    number: int
    url: str

    @property
    def waits(self) -> bool:
        """Whether a person must allow it first."""
        return self.hub.deployments.waits(self.number)

    def begun(self) -> None:
        """The job starts."""
        self._tell("in_progress")

    def ended(self, conclusion: str, known: Mapping[str, Any]) -> None:
        """The job is over."""
        state = "success" if conclusion == "success" else "failure"
        self._tell(state, interpolate(self.url, known))

    def _tell(self, state: str, url: str = "") -> None:
        log = f"{self.hub.url}/{self.hub.repository}/actions/runs/{self.run.id}"
        self.hub.deployments.tell(self.number, state, url, log)


def read_environment(declared: Any, known: Mapping[str, Any]) -> tuple[str, str]:
    """Where a job deploys to, and where that will be found, as far as it is known yet; empty where it is not."""
    rule = declared if isinstance(declared, dict) else {"name": declared}
    return interpolate(str(rule.get("name") or ""), known), interpolate(str(rule.get("url") or ""), known)


def begin(hub: Hub, run: Run, declared: Any, known: Mapping[str, Any]) -> Deploying | None:
    """The deployment of a job that is about to start; none if its environment comes to nothing."""
    name, _ = read_environment(declared, known)
    url = str(declared.get("url") or "") if isinstance(declared, dict) else ""
    return Deploying(hub, run, hub.deployments.start(run, name), url) if name else None
