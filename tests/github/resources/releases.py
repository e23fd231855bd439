"""Releases."""

from typing import Any

from ..hub import Hub
from ..state import Release
from .users import node_id, user


def release(hub: Hub, item: Release) -> dict[str, Any]:
    """Return a release; it has no assets."""
    url = f"{hub.repository_url}/releases/{item.id}"
    return {
        "url": url,
        "html_url": f"{hub.html_url}/releases/tag/{item.tag}",
        "assets_url": f"{url}/assets",
        "upload_url": f"{url}/assets{{?name,label}}",
        "tarball_url": f"{hub.repository_url}/tarball/{item.tag}",
        "zipball_url": f"{hub.repository_url}/zipball/{item.tag}",
        "id": item.id,
        "node_id": node_id("RE", item.id),
        "tag_name": item.tag,
        "target_commitish": item.target,
        "name": item.name,
        "body": item.body,
        "draft": item.draft,
        "prerelease": item.prerelease,
        "immutable": False,
        "created_at": item.created,
        "published_at": item.published,
        "updated_at": item.published or item.created,
        "author": user(hub, item.author.login),
        "assets": [],
    }
