"""Environments with required reviewers."""

from .deployments import Deployment
from .hub import Hub
from .model import Run, Token
from .resources.users import number
from .state import Environment


def list_reviewers(hub: Hub, item: Environment) -> list[str]:
    """Return the logins of an environment's reviewers."""
    people = {number(token.login): token.login for token in hub.tokens.values() if token.kind == "person"}
    ids = [reviewer["id"] for reviewer in item.body.get("reviewers") or []]
    return [people[id] for id in ids if id in people]


def may_review(hub: Hub, token: Token, run: Run, item: Environment) -> bool:
    """Return whether this caller may review a run's deployment to an environment."""
    is_own_run = bool(item.body.get("prevent_self_review")) and token.login == run.event.actor
    return token.kind == "person" and token.login in list_reviewers(hub, item) and not is_own_run


def awaited_environments(hub: Hub, run: Run) -> list[Environment]:
    """Return the environments for whose review a run waits."""
    names = {item.environment for item in hub.deployments.of_run(run) if item.waits}
    return [hub.state.environments[name] for name in sorted(names)]


def decide(hub: Hub, run: Run, item: Environment, approved: bool) -> list[Deployment]:
    """Approve or reject the waiting deployments, and notify the runner."""
    decided = [one for one in hub.deployments.of_run(run) if one.waits and one.environment == item.name]
    for one in decided:
        one.waits = False
    for reviewer in list(hub.reviewers):
        reviewer(run, approved)
    return decided
