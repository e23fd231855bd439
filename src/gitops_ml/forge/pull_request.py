"""The promotion pull request, as it is on GitHub, and the few things that may be done to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gitops_ml.errors import ForgeError, PullRequestsForbidden
from gitops_ml.forge import proposal
from gitops_ml.forge.github import GitHub, Unsure
from gitops_ml.forge.proposal import Offer

BASE = "main"
LABEL = "promotion"
FORBIDDEN_TITLE = "Workflows may not open pull requests: a model waits for promotion"


@dataclass(frozen=True)
class PullRequest:
    """One that is open.

    Attributes:
        number: GitHub's.
        page: Its address for people.
        title: As it is now.
        body: The same.
        head: The commit at the tip of its branch.
        labels: Their names.
    """

    number: int
    page: str
    title: str
    body: str
    head: str
    labels: tuple[str, ...]

    @property
    def digest(self) -> str | None:
        """The short digest that its title offers."""
        return proposal.offered(self.title)


def find(github: GitHub, branch: str) -> PullRequest | None:
    """The open pull request of this branch; there is at most one."""
    return next((_read(found) for found in _of(github, branch, "open")), None)


def closed_by_a_person(github: GitHub, branch: str, short: str) -> str | None:
    """The page of a pull request that offered this digest and that a person closed without merging it.

    What we closed ourselves, because something better came, was not refused.
    """
    for found in _of(github, branch, "closed"):
        if proposal.offered(found["title"]) == short and not found["merged_at"]:
            closed_by = github.get(f"/issues/{found['number']}")["closed_by"]
            if closed_by is None or closed_by["type"] != "Bot":
                return str(found["html_url"])
    return None


def approved(github: GitHub, pull: PullRequest) -> bool:
    """Whether somebody's last word is an approval."""
    last = {}
    for review in github.each(f"/pulls/{pull.number}/reviews"):
        if review["state"] in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
            last[(review["user"] or {}).get("login")] = review["state"]
    return "APPROVED" in last.values()


def create(github: GitHub, branch: str, title: str, body: str) -> PullRequest:
    """Open it.

    Raises:
        PullRequestsForbidden: The repository's settings forbid it.
        Unsure: One is open by now.
    """
    try:
        made = github.send("POST", "/pulls", {"title": title, "body": body, "head": branch, "base": BASE})
    except ForgeError as error:
        if error.status == 422 and "already exists" in error.what:
            raise Unsure(error.what, error.next) from error
        raise
    return _read(made)


def rewrite(github: GitHub, pull: PullRequest, title: str, body: str) -> PullRequest:
    """Let it offer something else: title and body in one step."""
    return _read(github.send("PATCH", f"/pulls/{pull.number}", {"title": title, "body": body}))


def close(github: GitHub, pull: PullRequest, why: str) -> None:
    """Close one that is not needed any more, with a word."""
    github.send("POST", f"/issues/{pull.number}/comments", {"body": why})
    github.send("PATCH", f"/pulls/{pull.number}", {"state": "closed"})


def tell(github: GitHub, pull: PullRequest, offer: Offer, message: str) -> bool:
    """Comment once that another version is offered now; whether a comment was due."""
    if proposal.first_offered(pull.body) in (None, offer.short):
        return False
    return comment_once(github, pull, proposal.mark_of_comment(offer), proposal.refreshed(offer, message))


def comment_once(github: GitHub, pull: PullRequest, mark: str, text: str) -> bool:
    """Comment, unless a comment with this mark is there; whether one was due."""
    if any(mark in (comment["body"] or "") for comment in github.each(f"/issues/{pull.number}/comments")):
        return False
    github.send("POST", f"/issues/{pull.number}/comments", {"body": text})
    return True


def withdraw(github: GitHub, pull: PullRequest, version: str, environment: str, why: str) -> None:
    """Close one that offers a held version.

    Its title names no digest any more: whoever closes it, this is no person's refusal, and once the hold is lifted the
    version may be offered again.
    """
    github.send("POST", f"/issues/{pull.number}/comments", {"body": proposal.withdrawn(version, environment, why)})
    title = proposal.TITLE.sub(f"Withdrawn: version {version} is held in {environment}", pull.title)
    github.send("PATCH", f"/pulls/{pull.number}", {"title": title, "state": "closed"})


def label(github: GitHub, pull: PullRequest) -> None:
    """Make it easy to find; nothing depends on the label."""
    if LABEL not in pull.labels:
        github.send("POST", f"/issues/{pull.number}/labels", {"labels": [LABEL]})


def ask_for_permission(github: GitHub, offer: Offer, refusal: PullRequestsForbidden) -> str:
    """Keep one open issue that says which setting is in the way, and how to go on without it; its page."""
    link = f"{github.page}/compare/{BASE}...{offer.branch}?expand=1"
    body = (
        f"Version {offer.version} of {offer.model} passed every gate and waits on the branch `{offer.branch}`.\n\n"
        f"GitHub said: *{refusal.what}*\n\n"
        "**Either** let workflows open pull requests: [Settings > Actions > General]"
        f"({github.page}/settings/actions), tick **Allow GitHub Actions to create and approve pull requests**, and run "
        "the workflow **Train** again. In an organisation its owners may have to allow it first.\n\n"
        f"**Or** [open the pull request yourself]({link}).\n\nThis issue closes itself once a pull request is open."
    )
    there = _permission_issue(github)
    if there is None:
        there = github.send("POST", "/issues", {"title": FORBIDDEN_TITLE, "body": body})
    elif there["body"] != body:
        there = github.send("PATCH", f"/issues/{there['number']}", {"body": body})
    return str(there["html_url"])


def permission_was_given(github: GitHub) -> None:
    """Close that issue, if there is one."""
    there = _permission_issue(github)
    if there:
        github.send("PATCH", f"/issues/{there['number']}", {"state": "closed", "state_reason": "completed"})


def _permission_issue(github: GitHub) -> dict[str, Any] | None:
    listed = (issue for issue in github.each("/issues", state="open") if "pull_request" not in issue)
    return next((issue for issue in listed if issue["title"] == FORBIDDEN_TITLE), None)


def _of(github: GitHub, branch: str, state: str) -> Iterator[dict[str, Any]]:
    """Pull requests from this branch of this repository, newest first; a fork's branch of that name is not ours."""
    listed = github.each(
        "/pulls", state=state, head=f"{github.owner}:{branch}", base=BASE, sort="created", direction="desc"
    )  # fmt: skip
    for found in listed:
        if found["head"]["repo"] and found["head"]["repo"]["full_name"] == github.repository:
            yield found


def _read(found: dict[str, Any]) -> PullRequest:
    labels = tuple(label["name"] for label in found["labels"])
    page, head = found["html_url"], found["head"]["sha"]
    return PullRequest(found["number"], page, found["title"], found["body"] or "", head, labels)
