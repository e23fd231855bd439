"""Git, as commands run it."""

import base64
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitops_ml.errors import StoreError

TIMEOUT = 600
# Branches that propose a change to main: `promote/production` and the like.
PROPOSALS = ("promote", "rollback", "lift", "data")
DATA = "data/ingest"  # the one that proposes new rows
# Machines commit too; a person's own identity is used where there is one.
# GitHub shows this address as its own bot, and gives it to nobody.
EMAIL = "41898282+github-actions[bot]@users.noreply.github.com"
IDENTITY = {"GIT_COMMITTER_NAME": "gitops", "GIT_COMMITTER_EMAIL": EMAIL}
AUTHOR = {"GIT_AUTHOR_NAME": "gitops", "GIT_AUTHOR_EMAIL": EMAIL}


class GitError(StoreError):
    """A git command failed.

    Attributes:
        stderr: What git said.
    """

    def __init__(self, command: str, stderr: str) -> None:
        super().__init__(f"`git {command}` failed: {stderr}", "Mend what git names, then run the same command again.")
        self.stderr = stderr


def run(root: Path, *args: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
    """Run git in a folder and return what it printed, without the last line's end.

    Raises:
        GitError: git is missing, took longer than ten minutes, or ended with an error.
    """
    # A question for a password would wait for ever where nobody is there to answer.
    full = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **settings(credentials()), **(env or {})}
    try:
        done = subprocess.run(
            ["git", *args], cwd=root, env=full, input=stdin, capture_output=True, timeout=TIMEOUT,
            encoding="utf-8", errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(args[0], str(error)) from error
    if done.returncode:
        raise GitError(args[0], done.stderr.strip() or f"exit {done.returncode}")
    return done.stdout.rstrip("\n")


def settings(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Environment that gives git these settings, after those that the environment names already."""
    first = int(os.environ.get("GIT_CONFIG_COUNT", "0"))
    env = {"GIT_CONFIG_COUNT": str(first + len(pairs))} if pairs else {}
    for number, (key, value) in enumerate(pairs, first):
        env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return env


def credentials() -> list[tuple[str, str]]:
    """In a job of GitHub Actions, settings that carry its token to its server and no other; they are kept in no file.

    Empty elsewhere: a person's git knows how to reach the person's remotes.
    """
    token, server = os.environ.get("GITHUB_TOKEN"), os.environ.get("GITHUB_SERVER_URL")
    if not in_actions() or not token or not server:
        return []
    key = f"http.{server.rstrip('/')}/.extraheader"
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    # GitHub refuses two of these headers, and checkout may have left one in the clone: an empty value drops it.
    return [(key, ""), (key, f"AUTHORIZATION: basic {basic}")]


def in_actions() -> bool:
    """Whether a job of GitHub Actions runs us."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def refresh(root: Path) -> None:
    """Bring what the clone knows of main and of the proposals up to date, with the whole history of both.

    A job's checkout holds a single commit, and others may have pushed since it was made.
    """
    shallow = run(root, "rev-parse", "--is-shallow-repository") == "true"
    run(
        root, "fetch", "--quiet", "--no-tags", "--prune", *(["--unshallow", "--filter=blob:none"] if shallow else []),
        "origin", "+refs/heads/main:refs/remotes/origin/main",
        *(f"+refs/heads/{kind}/*:refs/remotes/origin/{kind}/*" for kind in PROPOSALS),
    )  # fmt: skip


def catch_up(root: Path) -> None:
    """The same where the clone follows a remote; in a job always, for a checkout of another branch knows no main."""
    if in_actions() or resolve(root, "refs/remotes/origin/main"):
        refresh(root)


def succeeds(root: Path, *args: str) -> bool:
    """Whether a git command ends without an error; for questions whose answer is the exit code."""
    try:
        run(root, *args)
    except GitError:
        return False
    return True


def resolve(root: Path, revision: str) -> str | None:
    """The commit that a revision names, or None when there is no such revision."""
    try:
        return run(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except GitError:
        return None


def main_ref(root: Path) -> str:
    """The revision that stands for main: the remote's when the clone knows it, else the clone's own, else HEAD.

    Raises:
        StoreError: This is a job, and its clone does not know the remote's: anything else may be unmerged.
    """
    remote, own = "refs/remotes/origin/main", "refs/heads/main"
    if in_actions() and not resolve(root, remote):
        raise StoreError("This job's clone does not know main.", "Run the workflow on main, where it was merged.")
    return next((revision for revision in (remote, own) if resolve(root, revision)), "HEAD")


def ahead(root: Path, revision: str) -> int:
    """How many commits the clone's own main has that this revision lacks."""
    if not resolve(root, "refs/heads/main") or not resolve(root, revision):
        return 0
    return int(run(root, "rev-list", "--count", f"{revision}..refs/heads/main"))


def show(root: Path, revision: str, path: str) -> str | None:
    """The content of a file at a revision, or None where it is not."""
    present = resolve(root, revision) and run(root, "ls-tree", revision, "--", path)
    return run(root, "show", f"{revision}:{path}") if present else None


def identity(root: Path) -> dict[str, str]:
    """Environment for a commit: nothing where the person has an identity, else the machine's."""
    known = "GIT_COMMITTER_EMAIL" in os.environ or succeeds(root, "config", "user.email")
    return {} if known else {**IDENTITY, **AUTHOR}


def is_dirty(root: Path) -> bool:
    """Whether tracked files differ from HEAD, or untracked files lie about that git does not ignore."""
    return bool(run(root, "status", "--porcelain"))
