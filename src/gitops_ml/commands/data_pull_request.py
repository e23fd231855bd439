"""The data pull request: each run compares the wanted state with the present one, and changes only what differs.

The order is branch, pull request, comment, CI. If a run is cancelled in between, the next run completes the rest.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_ml import console, git
from gitops_ml.commands.retries import run_with_retries
from gitops_ml.errors import ConfigError, ForgeError, PullRequestsForbidden
from gitops_ml.forge import pull_request, workflow_dispatch
from gitops_ml.forge.data_pull_request_text import DataProposal
from gitops_ml.forge.github import GitHub, connect
from gitops_ml.forge.promotion_text import escape_except_links
from gitops_ml.ingesting import ingestion
from gitops_ml.ingesting.addition_check import NEW_FILE, check_is_addition
from gitops_ml.ingesting.append import is_glob
from gitops_ml.manifest import digest_file
from gitops_ml.registry.propose import (
    Change,
    PushConflict,
    blob_id,
    commit_proposal,
    list_foreign_changes,
    push_proposal,
)

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.ingesting.ingestion import Ingestion

BRANCH = git.DATA_BRANCH


@dataclass(frozen=True)
class DataBranchState:
    """The data branch on the remote.

    Attributes:
        tip: Commit of the branch.
        is_current: True if main's data has not changed since the branch was created from it.
        foreign_changes: Descriptions of commits by other authors on the branch, which are never overwritten.
    """

    tip: str
    is_current: bool
    foreign_changes: tuple[str, ...]


def propose_data(repository: "Repository", folder: Path, digest: str, *, local: bool) -> None:
    """Propose the checked rows as a pull request, or as a branch of this clone.

    Args:
        repository: The clone.
        folder: Folder with the ingestion and the extended data.
        digest: Digest of the folder's manifest.
        local: True to create a branch of this clone, without GitHub.

    Raises:
        IntegrityError: The folder does not match the digest, or would change existing rows; nothing was proposed.
        ConfigError: The data has changed since the rows were checked.
        ForgeError: GitHub refused, or the branch has commits by another author.
    """
    loaded = ingestion.load_ingestion(folder, digest)
    check_is_addition(repository, loaded.path, folder / ingestion.DATA)
    change = _change(loaded, folder)
    if local:
        _propose_locally(repository, loaded, change)
        return
    github = connect(repository.root)
    run = workflow_dispatch.run_url(github)
    proposal = DataProposal(loaded.path, loaded.rows, loaded.short, loaded.model_dump(mode="json"), run)
    done = run_with_retries(_converge, github, repository, loaded, proposal, change)
    console.echo(done)
    console.append_summary(f"### New data\n\n{escape_except_links(done, github.page)}")


def _change(loaded: "Ingestion", folder: Path) -> Change:
    """Return the change of main that adds the rows."""
    message = f"Add {loaded.rows} rows to {loaded.path}\n\nFrom {loaded.source}.\nRows {loaded.digest}\n"
    return Change(BRANCH, message, {loaded.path: folder / ingestion.DATA})


def _propose_locally(repository: "Repository", loaded: "Ingestion", change: Change) -> None:
    """Commit the rows on a branch of this clone, and print what to do with it."""
    reason = _explain_outdated(repository, loaded)
    if reason:
        raise ConfigError(reason, "Commit or undo what differs, switch to main, and run `gitops ingest` again.")
    if commit_proposal(repository.root, change):
        console.echo(f"Proposed: branch {BRANCH} adds {loaded.rows} row(s) to {loaded.path}.")
    else:
        console.echo(f"Nothing to do: branch {BRANCH} adds these {loaded.rows} row(s) already.")
    console.echo(
        f"Review them: git diff main...{BRANCH}\nAccept them: git merge --no-ff {BRANCH}\n"
        f"Refuse them: git branch -D {BRANCH}"
    )


def _explain_outdated(repository: "Repository", loaded: "Ingestion") -> str:
    """Return why the data differs from the data that the rows were checked against; empty if it does not."""
    from gitops_ml.training.data import data_files

    root, main = repository.root, git.main_ref(repository.root)
    present = ingestion.base_digest(repository, {file: digest_file(file) for file in data_files(repository)})
    if present != loaded.base:
        return "The data in this clone is not the data that the rows were checked against."
    pathspec = _pathspec(repository)
    differs = not git.succeeds(root, "diff", "--quiet", main, "--", pathspec)
    if differs or git.run(root, "ls-files", "--others", "--", pathspec):
        return f"The data in this clone differs from the data of {main.removeprefix('refs/remotes/')}."
    return ""


def _pathspec(repository: "Repository") -> str:
    """Return the Git pathspec of the data files."""
    path = str(repository.config.data.path)
    return f":(top,glob){path}" if is_glob(path) else f":(top,literal){path}"


def _load_branch_state(repository: "Repository") -> DataBranchState | None:
    """Return the state of the branch when it was last fetched; None if it does not exist."""
    root, main = repository.root, git.main_ref(repository.root)
    tip = git.resolve(root, f"refs/remotes/origin/{BRANCH}")
    if tip is None:
        return None
    base = git.run(root, "merge-base", main, tip) if git.succeeds(root, "merge-base", main, tip) else None
    is_current = base is not None and git.succeeds(root, "diff", "--quiet", base, main, "--", _pathspec(repository))
    pattern = str(repository.config.data.path)
    is_own = {pattern}.__contains__ if not is_glob(pattern) else lambda path: bool(NEW_FILE.fullmatch(Path(path).name))
    return DataBranchState(tip, is_current, list_foreign_changes(root, base, tip, is_own))


def _converge(
    github: GitHub, repository: "Repository", loaded: "Ingestion", proposal: DataProposal, change: Change
) -> str:
    """Read the state, change what differs from the wanted state, and return a sentence about it."""
    git.fetch_branches(repository.root)
    reason = _explain_outdated(repository, loaded)
    if reason:
        return _ingest_again(github, reason)
    state, open_now = _load_branch_state(repository), pull_request.find_open(github, BRANCH)
    if open_now is None:
        return _open_pull_request(github, repository, proposal, change, state)
    if state is None:
        raise PushConflict(f"The branch {BRANCH} is gone.", "Run the same command again.")
    if _has_change(repository, state, change) and open_now.digest == proposal.short_digest:
        asked = _ask_ci(github, state.tip)
        return f"Nothing to do: {open_now.page} offers these {proposal.rows} row(s) already." + asked
    closed = pull_request.find_closed_by_person(github, BRANCH, proposal.short_digest)
    if closed:
        return f"These {proposal.rows} row(s) are not offered: a person closed {closed}."
    _require_no_foreign_changes(state)
    if pull_request.is_approved(github, open_now):
        pull_request.close(github, open_now, proposal.superseded_comment)
        return _open_pull_request(github, repository, proposal, change, state)
    head = _push(repository, change, state)
    changed = pull_request.update(github, open_now, proposal.title, proposal.body)
    pull_request.comment_once(github, changed, proposal.comment_marker, proposal.update_comment)
    return f"Refreshed {changed.page}: it offers {proposal.rows} row(s) now." + _ask_ci(github, head)


def _has_change(repository: "Repository", state: DataBranchState, change: Change) -> bool:
    """Return whether the branch contains exactly this change of the present main."""
    (path, file), *_ = change.files.items()
    blob = git.run(repository.root, "hash-object", "--no-filters", str(Path(str(file)).resolve()))
    return state.is_current and not state.foreign_changes and blob_id(repository.root, state.tip, path) == blob


def _open_pull_request(
    github: GitHub, repository: "Repository", proposal: DataProposal, change: Change, state: DataBranchState | None
) -> str:
    """Open a pull request, unless a person has closed one with these rows."""
    page = pull_request.find_closed_by_person(github, BRANCH, proposal.short_digest)
    if page:
        return f"These {proposal.rows} row(s) are not offered again: a person closed {page}. Other rows may be offered."
    head = _push(repository, change, state)
    try:
        opened = pull_request.create(github, BRANCH, proposal.title, proposal.body)
    except PullRequestsForbidden as error:
        link = f"{github.page}/compare/main...{BRANCH}?expand=1"
        raise PullRequestsForbidden(
            f"{error.problem} The branch with the rows is pushed: {link}.", error.next_step, error.status
        ) from error
    return f"Opened {opened.page}: it offers {proposal.rows} row(s)." + _ask_ci(github, head)


def _push(repository: "Repository", change: Change, state: DataBranchState | None) -> str:
    """Push the change to the branch unless it is there, and return the tip of the branch."""
    if state and _has_change(repository, state, change):
        return state.tip
    _require_no_foreign_changes(state)
    return push_proposal(repository.root, change, state.tip if state else None)


def _require_no_foreign_changes(state: DataBranchState | None) -> None:
    """Raise ForgeError if the branch has commits by another author, which must not be overwritten."""
    if state and state.foreign_changes:
        raise ForgeError(
            f"The branch {BRANCH} has changes that gitops did not make: {'; '.join(state.foreign_changes)}. It was not "
            "changed.",
            f"Bring them to main by a separate pull request, delete the branch (`git push origin :{BRANCH}`), and run "
            "Ingest again.",
        )


def _ask_ci(github: GitHub, head: str) -> str:
    """Start CI for the head of an open pull request unless it runs, and return a sentence about it."""
    return " CI was asked to check it." if workflow_dispatch.request_ci(github, BRANCH, head) else ""


def _ingest_again(github: GitHub, reason: str) -> str:
    """Start another ingestion in a workflow, because the data has changed since the rows were checked.

    Raises:
        ConfigError: This is not a workflow; the user has to run the command again.
    """
    if not git.in_actions():
        raise ConfigError(reason, "Update this clone (`git switch main && git pull`), and run the command again.")
    workflow_dispatch.dispatch_ingest(github)
    return f"{reason} A separate workflow run fetches and checks the rows again."
