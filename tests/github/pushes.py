"""Consequences of changed refs: push events, and updates of pull requests."""

from . import closing, events, merging
from .git import ZERO
from .hub import Hub
from .model import Token
from .state import Pull

# GitHub starts nothing for tags when more of them are pushed at once, and nothing for a deletion.
MAX_TAGS = 3


def move_ref(hub: Hub, actor: Token, ref: str, sha: str | None) -> None:
    """Set or delete a ref for a user, and process the change."""
    before = hub.git.refs()
    hub.git.set_ref(ref, sha)
    process_changes(hub, actor, before)


def process_changes(hub: Hub, actor: Token, before: dict[str, str]) -> None:
    """Compare the refs with their earlier state, record push events, and update pull requests."""
    after = hub.git.refs()
    names = [name for name in sorted({*before, *after}) if name.startswith(("refs/heads/", "refs/tags/"))]
    moved = [(name, before.get(name, ZERO), after.get(name, ZERO)) for name in names]
    changes = [change for change in moved if change[1] != change[2]]
    tags = [ref for ref, _, _ in changes if ref.startswith("refs/tags/")]
    for ref, old, new in changes:
        if new != ZERO and (ref not in tags or len(tags) <= MAX_TAGS):
            events.push(hub, actor, ref, old, new)
    branches = {ref.removeprefix("refs/heads/"): new for ref, _, new in changes if ref.startswith("refs/heads/")}
    for pull in [pull for pull in hub.state.pulls.values() if pull.open]:
        _update_pull(hub, actor, pull, branches)


def _update_pull(hub: Hub, actor: Token, pull: Pull, branches: dict[str, str]) -> None:
    if ZERO in {branches.get(pull.head), branches.get(pull.base)}:
        closing.close(hub, actor, pull.issue)
    elif pull.head in branches or pull.base in branches:
        old = merging.head_commit(hub, pull)
        merging.update_refs(hub, pull)
        new = merging.head_commit(hub, pull)
        if pull.base in branches and hub.git.contains(pull.onto, new):
            closing.mark_merged(hub, actor, pull, pull.onto)
        elif old != new:
            events.pull_request(hub, actor, "synchronize", pull, before=old, after=new)
