"""Run Git, and read revisions, branches and files with it."""

import base64
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitops_ml.errors import StoreError

# Longest time of a command in seconds. The branches of a remote are listed in seconds; a large push takes minutes.
TIMEOUT, LISTING_TIMEOUT = 600, 60
# Seconds without a byte after which a transfer is given up: the remote accepted the connection and does not answer.
SILENCE = 30
TRANSFERS = frozenset({"fetch", "ls-remote", "push"})
# Branches that propose a change to main: `promote/production` and the like.
PROPOSAL_PREFIXES = ("promote", "rollback", "lift", "start-over", "data", "update")
DATA_BRANCH = "data/ingest"  # the branch that proposes new rows
UPDATE_BRANCH = "update/gitops-ml"  # the branch that proposes a newer version of the library and its template
# Identity of commits by workflows; the identity of the user is preferred if it is configured.
# GitHub shows this address as its own bot, and no account can have it.
EMAIL = "41898282+github-actions[bot]@users.noreply.github.com"
COMMITTER = {"GIT_COMMITTER_NAME": "gitops", "GIT_COMMITTER_EMAIL": EMAIL}
AUTHOR = {"GIT_AUTHOR_NAME": "gitops", "GIT_AUTHOR_EMAIL": EMAIL}


class GitError(StoreError):
    """A git command failed.

    Attributes:
        stderr: Error output of git.
    """

    def __init__(
        self, command: str, stderr: str, next_step: str = "Fix what git reports, then run the same command again."
    ) -> None:
        super().__init__(f"`git {command}` failed: {stderr}", next_step)
        self.stderr = stderr


def run(root: Path, *args: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
    """Run git in a folder.

    Args:
        root: Working directory.
        *args: Command and options of git.
        env: Variables to add to the environment.
        stdin: Text for standard input; None for no input.

    Returns:
        Standard output without trailing line breaks.

    Raises:
        GitError: git is missing, took too long, or ended with an error.
    """
    content = None if stdin is None else stdin.encode()
    return run_bytes(root, *args, env=env, stdin=content).decode(errors="replace").rstrip("\n")


def run_bytes(
    root: Path, *args: str, env: Mapping[str, str] | None = None, stdin: bytes | None = None,
    exit_codes: Sequence[int] = (0,),
) -> bytes:  # fmt: skip
    """Run git in a folder, with input and output in bytes: contents, and names that may not be UTF-8.

    Args:
        root: Working directory.
        *args: Command and options of git.
        env: Variables to add to the environment.
        stdin: Standard input; None for no input.
        exit_codes: Exit codes that are no error.

    Returns:
        Standard output.

    Raises:
        GitError: git is missing, took too long, or ended with an error.
    """
    # A prompt for a password would block a workflow for ever.
    settings = config_environment([*credential_settings(), *LIMITS])
    full = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **settings, **(env or {})}
    full |= _ssh_limits(root, full) if args[0] in TRANSFERS else {}
    seconds = LISTING_TIMEOUT if args[0] == "ls-remote" else TIMEOUT
    try:
        done = subprocess.run(["git", *args], cwd=root, env=full, input=stdin, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        # The error's own text has all arguments, and an address may have a password.
        raise GitError(
            args[0], f"it was not done after {seconds} seconds.",
            "Check the network, and that the remote answers (`git ls-remote`). Then run the same command again.",
        ) from error  # fmt: skip
    except OSError as error:
        raise GitError(args[0], str(error)) from error
    if done.returncode not in exit_codes:
        raise GitError(args[0], done.stderr.decode(errors="replace").strip() or _describe_end(done.returncode))
    return done.stdout


# For HTTP, in all commands: some fetch missing files of a partial clone. Less than a byte a second is no transfer.
LIMITS = (("http.lowSpeedLimit", "1"), ("http.lowSpeedTime", str(SILENCE)))


def _ssh_limits(root: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Return variables that let ssh give up on a silent remote; none if the user has a command for ssh."""
    if not env.keys().isdisjoint({"GIT_SSH_COMMAND", "GIT_SSH"}):
        return {}
    command = ["git", "config", "--get", "core.sshCommand"]
    if subprocess.run(command, cwd=root, env=env, capture_output=True).stdout.strip():
        return {}
    alive = f"-o ServerAliveInterval={SILENCE // 2} -o ServerAliveCountMax=2"
    return {"GIT_SSH_COMMAND": f"ssh -o ConnectTimeout={SILENCE} {alive}"}


def _describe_end(returncode: int) -> str:
    """Return how git ended without a message."""
    return f"exit {returncode}" if returncode >= 0 else f"it was ended: {signal.strsignal(-returncode)}"


def config_environment(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return environment variables that pass settings to git, after those that the environment already has.

    Args:
        pairs: Keys and values of the settings.
    """
    first = int(os.environ.get("GIT_CONFIG_COUNT", "0"))
    env = {"GIT_CONFIG_COUNT": str(first + len(pairs))} if pairs else {}
    for number, (key, value) in enumerate(pairs, first):
        env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return env


def credential_settings() -> list[tuple[str, str]]:
    """Return settings that authenticate with GitHub in a job of GitHub Actions; they are written to no file.

    The token is sent to GitHub's server only. The list is empty elsewhere: a user's git has its own credentials.
    """
    token, server = os.environ.get("GITHUB_TOKEN"), os.environ.get("GITHUB_SERVER_URL")
    if not in_actions() or not token or not server:
        return []
    key = f"http.{server.rstrip('/')}/.extraheader"
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    # GitHub refuses two of these headers, and checkout may have left one in the clone: an empty value drops it.
    return [(key, ""), (key, f"AUTHORIZATION: basic {basic}")]


def in_actions() -> bool:
    """Return whether this process runs in GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def fetch_branches(root: Path) -> None:
    """Fetch main and the branches of proposals, with their whole history.

    A job's checkout holds a single commit, and the remote may have changed since it was made.

    Args:
        root: Root of the clone.

    Raises:
        GitError: The remote cannot be reached.
    """
    shallow = run(root, "rev-parse", "--is-shallow-repository") == "true"
    run(
        root, "fetch", "--quiet", "--no-tags", "--prune", *(["--unshallow", "--filter=blob:none"] if shallow else []),
        "origin", "+refs/heads/main:refs/remotes/origin/main",
        *(f"+refs/heads/{kind}/*:refs/remotes/origin/{kind}/*" for kind in PROPOSAL_PREFIXES),
    )  # fmt: skip


def fetch_branches_if_tracked(root: Path) -> None:
    """Fetch as `fetch_branches` does if the clone tracks the remote's main; always in GitHub Actions.

    Args:
        root: Root of the clone.

    Raises:
        GitError: The remote cannot be reached.
    """
    if in_actions() or resolve(root, "refs/remotes/origin/main"):
        fetch_branches(root)


def succeeds(root: Path, *args: str) -> bool:
    """Return whether a git command succeeds, for commands whose result is the exit code.

    Args:
        root: Working directory.
        *args: Command and options of git.
    """
    try:
        run(root, *args)
    except GitError:
        return False
    return True


def resolve(root: Path, revision: str) -> str | None:
    """Return the id of the commit that a revision names, or None if there is no such revision.

    Args:
        root: Root of the clone.
        revision: Revision, such as a branch.
    """
    try:
        return run(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except GitError:
        return None


def main_ref(root: Path) -> str:
    """Return the revision that is main: the remote's if the clone has it, else the clone's own, else HEAD.

    Args:
        root: Root of the clone.

    Raises:
        StoreError: The clone of a job lacks the remote's main, and its commit may be unmerged.
    """
    remote, own = "refs/remotes/origin/main", "refs/heads/main"
    if in_actions() and not resolve(root, remote):
        raise StoreError("The clone of this job has no main.", "Merge the change, then run the workflow on main.")
    return next((revision for revision in (remote, own) if resolve(root, revision)), "HEAD")


def count_commits_ahead(root: Path, revision: str) -> int:
    """Return the number of commits that the clone's own main has and a revision lacks.

    Args:
        root: Root of the clone.
        revision: Revision to compare with.
    """
    if not resolve(root, "refs/heads/main") or not resolve(root, revision):
        return 0
    return int(run(root, "rev-list", "--count", f"{revision}..refs/heads/main"))


def read_file(root: Path, revision: str, path: str) -> str | None:
    """Return the content of a file at a revision, or None if the file or the revision does not exist.

    Args:
        root: Root of the clone.
        revision: Revision to read from.
        path: Path of the file from the root.
    """
    present = resolve(root, revision) and run(root, "ls-tree", revision, "--", path)
    return run(root, "show", f"{revision}:{path}") if present else None


def commit_environment(root: Path) -> dict[str, str]:
    """Return environment variables for a commit: none if the user has an identity, else the workflow's identity.

    Args:
        root: Root of the clone.
    """
    configured = "GIT_COMMITTER_EMAIL" in os.environ or succeeds(root, "config", "user.email")
    return {} if configured else {**COMMITTER, **AUTHOR}
