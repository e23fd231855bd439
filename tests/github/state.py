"""What GitHub knows and Git does not."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from .model import Token


def now() -> str:
    """This moment, as GitHub writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Settings:
    """What the owner may switch.

    Attributes:
        actions_may_open_pull_requests: "Allow GitHub Actions to create and approve pull requests"; off when new.
        default_workflow_permissions: What a job may do whose workflow does not say.
        private: Who does not belong to it sees nothing.
        plan: free, pro or team; private repositories on a free plan have no rulesets and no reviewers.
        delete_branch_on_merge: Tidy up after a merge.
        allow_auto_merge: Only shown.
        default_branch: Where merges go, and where a workflow must lie to be dispatched.
        description: Of the repository.
        secrets: That its jobs may read, whole lines or many.
        disabled: Files of workflows that are switched off ("Disable workflow").
    """

    actions_may_open_pull_requests: bool = False
    default_workflow_permissions: Literal["read", "write"] = "read"
    private: bool = False
    plan: str = "free"
    delete_branch_on_merge: bool = False
    allow_auto_merge: bool = False
    default_branch: str = "main"
    description: str | None = None
    secrets: dict[str, str] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)


@dataclass
class Label:
    """A coloured word."""

    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass
class Comment:
    """What somebody said about an issue or a pull request."""

    id: int
    number: int
    user: Token
    body: str
    created: str = field(default_factory=now)


@dataclass
class Issue:
    """An issue, or the half of a pull request that is one."""

    id: int
    number: int
    user: Token
    title: str
    body: str | None
    state: Literal["open", "closed"] = "open"
    reason: str | None = None
    labels: list[str] = field(default_factory=list)
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)
    closed: str | None = None
    closer: Token | None = None
    comments: list[Comment] = field(default_factory=list)


@dataclass
class Review:
    """A person's verdict on a pull request."""

    id: int
    user: Token
    state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED"]
    body: str
    commit: str
    submitted: str = field(default_factory=now)


@dataclass
class Pull:
    """What a pull request has beyond an issue; its commits are Git's, under refs/pull/N."""

    issue: Issue
    head: str
    base: str
    draft: bool = False
    merged: str | None = None
    merger: Token | None = None
    commit: str | None = None
    onto: str = ""
    reviews: list[Review] = field(default_factory=list)

    @property
    def number(self) -> int:
        """Its number, which no issue has."""
        return self.issue.number

    @property
    def open(self) -> bool:
        """Whether it may still be merged."""
        return self.issue.state == "open"


@dataclass
class Status:
    """What somebody says of a commit."""

    id: int
    sha: str
    state: str
    context: str
    description: str | None
    target: str | None
    creator: Token
    created: str = field(default_factory=now)


@dataclass
class Ruleset:
    """Rules for branches or tags."""

    id: int
    body: dict[str, Any]
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)


@dataclass
class Environment:
    """A place to deploy to."""

    id: int
    name: str
    body: dict[str, Any]
    created: str = field(default_factory=now)


@dataclass
class Release:
    """A tag with a text for people; a draft has no tag yet and is seen by nobody else."""

    id: int
    author: Token
    tag: str
    target: str
    name: str | None
    body: str | None
    draft: bool = False
    prerelease: bool = False
    created: str = field(default_factory=now)
    published: str | None = None


class State:
    """All of it."""

    def __init__(self) -> None:
        """Start with nothing, as a new repository."""
        self._numbers = itertools.count(1)
        self._ids = itertools.count(1001)
        self.created = now()
        self.issues: dict[int, Issue] = {}
        self.pulls: dict[int, Pull] = {}
        self.labels: dict[str, Label] = {}
        self.statuses: list[Status] = []
        self.rulesets: dict[int, Ruleset] = {}
        self.environments: dict[str, Environment] = {}
        self.releases: dict[int, Release] = {}

    def identity(self) -> int:
        """A number that nothing else has."""
        return next(self._ids)

    def issue(self, user: Token, title: str, body: str | None) -> Issue:
        """A new issue under the next number."""
        issue = Issue(self.identity(), next(self._numbers), user, title, body)
        self.issues[issue.number] = issue
        return issue

    def label(self, name: str) -> Label:
        """A label; made if it was not there, as GitHub does for who may write."""
        return self.labels.setdefault(name.lower(), Label(self.identity(), name))

    def latest(self, sha: str) -> list[Status]:
        """The last status in each context of a commit, the newest first."""
        found = {status.context: status for status in self.statuses if status.sha == sha}
        return sorted(found.values(), key=lambda status: -status.id)
