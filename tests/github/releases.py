"""Publishing of releases."""

from . import events, pushes
from .hub import Hub
from .model import Token
from .state import Release, now


def publish(hub: Hub, actor: Token, item: Release) -> None:
    """Publish a release; create its tag if it does not exist."""
    ref = f"refs/tags/{item.tag}"
    if hub.git.ref(ref) is None:
        pushes.move_ref(hub, actor, ref, hub.git.resolve(item.target))
    item.draft, item.published = False, now()
    events.release(hub, actor, "published", item)
