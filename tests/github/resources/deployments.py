"""Deployments, and what is said of them."""

from typing import Any

from ..deployments import Deployment, Said
from ..hub import Hub
from .users import node, user


def deployment(hub: Hub, it: Deployment) -> dict[str, Any]:
    """A commit on its way to an environment."""
    url = f"{hub.home}/deployments/{it.id}"
    return {
        "url": url,
        "id": it.id,
        "node_id": node("DE", it.id),
        "sha": it.sha,
        "ref": it.ref,
        "task": it.task,
        "payload": it.payload,
        "original_environment": it.environment,
        "environment": it.said[-1].environment if it.said else it.environment,
        "description": it.description,
        "creator": user(hub, it.creator.login),
        "created_at": it.created,
        "updated_at": it.said[-1].created if it.said else it.created,
        "statuses_url": f"{url}/statuses",
        "repository_url": hub.home,
        "transient_environment": it.transient,
        "production_environment": it.production,
    }


def status(hub: Hub, it: Deployment, said: Said) -> dict[str, Any]:
    """One word on it."""
    url = f"{hub.home}/deployments/{it.id}"
    return {
        "url": f"{url}/statuses/{said.id}",
        "id": said.id,
        "node_id": node("DES", said.id),
        "state": said.state,
        "creator": user(hub, said.creator.login),
        "description": said.description,
        "environment": said.environment,
        # GitHub fills both, whichever was given.
        "target_url": said.log,
        "log_url": said.log,
        "environment_url": said.url,
        "created_at": said.created,
        "updated_at": said.created,
        "deployment_url": url,
        "repository_url": hub.home,
    }
