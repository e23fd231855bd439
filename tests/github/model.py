"""Data model that the two halves of the local GitHub, the server and the runner, share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Grant = Literal["read", "write"]
BOT = "github-actions[bot]"


@dataclass(frozen=True)
class Token:
    """A caller's token and its grants.

    Attributes:
        value: Secret value of the token.
        kind: Kind of the caller: a person, a job of Actions, or a GitHub App.
        login: Login of the caller.
        permissions: Grants by GitHub's names ("contents", "pull_requests", ...); missing ones are refused. The owner of
            the repository may do everything, whatever the grants.
    """

    value: str
    kind: Literal["person", "actions", "app"]
    login: str
    permissions: Mapping[str, Grant] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """Event that may start workflows.

    Attributes:
        name: Name, one of push, pull_request, workflow_dispatch, repository_dispatch, schedule, merge_group, ...
        action: Action, such as opened or synchronize, or the type of a repository_dispatch; empty if there is none.
        ref: Ref such as refs/heads/main; for a pull request refs/pull/N/merge.
        sha: Commit of `ref`.
        before: Commit before a push; forty zeros for a new branch.
        actor: Login of the user who caused it.
        payload: Content of the file GITHUB_EVENT_PATH.
        workflow: File that a workflow_dispatch names.
        head: Branch and commit under which its runs are listed (the pull request's head, not the merge).
        waits: Flag of events whose runs wait for approval, as those of a bot's pull request do.
    """

    name: str
    ref: str
    sha: str
    actor: str
    payload: dict[str, Any]
    action: str = ""
    before: str = "0" * 40
    workflow: str = ""
    head: tuple[str, str] = ("", "")
    waits: bool = False


@dataclass
class Job:
    """One job of a run.

    Attributes:
        id: Key of the job in the workflow.
        conclusion: Conclusion: success, failure, cancelled or skipped; None while it runs.
        steps: Name, conclusion and seconds of each step, in order.
        summary: Markdown of its step summary.
        outputs: Outputs by name.
        seconds: Duration, without any wait for a lock.
        log: Printed text.
    """

    id: str
    conclusion: str | None = None
    steps: list[tuple[str, str, float]] = field(default_factory=list)
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    log: str = ""


@dataclass
class Run:
    """One run of a workflow.

    Attributes:
        id: Number of the run.
        workflow: File name of the workflow, such as train.yml.
        name: Name of the workflow.
        event: Event that started the run.
        status: Status: queued, in_progress, completed or waiting.
        conclusion: Conclusion: success, failure, cancelled or action_required; None before it is completed.
        created: Time of creation, ISO 8601, UTC.
        jobs: Jobs by id.
        folder: Folder of its artifacts, logs and summaries.
    """

    id: int
    workflow: str
    name: str
    event: Event
    folder: Path
    created: str
    status: str = "queued"
    conclusion: str | None = None
    jobs: dict[str, Job] = field(default_factory=dict)


Listener = Callable[[Event], None]
