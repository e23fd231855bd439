"""Releases: a tag with a text for people."""

from . import events, pushes
from .hub import Hub
from .model import Token
from .state import Release, now


def publish(hub: Hub, actor: Token, it: Release) -> None:
    """Let everybody see it; its tag is made where it is missing."""
    ref = f"refs/tags/{it.tag}"
    if hub.git.ref(ref) is None:
        pushes.move(hub, actor, ref, hub.git.resolve(it.target))
    it.draft, it.published = False, now()
    events.release(hub, actor, "published", it)
