"""Releases."""

from typing import Any

from ..hub import Hub
from ..state import Release
from .users import node, user


def release(hub: Hub, it: Release) -> dict[str, Any]:
    """A release; it has no files beside the tag's own."""
    url = f"{hub.home}/releases/{it.id}"
    return {
        "url": url,
        "html_url": f"{hub.page}/releases/tag/{it.tag}",
        "assets_url": f"{url}/assets",
        "upload_url": f"{url}/assets{{?name,label}}",
        "tarball_url": f"{hub.home}/tarball/{it.tag}",
        "zipball_url": f"{hub.home}/zipball/{it.tag}",
        "id": it.id,
        "node_id": node("RE", it.id),
        "tag_name": it.tag,
        "target_commitish": it.target,
        "name": it.name,
        "body": it.body,
        "draft": it.draft,
        "prerelease": it.prerelease,
        "immutable": False,
        "created_at": it.created,
        "published_at": it.published,
        "updated_at": it.published or it.created,
        "author": user(hub, it.author.login),
        "assets": [],
    }
