"""Deployments and their statuses."""

from typing import Any

from ..deployments import Deployment, DeploymentStatus
from ..hub import Hub
from .users import node_id, user


def deployment(hub: Hub, item: Deployment) -> dict[str, Any]:
    """A deployment of a commit to an environment."""
    url = f"{hub.repository_url}/deployments/{item.id}"
    return {
        "url": url,
        "id": item.id,
        "node_id": node_id("DE", item.id),
        "sha": item.sha,
        "ref": item.ref,
        "task": item.task,
        "payload": item.payload,
        "original_environment": item.environment,
        "environment": item.statuses[-1].environment if item.statuses else item.environment,
        "description": item.description,
        "creator": user(hub, item.creator.login),
        "created_at": item.created,
        "updated_at": item.statuses[-1].created if item.statuses else item.created,
        "statuses_url": f"{url}/statuses",
        "repository_url": hub.repository_url,
        "transient_environment": item.transient,
        "production_environment": item.production,
    }


def status(hub: Hub, item: Deployment, entry: DeploymentStatus) -> dict[str, Any]:
    """Return a status of a deployment."""
    url = f"{hub.repository_url}/deployments/{item.id}"
    return {
        "url": f"{url}/statuses/{entry.id}",
        "id": entry.id,
        "node_id": node_id("DES", entry.id),
        "state": entry.state,
        "creator": user(hub, entry.creator.login),
        "description": entry.description,
        "environment": entry.environment,
        # GitHub fills both, whichever was set.
        "target_url": entry.log,
        "log_url": entry.log,
        "environment_url": entry.url,
        "created_at": entry.created,
        "updated_at": entry.created,
        "deployment_url": url,
        "repository_url": hub.repository_url,
    }
