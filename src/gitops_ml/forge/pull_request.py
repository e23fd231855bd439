"""Pull requests on GitHub: find, create, update, comment and close. https://docs.github.com/rest/pulls/pulls"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gitops_ml.errors import ForgeError, PullRequestsForbidden
from gitops_ml.forge import promotion_text
from gitops_ml.forge.github import GitHub, UncertainWrite
from gitops_ml.forge.promotion_text import PromotionProposal

BASE = "main"
LABEL = "promotion"
NO_DRAFTS = "Draft pull requests are not supported"
FORBIDDEN_TITLE = "Workflows may not open pull requests: a model waits for promotion"


@dataclass(frozen=True)
class PullRequest:
    """An open pull request.

    Attributes:
        number: GitHub's number.
        page: URL of its page.
        title: Title of the pull request.
        body: Body of the pull request, in Markdown.
        head: Commit at the tip of its branch.
        labels: Names of its labels.
    """

    number: int
    page: str
    title: str
    body: str
    head: str
    labels: tuple[str, ...]

    @property
    def digest(self) -> str | None:
        """The short digest in its title."""
        return promotion_text.parse_digest(self.title)


def find_open(github: GitHub, branch: str) -> PullRequest | None:
    """Return the open pull request of a branch; None if there is none. There is at most one.

    Args:
        github: The repository.
        branch: Name of the branch.
    """
    return next((_parse(pull) for pull in _list_pulls(github, branch, "open")), None)


def find_closed_by_person(github: GitHub, branch: str, short_digest: str) -> str | None:
    """Return the URL of a pull request that proposed a digest and that a person closed unmerged; None if there is none.

    A pull request that a workflow closed, for example because a better version superseded it, was not refused. A closer
    whose account GitHub does not name counts as a person.

    Args:
        github: The repository.
        branch: Name of the branch.
        short_digest: Short digest in the title of the pull request.
    """
    return find_refused(github, branch, lambda title: promotion_text.parse_digest(title) == short_digest)


def find_refused(github: GitHub, branch: str, is_wanted: Callable[[str], bool]) -> str | None:
    """Return the URL of a pull request that a person closed without merging it; None if there is none.

    Args:
        github: The repository.
        branch: Name of the branch.
        is_wanted: Function that returns whether a title belongs to the proposal in question.
    """
    for pull in _list_pulls(github, branch, "closed"):
        if is_wanted(pull["title"]) and not pull["merged_at"]:
            closed_by = github.get(f"/issues/{pull['number']}")["closed_by"]
            if closed_by is None or closed_by["type"] != "Bot":
                return str(pull["html_url"])
    return None


def was_merged(github: GitHub, branch: str, head: str) -> bool:
    """Return whether a pull request with a commit at its tip was merged.

    Args:
        github: The repository.
        branch: Name of the branch.
        head: The commit.
    """
    return any(pull["merged_at"] and pull["head"]["sha"] == head for pull in _list_pulls(github, branch, "closed"))


def is_approved(github: GitHub, pull: PullRequest) -> bool:
    """Return whether the latest verdict of at least one reviewer is an approval; mere comments do not count.

    Args:
        github: The repository.
        pull: The pull request.
    """
    last_states = {}
    for review in github.paginate(f"/pulls/{pull.number}/reviews"):
        if review["state"] in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
            last_states[(review["user"] or {}).get("login")] = review["state"]
    return "APPROVED" in last_states.values()


def create(github: GitHub, branch: str, title: str, body: str, draft: bool = False) -> PullRequest:
    """Open a pull request.

    Args:
        github: The repository.
        branch: Name of the branch to merge into main.
        title: Title of the pull request.
        body: Body in Markdown.
        draft: True to open it as a draft, where the owner's plan has drafts.

    Returns:
        The pull request.

    Raises:
        PullRequestsForbidden: The repository's settings forbid it.
        UncertainWrite: The branch has a pull request already, for example of a request whose response was lost; look
            for it again.
    """
    document = {"title": title, "body": body, "head": branch, "base": BASE}
    try:
        created = github.send("POST", "/pulls", {**document, "draft": True} if draft else document)
    except ForgeError as error:
        if draft and error.status == 422 and NO_DRAFTS in error.problem:
            return create(github, branch, title, body)
        if error.status == 422 and "already exists" in error.problem:
            raise UncertainWrite(error.problem, error.next_step) from error
        raise
    return _parse(created)


def update(github: GitHub, pull: PullRequest, title: str, body: str) -> PullRequest:
    """Replace title and body in one request.

    Args:
        github: The repository.
        pull: The pull request.
        title: New title.
        body: New body in Markdown.

    Returns:
        The updated pull request.
    """
    return _parse(github.send("PATCH", f"/pulls/{pull.number}", {"title": title, "body": body}))


def close(github: GitHub, pull: PullRequest, comment: str) -> None:
    """Close a pull request with a comment.

    Args:
        github: The repository.
        pull: The pull request.
        comment: The reason, in Markdown.
    """
    github.send("POST", f"/issues/{pull.number}/comments", {"body": comment})
    github.send("PATCH", f"/pulls/{pull.number}", {"state": "closed"})


def comment_on_update(github: GitHub, pull: PullRequest, proposal: PromotionProposal, message: str) -> bool:
    """Comment once that the pull request proposes another version than the one it was opened with.

    Args:
        github: The repository.
        pull: The pull request.
        proposal: The version that is proposed now.
        message: Reason why it replaces the other version.

    Returns:
        Whether a comment was added.
    """
    if promotion_text.parse_first_digest(pull.body) in (None, proposal.short_digest):
        return False
    marker, text = promotion_text.comment_marker(proposal), promotion_text.render_update_comment(proposal, message)
    return comment_once(github, pull, marker, text)


def comment_once(github: GitHub, pull: PullRequest, marker: str, text: str) -> bool:
    """Add a comment, unless there is a comment with the marker.

    Args:
        github: The repository.
        pull: The pull request.
        marker: Invisible marker, which the text contains.
        text: The comment in Markdown.

    Returns:
        Whether a comment was added.
    """
    if any(marker in (comment["body"] or "") for comment in github.paginate(f"/issues/{pull.number}/comments")):
        return False
    github.send("POST", f"/issues/{pull.number}/comments", {"body": text})
    return True


def withdraw(github: GitHub, pull: PullRequest, version: str, environment: str, reason: str) -> None:
    """Close a pull request that proposes a version on hold.

    The digest is removed from its title, so that `find_closed_by_person` does not take it for a refusal, and the
    version can be proposed again when the hold is lifted.

    Args:
        github: The repository.
        pull: The pull request.
        version: Registry version number.
        environment: Environment in which the version is on hold.
        reason: Reason of the hold.
    """
    comment = promotion_text.render_withdrawn_comment(version, environment, reason)
    github.send("POST", f"/issues/{pull.number}/comments", {"body": comment})
    title = promotion_text.TITLE.sub(f"Withdrawn: version {version} is on hold in {environment}", pull.title)
    github.send("PATCH", f"/pulls/{pull.number}", {"title": title, "state": "closed"})


def add_label(github: GitHub, pull: PullRequest) -> None:
    """Add the label `promotion`, by which people find the pull request. Nothing else depends on it.

    Args:
        github: The repository.
        pull: The pull request.
    """
    if LABEL not in pull.labels:
        github.send("POST", f"/issues/{pull.number}/labels", {"labels": [LABEL]})


def open_permission_issue(github: GitHub, proposal: PromotionProposal, error: PullRequestsForbidden) -> str:
    """Open the issue that explains which setting forbids the pull request, or update it if it is open.

    Args:
        github: The repository.
        proposal: The version that cannot be proposed.
        error: GitHub's refusal.

    Returns:
        The issue's URL.
    """
    link = f"{github.page}/compare/{BASE}...{proposal.branch}?expand=1"
    body = (
        f"No gate refused version {proposal.version} of {proposal.model}. It is on the branch `{proposal.branch}`, "
        "but the workflow is not allowed to open a pull request for it.\n\n"
        f"GitHub's message: *{error.problem}*\n\n"
        "**Either** allow workflows to open pull requests: go to [Settings > Actions > General]"
        f"({github.page}/settings/actions), tick **Allow GitHub Actions to create and approve pull requests**, and run "
        "the workflow **Train** again. In an organisation, an owner of the organisation may have to allow it first.\n\n"
        f"**Or** [open the pull request yourself]({link}).\n\n"
        "This issue is closed automatically when a pull request is open."
    )
    issue = _find_permission_issue(github)
    if issue is None:
        issue = github.send("POST", "/issues", {"title": FORBIDDEN_TITLE, "body": body})
    elif issue["body"] != body:
        issue = github.send("PATCH", f"/issues/{issue['number']}", {"body": body})
    return str(issue["html_url"])


def close_permission_issue(github: GitHub) -> None:
    """Close the issue about the missing permission, if it is open.

    Args:
        github: The repository.
    """
    issue = _find_permission_issue(github)
    if issue:
        github.send("PATCH", f"/issues/{issue['number']}", {"state": "closed", "state_reason": "completed"})


def _find_permission_issue(github: GitHub) -> dict[str, Any] | None:
    issues = (issue for issue in github.paginate("/issues", state="open") if "pull_request" not in issue)
    return next((issue for issue in issues if issue["title"] == FORBIDDEN_TITLE), None)


def _list_pulls(github: GitHub, branch: str, state: str) -> Iterator[dict[str, Any]]:
    """Yield the pull requests of a branch of this repository, newest first, without those of forks."""
    listed = github.paginate(
        "/pulls", state=state, head=f"{github.owner}:{branch}", base=BASE, sort="created", direction="desc"
    )  # fmt: skip
    for pull in listed:
        if pull["head"]["repo"] and pull["head"]["repo"]["full_name"] == github.repository:
            yield pull


def _parse(pull: dict[str, Any]) -> PullRequest:
    labels = tuple(label["name"] for label in pull["labels"])
    page, head = pull["html_url"], pull["head"]["sha"]
    return PullRequest(pull["number"], page, pull["title"], pull["body"] or "", head, labels)
