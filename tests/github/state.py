"""State that GitHub keeps beside the Git repository."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from .model import Token


def now() -> str:
    """Return the current time in GitHub's format."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Settings:
    """Settings of the repository that its owner can change.

    Attributes:
        actions_may_open_pull_requests: "Allow GitHub Actions to create and approve pull requests"; off by default.
        default_workflow_permissions: Permissions of jobs whose workflow declares none.
        private: Visibility: private repositories are hidden from callers without grants.
        plan: Plan: free, pro or team; private repositories on a free plan have no rulesets and no reviewers.
        delete_branch_on_merge: Setting that deletes the branch after a merge.
        allow_auto_merge: Setting that is only displayed.
        default_branch: Default branch, which must contain a workflow that is dispatched.
        description: Description of the repository.
        secrets: Secrets of jobs, by name.
        variables: Variables of jobs, by name.
        runners: Labels of self-hosted runners.
        disabled: Files of disabled workflows ("Disable workflow").
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
    variables: dict[str, str] = field(default_factory=dict)
    runners: set[str] = field(default_factory=set)
    disabled: set[str] = field(default_factory=set)


@dataclass
class Label:
    """A label with a color."""

    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass
class Comment:
    """A comment on an issue or a pull request."""

    id: int
    number: int
    user: Token
    body: str
    created: str = field(default_factory=now)


@dataclass
class Issue:
    """An issue; a pull request has one too."""

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
    """A review of a pull request."""

    id: int
    user: Token
    state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED"]
    body: str
    commit: str
    submitted: str = field(default_factory=now)


@dataclass
class Pull:
    """Fields of a pull request beyond its issue; its commits are in Git, under refs/pull/N."""

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
        """Number, unique among issues and pull requests."""
        return self.issue.number

    @property
    def open(self) -> bool:
        """Return whether it can still be merged."""
        return self.issue.state == "open"


@dataclass
class Status:
    """A commit status."""

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
    """A ruleset for branches or tags."""

    id: int
    body: dict[str, Any]
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)


@dataclass
class Environment:
    """A deployment environment."""

    id: int
    name: str
    body: dict[str, Any]
    created: str = field(default_factory=now)


@dataclass
class Release:
    """A release; a draft has no tag yet, and only users with write access see it."""

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
    """State of one repository."""

    def __init__(self) -> None:
        """Start empty, like a new repository."""
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

    def next_id(self) -> int:
        """Return a new, unique id."""
        return next(self._ids)

    def create_issue(self, user: Token, title: str, body: str | None) -> Issue:
        """Create an issue under the next number."""
        issue = Issue(self.next_id(), next(self._numbers), user, title, body)
        self.issues[issue.number] = issue
        return issue

    def get_or_create_label(self, name: str) -> Label:
        """Return a label; create it if it does not exist, as GitHub does for users with write access."""
        return self.labels.setdefault(name.lower(), Label(self.next_id(), name))

    def latest_statuses(self, sha: str) -> list[Status]:
        """Return the last status of each context of a commit, newest first."""
        latest = {status.context: status for status in self.statuses if status.sha == sha}
        return sorted(latest.values(), key=lambda status: -status.id)
