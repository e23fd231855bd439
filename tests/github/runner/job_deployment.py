"""The deployment that GitHub creates for a job with an `environment`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from github.model import Run
from github.runner.expressions import interpolate
from github.runner.hub import Hub


@dataclass(frozen=True)
class JobDeployment:
    """The deployment of one job.

    Attributes:
        number: Id of the deployment.
        url: URL of the environment; may contain expressions.
    """

    hub: Hub
    run: Run
    number: int
    url: str

    @property
    def waits(self) -> bool:
        """Return whether a reviewer must approve it first."""
        return self.hub.deployments.waits(self.number)

    def start(self) -> None:
        """Report that the job starts."""
        self._report("in_progress")

    def finish(self, conclusion: str, contexts: Mapping[str, Any]) -> None:
        """Report that the job has ended."""
        state = "success" if conclusion == "success" else "failure"
        self._report(state, interpolate(self.url, contexts))

    def _report(self, state: str, url: str = "") -> None:
        log = f"{self.hub.url}/{self.hub.repository}/actions/runs/{self.run.id}"
        self.hub.deployments.report(self.number, state, url, log)


def read_environment(declared: Any, contexts: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name and URL of a job's environment, as far as they are known; empty otherwise."""
    rule = declared if isinstance(declared, dict) else {"name": declared}
    return interpolate(str(rule.get("name") or ""), contexts), interpolate(str(rule.get("url") or ""), contexts)


def start_deployment(hub: Hub, run: Run, declared: Any, contexts: Mapping[str, Any]) -> JobDeployment | None:
    """Create the deployment of a job that is about to start; None if its environment's name is empty."""
    name, _ = read_environment(declared, contexts)
    url = str(declared.get("url") or "") if isinstance(declared, dict) else ""
    return JobDeployment(hub, run, hub.deployments.start(run, name), url) if name else None
