"""Keep the one data pull request as it should be: compute what differs, and do only that.

The order of effects is branch, pull request, comment, CI: whatever is cut off in between, the next run makes good.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_ml import console, git
from gitops_ml.commands.anew import again
from gitops_ml.errors import ConfigError, ForgeError, PullRequestsForbidden
from gitops_ml.forge import checks, pull_request
from gitops_ml.forge.github import GitHub, connect
from gitops_ml.forge.ingestion import DataOffer
from gitops_ml.forge.proposal import linked
from gitops_ml.ingesting import ingestion
from gitops_ml.ingesting.additive import NEW, insist_on_additions
from gitops_ml.ingesting.append import is_glob
from gitops_ml.manifest import digest_file
from gitops_ml.registry.propose import Change, Raced, blob_at, foreign, propose, publish

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.ingesting.ingestion import Ingestion

BRANCH = git.DATA


@dataclass(frozen=True)
class Standing:
    """The branch as it stands on the remote.

    Attributes:
        tip: Its commit.
        current: Main's data is still what it was cut from.
        foreign: What others put on it, in words; never overwritten.
    """

    tip: str
    current: bool
    foreign: tuple[str, ...]


def offer(repository: "Repository", folder: Path, digest: str, *, local: bool) -> None:
    """Propose what was checked: as the pull request, or as a branch of this clone.

    Raises:
        IntegrityError: It is not what the digest names, or would change what is here; nothing was proposed.
        ConfigError: The data is not what it was when the rows were checked.
        ForgeError: GitHub, or somebody's commits on the branch, are in the way.
    """
    made = ingestion.read(folder, digest)
    insist_on_additions(repository, made.path, folder / ingestion.DATA)
    change = _change(made, folder)
    if local:
        _locally(repository, made, change)
        return
    github = connect(repository.root)
    run = checks.run_page(github)
    wanted = DataOffer(made.path, made.rows, made.short, made.model_dump(mode="json"), run)
    told = again(_converge, github, repository, made, wanted, change)
    console.say(told)
    console.summarise(f"### New data\n\n{linked(told, github.page)}")


def _change(made: "Ingestion", folder: Path) -> Change:
    words = f"Add {made.rows} rows to {made.path}\n\nFrom {made.source}.\nRows {made.digest}\n"
    return Change(BRANCH, words, {made.path: folder / ingestion.DATA})


def _locally(repository: "Repository", made: "Ingestion", change: Change) -> None:
    why = _outdated(repository, made)
    if why:
        raise ConfigError(why, "Commit or undo what differs, go to main, and run `gitops ingest` again.")
    if propose(repository.root, change):
        console.say(f"Proposed: branch {BRANCH} adds {made.rows} row(s) to {made.path}.")
    else:
        console.say(f"Nothing to do: branch {BRANCH} adds these {made.rows} row(s) already.")
    console.say(
        f"Look at it:  git diff main...{BRANCH}\nTake them:   git merge --no-ff {BRANCH}\n"
        f"Refuse them: git branch -D {BRANCH}"
    )


def _outdated(repository: "Repository", made: "Ingestion") -> str:
    """Why main's data is not what the rows were checked against; empty where it is."""
    from gitops_ml.training.data import files

    root, main = repository.root, git.main_ref(repository.root)
    here = ingestion.base(repository, {file: digest_file(file) for file in files(repository)})
    if here != made.base:
        return "The data that lies here is not what the rows were checked against."
    place = _place(repository)
    differs = not git.succeeds(root, "diff", "--quiet", main, "--", place)
    if differs or git.run(root, "ls-files", "--others", "--", place):
        return f"The data that lies here is not main's ({main.removeprefix('refs/remotes/')})."
    return ""


def _place(repository: "Repository") -> str:
    """The data's files as Git knows them."""
    path = str(repository.config.data.path)
    return f":(top,glob){path}" if is_glob(path) else f":(top,literal){path}"


def _standing(repository: "Repository") -> Standing | None:
    """The branch on the remote, as `git.refresh` saw it last; None where there is none."""
    root, main = repository.root, git.main_ref(repository.root)
    tip = git.resolve(root, f"refs/remotes/origin/{BRANCH}")
    if tip is None:
        return None
    base = git.run(root, "merge-base", main, tip) if git.succeeds(root, "merge-base", main, tip) else None
    current = base is not None and git.succeeds(root, "diff", "--quiet", base, main, "--", _place(repository))
    pattern = str(repository.config.data.path)
    ours = {pattern}.__contains__ if not is_glob(pattern) else lambda path: bool(NEW.fullmatch(Path(path).name))
    return Standing(tip, current, foreign(root, base, tip, ours))


def _converge(github: GitHub, repository: "Repository", made: "Ingestion", wanted: DataOffer, change: Change) -> str:
    """One look at the state, and what has to be done about it; what was done, in words."""
    git.refresh(repository.root)
    why = _outdated(repository, made)
    if why:
        return _again(github, why)
    there, open_now = _standing(repository), pull_request.find(github, BRANCH)
    if open_now is None:
        return _first(github, repository, wanted, change, there)
    if there is None:
        raise Raced(f"The branch {BRANCH} is gone.", "Run the same command again.")
    if _offers(repository, there, change) and open_now.digest == wanted.short:
        asked = _ask_ci(github, there.tip)
        return f"Nothing to do: {open_now.page} offers these {wanted.rows} row(s) already." + asked
    refused = pull_request.closed_by_a_person(github, BRANCH, wanted.short)
    if refused:
        return f"These {wanted.rows} row(s) are not offered: a person closed {refused}."
    _stop_at_foreign(there)
    if pull_request.approved(github, open_now):
        pull_request.close(github, open_now, wanted.superseded)
        return _first(github, repository, wanted, change, there)
    head = _push(repository, change, there)
    changed = pull_request.rewrite(github, open_now, wanted.title, wanted.body)
    pull_request.comment_once(github, changed, wanted.mark, wanted.refreshed)
    return f"Refreshed {changed.page}: it offers {wanted.rows} row(s) now." + _ask_ci(github, head)


def _offers(repository: "Repository", there: Standing, change: Change) -> bool:
    """Whether the branch is exactly what it should be."""
    (path, file), *_ = change.files.items()
    blob = git.run(repository.root, "hash-object", "--no-filters", str(Path(str(file)).resolve()))
    return there.current and not there.foreign and blob_at(repository.root, there.tip, path) == blob


def _first(github: GitHub, repository: "Repository", wanted: DataOffer, change: Change, there: Standing | None) -> str:
    """No pull request is open: open one, unless a person has refused these very rows."""
    page = pull_request.closed_by_a_person(github, BRANCH, wanted.short)
    if page:
        return f"These {wanted.rows} row(s) are not offered again: a person closed {page}. Others may be."
    head = _push(repository, change, there)
    try:
        opened = pull_request.create(github, BRANCH, wanted.title, wanted.body)
    except PullRequestsForbidden as refusal:
        link = f"{github.page}/compare/main...{BRANCH}?expand=1"
        raise PullRequestsForbidden(
            f"{refusal.what} The rows wait at {link}.", refusal.next, refusal.status
        ) from refusal
    return f"Opened {opened.page}: it offers {wanted.rows} row(s)." + _ask_ci(github, head)


def _push(repository: "Repository", change: Change, there: Standing | None) -> str:
    """Bring the branch to the wanted data; its tip."""
    if there and _offers(repository, there, change):
        return there.tip
    _stop_at_foreign(there)
    return publish(repository.root, change, there.tip if there else None)


def _stop_at_foreign(there: Standing | None) -> None:
    """What others put on the branch is never overwritten."""
    if there and there.foreign:
        raise ForgeError(
            f"The branch {BRANCH} holds what gitops did not put there: {'; '.join(there.foreign)}. It was left alone.",
            f"Bring that to main by a pull request of its own, delete the branch (`git push origin :{BRANCH}`), and "
            "run Ingest again.",
        )


def _ask_ci(github: GitHub, head: str) -> str:
    """Have CI look at the head of an open pull request, unless it does; what was done, in words."""
    return " CI was asked to check it." if checks.request(github, BRANCH, head) else ""


def _again(github: GitHub, why: str) -> str:
    """The data has changed since the rows were checked: in a workflow, have all of it done again; here, say so."""
    if not git.in_actions():
        raise ConfigError(why, "Bring this clone to main (`git switch main && git pull`), and run it again.")
    checks.ingest(github)
    return f"{why} They are fetched and checked again, in a run of its own."
