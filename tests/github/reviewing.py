"""Environments that a person must allow a job to deploy to."""

from .deployments import Deployment
from .hub import Hub
from .model import Run, Token
from .resources.users import number
from .state import Environment


def reviewers(hub: Hub, it: Environment) -> list[str]:
    """Who may allow it."""
    people = {number(token.login): token.login for token in hub.tokens.values() if token.kind == "person"}
    asked = [reviewer["id"] for reviewer in it.body.get("reviewers") or []]
    return [people[id] for id in asked if id in people]


def may(hub: Hub, token: Token, run: Run, it: Environment) -> bool:
    """Whether this caller may allow a run to deploy there."""
    own = bool(it.body.get("prevent_self_review")) and token.login == run.event.actor
    return token.kind == "person" and token.login in reviewers(hub, it) and not own


def awaited(hub: Hub, run: Run) -> list[Environment]:
    """The environments that a run waits for."""
    names = {it.environment for it in hub.deployments.of_run(run) if it.waits}
    return [hub.state.environments[name] for name in sorted(names)]


def decide(hub: Hub, run: Run, it: Environment, approved: bool) -> list[Deployment]:
    """Allow or forbid what waits; whoever runs the jobs hears of it."""
    decided = [one for one in hub.deployments.of_run(run) if one.waits and one.environment == it.name]
    for one in decided:
        one.waits = False
    for reviewer in list(hub.reviewers):
        reviewer(run, approved)
    return decided
