"""Deployments and their statuses, created by a job's `environment` or by an API call.

The runner changes those of jobs while it holds its own lock, so this module never takes the server's lock.
"""

from dataclasses import dataclass, field
from typing import Any

from .model import BOT, Run, Token
from .state import Environment, State, now

ACTIONS = Token("", "actions", BOT)


@dataclass
class DeploymentStatus:
    """A deployment status."""

    id: int
    creator: Token
    state: str
    environment: str
    url: str = ""
    log: str = ""
    description: str = ""
    created: str = field(default_factory=now)


@dataclass
class Deployment:
    """A deployment of a commit to an environment.

    Attributes:
        run: Run of the job that deploys; None if an API call created it.
        waits: Flag of deployments that a reviewer must approve before the job may start.
    """

    id: int
    creator: Token
    sha: str
    ref: str
    environment: str
    task: str = "deploy"
    description: str | None = None
    payload: Any = field(default_factory=dict)
    production: bool = False
    transient: bool = False
    run: Run | None = None
    waits: bool = False
    statuses: list[DeploymentStatus] = field(default_factory=list)
    created: str = field(default_factory=now)

    @property
    def state(self) -> str:
        """The last state."""
        return self.statuses[-1].state if self.statuses else "pending"


class Deployments:
    """All deployments, oldest first."""

    def __init__(self, state: State) -> None:
        """Share environments and ids with the server's state."""
        self.all: dict[int, Deployment] = {}
        self._state = state

    def add(self, creator: Token, sha: str, ref: str, environment: str, **fields: Any) -> Deployment:
        """Create a deployment; create its environment if it does not exist."""
        # GitHub's default.
        production = fields.pop("production", environment == "production")
        deployment = Deployment(
            self._state.next_id(),
            creator,
            sha,
            ref,
            self.environment(environment).name,
            production=production,
            **fields,
        )
        self.all[deployment.id] = deployment
        return deployment

    def environment(self, name: str) -> Environment:
        """Return an environment by its name, ignoring case; a new one has no protection."""
        by_name = {item.name.lower(): item for item in self._state.environments.values()}
        return by_name.get(name.lower()) or self._state.environments.setdefault(
            name, Environment(self._state.next_id(), name, {})
        )

    def start(self, run: Run, environment: str, /) -> int:
        """Create the deployment of a job that is about to start, and return its id."""
        branch = run.event.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
        protected = bool(self.environment(environment).body.get("reviewers"))
        return self.add(ACTIONS, run.event.sha, branch, environment, run=run, waits=protected).id

    def waits(self, number: int, /) -> bool:
        """Return whether a reviewer must approve it first."""
        return self.all[number].waits

    def report(self, number: int, state: str, url: str = "", log: str = "", /) -> None:
        """Add a status to the deployment of a job."""
        item = self.all[number]
        item.waits = False
        self.add_status(item, ACTIONS, state, url=url, log=log)

    def add_status(
        self, item: Deployment, creator: Token, state: str, inactivate: bool = True, **fields: str
    ) -> DeploymentStatus:
        """Add a status to a deployment; a success makes earlier ones of the environment inactive, unless they are in
        production or transient."""
        status = DeploymentStatus(
            self._state.next_id(), creator, state, fields.pop("environment", item.environment), **fields
        )
        item.statuses.append(status)
        if state == "success" and inactivate:
            for other in self.all.values():
                is_replaced = other.id < item.id and other.environment == item.environment and other.state == "success"
                if is_replaced and not other.production and not other.transient:
                    other.statuses.append(
                        DeploymentStatus(self._state.next_id(), creator, "inactive", other.environment)
                    )
        return status

    def of_run(self, run: Run) -> list[Deployment]:
        """Return the deployments of a run's jobs."""
        return [item for item in self.all.values() if item.run is run]
