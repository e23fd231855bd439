"""Deployments and what is said of them, whether a job's `environment` makes them or a call does.

The runner begins and ends those of jobs while it holds its own lock, so nothing here takes the server's.
"""

from dataclasses import dataclass, field
from typing import Any

from .model import BOT, Run, Token
from .state import Environment, State, now

ACTIONS = Token("", "actions", BOT)


@dataclass
class Said:
    """One word on a deployment."""

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
    """A commit on its way to an environment.

    Attributes:
        run: Of the job that deploys; nothing where a call began it.
        waits: A person must allow it before the job may start.
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
    said: list[Said] = field(default_factory=list)
    created: str = field(default_factory=now)

    @property
    def state(self) -> str:
        """The last word."""
        return self.said[-1].state if self.said else "pending"


class Deployments:
    """Every deployment, oldest first."""

    def __init__(self, state: State) -> None:
        """Environments and numbers are the server's."""
        self.all: dict[int, Deployment] = {}
        self._state = state

    def add(self, creator: Token, sha: str, ref: str, environment: str, **more: Any) -> Deployment:
        """Begin one; an environment that is not there is made."""
        # As GitHub's default is, for want of a better rule.
        production = more.pop("production", environment == "production")
        made = Deployment(
            self._state.identity(), creator, sha, ref, self.environment(environment).name, production=production, **more
        )  # fmt: skip
        self.all[made.id] = made
        return made

    def environment(self, name: str) -> Environment:
        """An environment, whatever the case of its name; without protection if it is new."""
        known = {it.name.lower(): it for it in self._state.environments.values()}
        return known.get(name.lower()) or self._state.environments.setdefault(
            name, Environment(self._state.identity(), name, {})
        )

    def start(self, run: Run, environment: str, /) -> int:
        """Begin the one of a job that is about to start; its number."""
        branch = run.event.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
        protected = bool(self.environment(environment).body.get("reviewers"))
        return self.add(ACTIONS, run.event.sha, branch, environment, run=run, waits=protected).id

    def waits(self, number: int, /) -> bool:
        """Whether a person must allow it first."""
        return self.all[number].waits

    def tell(self, number: int, state: str, url: str = "", log: str = "", /) -> None:
        """Say of a job's deployment how it goes."""
        it = self.all[number]
        it.waits = False
        self.say(it, ACTIONS, state, url=url, log=log)

    def say(self, it: Deployment, creator: Token, state: str, inactivate: bool = True, **more: str) -> Said:
        """Say how it goes; a success takes the place of earlier ones, if the environment is neither of production
        nor passing."""
        said = Said(self._state.identity(), creator, state, more.pop("environment", it.environment), **more)
        it.said.append(said)
        if state == "success" and inactivate:
            for other in self.all.values():
                replaced = other.id < it.id and other.environment == it.environment and other.state == "success"
                if replaced and not other.production and not other.transient:
                    other.said.append(Said(self._state.identity(), creator, "inactive", other.environment))
        return said

    def of_run(self, run: Run) -> list[Deployment]:
        """Those that the jobs of a run began."""
        return [it for it in self.all.values() if it.run is run]
