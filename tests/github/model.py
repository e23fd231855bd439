"""What the local GitHub's two halves, the server and the runner, tell each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Grant = Literal["read", "write"]
BOT = "github-actions[bot]"


@dataclass(frozen=True)
class Token:
    """Who calls, and what the caller may do.

    Attributes:
        value: The secret itself.
        kind: Of a person, of a job of Actions, or of a GitHub App.
        login: Who that is.
        permissions: By GitHub's names ("contents", "pull_requests", ...); what is missing is refused. A person who
            owns the repository may do everything, whatever stands here.
    """

    value: str
    kind: Literal["person", "actions", "app"]
    login: str
    permissions: Mapping[str, Grant] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """Something happened that may start workflows.

    Attributes:
        name: push, pull_request, workflow_dispatch, repository_dispatch, schedule, merge_group.
        action: opened, synchronize, reopened, closed, the type of a repository_dispatch; empty where there is none.
        ref: refs/heads/main; for a pull request refs/pull/N/merge.
        sha: What `ref` is at.
        before: What it was at before a push; forty zeros for a new branch.
        actor: Who did it.
        payload: What GITHUB_EVENT_PATH will hold.
        workflow: The file that a workflow_dispatch names.
        head: The branch and commit that a run of it is listed under (a pull request's own, not the merge).
        waits: Its runs wait for a person's approval, as those of a bot's pull request do.
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
        id: Its key in the workflow.
        conclusion: success, failure, cancelled, skipped; None while it runs.
        steps: Name, conclusion and seconds of each step, in order.
        summary: What it wrote to its step summary.
        outputs: What it gave out.
        seconds: From its start, after any wait for a lock, to its end.
        log: What it printed.
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
        id: Its number.
        workflow: The file's name, such as train.yml.
        name: What the workflow calls itself.
        event: That started it.
        status: queued, in_progress, completed, waiting.
        conclusion: success, failure, cancelled, action_required; None before it is completed.
        created: ISO 8601, UTC.
        jobs: By id.
        folder: Where its artefacts, logs and summaries lie.
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
