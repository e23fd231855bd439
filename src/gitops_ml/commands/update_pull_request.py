"""Proposal of an update: each run compares branch, pull request and issue with what they should be.

The order is branch, pull request, CI. A run that is interrupted in between is continued by the next one. Where GitHub
does not let a workflow push or open a pull request, one issue has the command for a person.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gitops_ml import console, git, library
from gitops_ml.commands.retries import run_with_retries
from gitops_ml.errors import ForgeError, PullRequestsForbidden
from gitops_ml.forge import pull_request, update_issue, update_proposal_text, workflow_dispatch
from gitops_ml.forge.github import GitHub, connect
from gitops_ml.forge.promotion_text import escape_except_links
from gitops_ml.forge.update_proposal_text import Obstacle
from gitops_ml.registry.propose import PushConflict, push_commit
from gitops_ml.update_report import UpdateReport
from gitops_ml.updating.update_branch import ExistingBranch, read_branch

# Parts of GitHub's message about a push with changed workflow files, for tokens of all kinds.
REFUSED = ("refusing to allow", "workflow")
MARKER = "\n<<<<<<< "  # of a conflict
APP = "GITOPS_APP"  # the name of the GitHub App whose token a workflow uses; empty for the job's own token


class WorkflowFilesRefused(ForgeError):
    """GitHub does not let this token push changes of workflow files."""


class ForeignCommits(ForgeError):
    """People have commits on the remote's branch, and the update differs from the one that they are based on."""


@dataclass(frozen=True)
class UpdateProposal:
    """An update that is on a branch of this clone.

    Attributes:
        report: Changes of the update, with reasons.
        branch: Name of the branch.
        command: Command with which a person proposes it.
    """

    report: UpdateReport
    branch: str
    command: str


def propose_update(root: Path, proposal: UpdateProposal) -> None:
    """Push the branch, and open or refresh its pull request; or keep the issue that asks a person to do so.

    Args:
        root: Root of the clone.
        proposal: The update.

    Raises:
        ForgeError: GitHub refused, or the branch has commits of people.
        PullRequestsForbidden: The repository's settings forbid pull requests by workflows; an issue was opened.
    """
    github = connect(root, with_gh=True)
    _show(github, [run_with_retries(_converge, github, root, proposal)])


def conclude_without_update(root: Path, branch: str, sentence: str, pinned: str | None, is_newest: bool) -> None:
    """Close the issue and the pull request of an update that main has, or that no longer exists.

    Args:
        root: Root of the clone.
        branch: Name of the branch.
        sentence: Why there is no update.
        pinned: Version that main pins; None if it pins none.
        is_newest: True if no newer version exists; False if that is not known.
    """
    github = connect(root, with_gh=True)
    closed = run_with_retries(update_issue.close_issue, github, None if is_newest else pinned)
    _show(github, [sentence, closed, run_with_retries(_close_obsolete, github, branch, pinned)])


def _show(github: GitHub, sentences: Sequence[str]) -> None:
    text = " ".join(filter(None, sentences))
    console.echo(text)
    console.append_summary(f"### Update\n\n{escape_except_links(text, github.page)}")


def _close_obsolete(github: GitHub, branch: str, pinned: str | None) -> str:
    """Close an open pull request whose version main has already; return a sentence, empty if there is none."""
    pull = pull_request.find_open(github, branch)
    if pull is None or not update_proposal_text.includes(pinned, update_proposal_text.parse_version(pull.title)):
        return ""
    pull_request.close(github, pull, f"`main` has {library.NAME} {pinned} already.")
    return f"Closed {pull.page}, which is no longer needed."


def _converge(github: GitHub, root: Path, proposal: UpdateProposal) -> str:
    """Compare the state with the wanted one, change what differs, and return a sentence about it."""
    git.fetch_branches(root)
    pull = pull_request.find_open(github, proposal.branch)
    refused = None if pull else _find_refused(github, proposal)
    if refused:
        return (
            f"Version {proposal.report.version} is not proposed, because a person closed {refused}. Reopen it there to "
            f"change that; a later version will be proposed. {update_issue.close_issue(github)}"
        ).strip()
    try:
        head, is_pushed = _push(github, root, proposal, pull)
    except (WorkflowFilesRefused, ForeignCommits) as error:
        if not git.in_actions():
            raise
        return f"{error.problem} {_leave_to_person(github, proposal, error)}"
    report = replace(proposal.report, conflicts=_list_unresolved(root, head, proposal.report))
    return _update_pull_request(github, replace(proposal, report=report), pull, head, is_pushed)


def _find_refused(github: GitHub, proposal: UpdateProposal) -> str | None:
    """Return the URL of a pull request for the same version that a person closed; None if there is none."""
    version = proposal.report.version
    return pull_request.find_refused(
        github, proposal.branch, lambda title: update_proposal_text.parse_version(title) == version
    )


def _leave_to_person(github: GitHub, proposal: UpdateProposal, error: ForgeError) -> str:
    """Keep the issue if the token may not push; return a sentence about the next step. The workflow stays green."""
    if isinstance(error, ForeignCommits):
        return error.next_step
    why = update_proposal_text.explain_workflow_files(os.environ.get(APP, ""))
    return update_issue.keep_issue(github, proposal.report, Obstacle(why, proposal.command))


def _update_pull_request(
    github: GitHub, proposal: UpdateProposal, pull: pull_request.PullRequest | None, head: str, is_pushed: bool
) -> str:
    """Open the pull request, or change its text if it differs, and start CI where needed; return a sentence."""
    report = proposal.report
    body = update_proposal_text.render_pull_request(report, proposal.branch, update_issue.find_number(github))
    if pull is None:
        done = f"Opened {_open(github, proposal, body).page}: {report.subject}."
    elif pull.title != report.subject or pull.body.replace("\r\n", "\n").strip() != body.strip():
        pull_request.update(github, pull, report.subject, body)
        done = f"Refreshed {pull.page}: {report.subject}."
    elif is_pushed:
        done = f"Refreshed {pull.page}: {report.subject}."
    else:
        done = f"Nothing to do: {pull.page} proposes version {report.version} already."
    return done + _request_ci(github, proposal, head)


def _list_unresolved(root: Path, head: str, report: UpdateReport) -> tuple[str, ...]:
    """Return the files that still have markers of conflicts."""
    return tuple(path for path in report.conflicts if MARKER in f"\n{git.read_file(root, head, path) or ''}")


def _push(
    github: GitHub, root: Path, proposal: UpdateProposal, pull: pull_request.PullRequest | None
) -> tuple[str, bool]:
    """Bring the remote's branch to the update; return its tip, and whether it was pushed."""
    report, name = proposal.report, proposal.branch
    remote = read_branch(root, f"refs/remotes/origin/{name}", report.main)
    local = read_branch(root, f"refs/heads/{name}", report.main)
    if local.tip is None:
        raise PushConflict(f"The branch {name} has changed meanwhile.", "Run the same command again.")
    if remote.tip and _has_update(root, remote, local, report):
        return remote.tip, False
    is_kept = git.succeeds(root, "merge-base", "--is-ancestor", str(remote.tip), local.tip)
    # A branch that was squashed into main still has commits of people, but main has their content.
    is_merged = pull is None and bool(remote.foreign) and pull_request.was_merged(github, name, str(remote.tip))
    if remote.foreign and not is_kept and not is_merged:
        raise ForeignCommits(
            f"The branch {name} on GitHub has commits of other people: {'; '.join(remote.foreign)}. It is not "
            "overwritten.",
            f"Merge its pull request, or delete the branch (`git push origin :{name}`); then the update is proposed "
            "again.",
        )
    files = git.run(root, "diff", "--name-only", f"{report.main}...{local.tip}", "--", update_proposal_text.WORKFLOWS)
    if files and git.in_actions() and not os.environ.get(APP):
        raise _refusal()
    before = git.resolve(root, f"refs/remotes/origin/{name}")
    try:
        push_commit(root, name, local.tip, before)
    except PushConflict:
        raise
    except ForgeError as error:
        if all(part in error.problem for part in REFUSED):
            raise _refusal() from error
        raise
    return local.tip, True


def _refusal() -> WorkflowFilesRefused:
    return WorkflowFilesRefused(
        f"The update changes files under {update_proposal_text.WORKFLOWS}, which this token may not push.",
        "Push with a login that may: SSH, or `gh auth refresh --scopes workflow`; a fine-grained token needs "
        "`Workflows: read and write`.",
    )


def _has_update(root: Path, remote: ExistingBranch, local: ExistingBranch, report: UpdateReport) -> bool:
    """Return whether the remote's branch has the update, and everything that people added to it in this clone.

    A branch that makes the same change of an older main counts, because each push asks reviewers to look again.
    """
    if git.succeeds(root, "merge-base", "--is-ancestor", str(local.tip), str(remote.tip)):
        return True
    if local.foreign or remote.base is None or remote.tree is None:
        return False
    changes = (git.run(root, "diff-tree", "-r", base, tree)
               for base, tree in ((remote.base, remote.tree), (report.main, report.tree)))  # fmt: skip
    return len(set(changes)) == 1


def _open(github: GitHub, proposal: UpdateProposal, body: str) -> pull_request.PullRequest:
    """Open the pull request; if the settings forbid that to workflows, keep an issue."""
    report = proposal.report
    try:
        return pull_request.create(github, proposal.branch, report.subject, body, draft=bool(report.conflicts))
    except PullRequestsForbidden as error:
        link = f"{github.page}/compare/{pull_request.BASE}...{proposal.branch}?expand=1"
        why = update_proposal_text.explain_forbidden(error.problem, link, f"{github.page}/settings/actions")
        sentence = update_issue.keep_issue(github, report, Obstacle(why, proposal.command))
        raise PullRequestsForbidden(
            f"{error.problem} {sentence}",
            "Settings > Actions > General > Workflow permissions: tick `Allow GitHub Actions to create and approve "
            "pull requests`, then run Upkeep again. The branch that was pushed is kept.",
            error.status,
        ) from error


def _request_ci(github: GitHub, proposal: UpdateProposal, head: str) -> str:
    """Start CI for a pull request of a job's token, which starts none; return a sentence, empty if CI starts itself."""
    if not git.in_actions() or os.environ.get(APP) or proposal.report.conflicts:
        return ""
    return " CI was started." if workflow_dispatch.request_ci(github, proposal.branch, head) else ""
