"""Events that may start workflows, with the payload for GITHUB_EVENT_PATH."""

from typing import Any

from . import merging
from .git import ZERO
from .hub import Hub
from .model import Event, Token
from .resources import commits, issues, pulls, releases
from .resources.repositories import repository
from .resources.users import user
from .state import Comment, Issue, Pull, Release

# GitHub lists at most this many commits of one push.
MAX_COMMITS = 2048


def _common(hub: Hub, actor: Token) -> dict[str, Any]:
    return {"repository": repository(hub), "sender": user(hub, actor.login)}


def push(hub: Hub, actor: Token, ref: str, before: str, after: str) -> None:
    """Record a push of a branch or a tag; an annotated tag counts as its commit."""
    tip = hub.git.resolve(after) or after
    payload = {
        **_push(hub, ref, before, after),
        "head_commit": commits.pushed(hub, hub.git.commit(tip)),
        "pusher": {"name": actor.login, "email": f"{actor.login}@users.noreply.github.com"},
        **_common(hub, actor),
    }
    head = (ref.removeprefix("refs/heads/").removeprefix("refs/tags/"), tip)
    hub.record_event(actor, Event("push", ref, tip, actor.login, payload, before=before, head=head))


def _push(hub: Hub, ref: str, before: str, after: str) -> dict[str, Any]:
    created = before == ZERO
    shas = hub.git.commits_between(_known_base(hub, after) if created else before, after)
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "base_ref": None,
        "created": created,
        "deleted": False,
        "forced": not created and not hub.git.contains(after, before),
        "compare": f"{hub.html_url}/compare/{before[:12]}...{after[:12]}",
        "commits": [commits.pushed(hub, hub.git.commit(sha)) for sha in shas[-MAX_COMMITS:]],
    }


def _known_base(hub: Hub, after: str) -> str:
    # A push of a new branch lists the commits that the default branch lacks; of the default branch itself, all.
    main = hub.git.branch(hub.settings.default_branch)
    return ZERO if main in {None, after} else str(main)


def pull_request(hub: Hub, actor: Token, action: str, pull: Pull, **extra: Any) -> None:
    """Record an event of a pull request; GitHub starts nothing while it has conflicts."""
    head, merge = merging.head_commit(hub, pull), merging.merge_commit(hub, pull)
    ref, sha = f"refs/pull/{pull.number}/merge", merge
    if pull.merged:
        ref, sha = f"refs/heads/{pull.base}", pull.commit
    if sha is None:
        return
    payload = {"action": action, "number": pull.number, "pull_request": pulls.pull(hub, pull), **extra}
    event = Event(
        "pull_request", ref, sha, actor.login, {**payload, **_common(hub, actor)}, action, head=(pull.head, head)
    )  # fmt: skip
    hub.record_event(actor, event)


def issue(hub: Hub, actor: Token, action: str, item: Issue, comment: Comment | None = None) -> None:
    """Record an event of an issue; with a comment, an issue_comment."""
    payload = {"action": action, "issue": issues.issue(hub, item), **_common(hub, actor)}
    if comment is not None:
        payload["comment"] = issues.comment(hub, comment)
    branch = hub.settings.default_branch
    sha = hub.git.branch(branch)
    if sha is None:
        return
    name = "issue_comment" if comment else "issues"
    hub.record_event(actor, Event(name, f"refs/heads/{branch}", sha, actor.login, payload, action, head=(branch, sha)))


def workflow_dispatch(hub: Hub, actor: Token, file: str, ref: str, sha: str, inputs: dict[str, str]) -> None:
    """Record a workflow_dispatch."""
    payload = {"inputs": inputs, "ref": ref, "workflow": f".github/workflows/{file}", **_common(hub, actor)}
    branch = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    hub.record_event(
        actor, Event("workflow_dispatch", ref, sha, actor.login, payload, workflow=file, head=(branch, sha))
    )  # fmt: skip


def repository_dispatch(hub: Hub, actor: Token, kind: str, client: dict[str, Any]) -> None:
    """Record a repository_dispatch."""
    branch = hub.settings.default_branch
    sha = hub.git.branch(branch)
    if sha is None:
        return
    payload = {"action": kind, "branch": branch, "client_payload": client, **_common(hub, actor)}
    event = Event("repository_dispatch", f"refs/heads/{branch}", sha, actor.login, payload, kind, head=(branch, sha))
    hub.record_event(actor, event)


def release(hub: Hub, actor: Token, action: str, item: Release) -> None:
    """Record an event of a release."""
    ref = f"refs/tags/{item.tag}"
    sha = hub.git.resolve(ref) or ""
    payload = {"action": action, "release": releases.release(hub, item), **_common(hub, actor)}
    hub.record_event(actor, Event("release", ref, sha, actor.login, payload, action, head=(item.tag, sha)))
