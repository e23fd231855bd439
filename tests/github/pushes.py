"""What follows when refs have moved, whoever moved them."""

from . import closing, events, merging
from .git import ZERO
from .hub import Hub
from .model import Token
from .state import Pull

# GitHub starts nothing for tags when more of them are pushed at once, and nothing for a deletion.
MOST_TAGS = 3


def move(hub: Hub, actor: Token, ref: str, sha: str | None) -> None:
    """Set or delete a ref on somebody's behalf, with all that follows."""
    before = hub.git.refs()
    hub.git.point(ref, sha)
    settle(hub, actor, before)


def settle(hub: Hub, actor: Token, before: dict[str, str]) -> None:
    """Compare the refs with what they were, and let follow what must."""
    after = hub.git.refs()
    names = [name for name in sorted({*before, *after}) if name.startswith(("refs/heads/", "refs/tags/"))]
    moved = [(name, before.get(name, ZERO), after.get(name, ZERO)) for name in names]
    changes = [change for change in moved if change[1] != change[2]]
    tags = [ref for ref, _, _ in changes if ref.startswith("refs/tags/")]
    for ref, old, new in changes:
        if new != ZERO and (ref not in tags or len(tags) <= MOST_TAGS):
            events.push(hub, actor, ref, old, new)
    branches = {ref.removeprefix("refs/heads/"): new for ref, _, new in changes if ref.startswith("refs/heads/")}
    for pull in [pull for pull in hub.state.pulls.values() if pull.open]:
        _follow(hub, actor, pull, branches)


def _follow(hub: Hub, actor: Token, pull: Pull, branches: dict[str, str]) -> None:
    if ZERO in {branches.get(pull.head), branches.get(pull.base)}:
        closing.close(hub, actor, pull.issue)
    elif pull.head in branches or pull.base in branches:
        old = merging.head(hub, pull)
        merging.refresh(hub, pull)
        new = merging.head(hub, pull)
        if pull.base in branches and hub.git.contains(pull.onto, new):
            closing.merged(hub, actor, pull, pull.onto)
        elif old != new:
            events.pull_request(hub, actor, "synchronize", pull, before=old, after=new)
