"""An orphan branch of the repository as a small transactional folder: fetch, apply, commit, push, or start over.

A transaction is a compare-and-swap on the branch's tip: if another process pushed first, its tip is fetched and the
change is applied again to it. Nothing is ever merged, and the clone that the user works in is never changed.
"""

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from gitops_ml import git
from gitops_ml.config import Repository
from gitops_ml.errors import StoreError
from gitops_ml.registry.clone_folder import CloneRemoved, create_clone_folder, is_intact

T = TypeVar("T")
FILE_LIMIT = 50 * 2**20
README = """# The MLflow store of this repository

`gitops` writes this branch: `mlflow.db` is MLflow's database, `artifacts/` its artefacts, `ledger.jsonl` the facts
about deployments. Do not edit it by hand. To read it, run `gitops ui` and `gitops store status`.
"""
# Settings that decide how a remote is reached. The clone for a transaction needs those of the user's clone.
CONNECTION_SETTINGS = r"^((http|https|credential|url|ssh|protocol)\.|core\.sshcommand$)"
# Git must not convert files, create links that are on the branch, sign these commits or run the user's hooks; and a
# clone that lives for seconds needs neither compression nor garbage collection.
CLONE_SETTINGS = (
    "core.autocrlf=false",
    "core.symlinks=false",
    f"core.hooksPath={os.devnull}",
    "commit.gpgsign=false",
    "core.looseCompression=0",
    "gc.auto=0",
)


# Attempts of a command whose private clone other processes remove.
CLONES = 3


class _TipMoved(Exception):
    """Another process pushed to the branch; start again from its tip."""


class Branch:
    """The branch that model.toml names under [store], on its remote.

    Attributes:
        root: Root folder of a private clone at the branch's tip; it is deleted with this object, and replaced if
            another process removed it. Artefacts are fetched on demand.
        tip: Commit at the branch's tip when it was fetched last; None if there is no branch or it was not fetched.
    """

    def __init__(self, repository: Repository) -> None:
        """Create the folder of the private clone; nothing is fetched yet.

        Args:
            repository: The clone that the user works in; its model.toml names the branch and the remote.
        """
        self._repository = repository
        self._store = repository.config.store
        self.root = create_clone_folder(self)
        self.tip: str | None = None

    @cached_property
    def url(self) -> str:
        """URL to push the branch to: the remote, or the path of this clone if it has no such remote."""
        root = self._repository.root
        if not git.succeeds(root, "rev-parse", "--git-dir"):
            raise StoreError(f"{root} is not a Git repository.", "Run `git init -b main` there: the store is a branch.")
        if not git.succeeds(root, "remote", "get-url", self._store.remote):
            return str(root)
        url = git.run(root, "remote", "get-url", self._store.remote)
        local = root / url
        return str(local.resolve()) if "://" not in url and local.exists() else url

    @cached_property
    def _env(self) -> dict[str, str]:
        """Environment with the user's settings for reaching the remote, and an identity for commits."""
        root = self._repository.root
        try:
            listed = git.run(root, "config", "--local", "--null", "--get-regexp", CONNECTION_SETTINGS)
        except git.GitError:  # no such setting
            listed = ""
        entries = [entry.partition("\n") for entry in listed.split("\0") if entry]
        pairs = [(key, value) for key, _, value in entries]
        settings = git.config_environment([*pairs, *git.credential_settings()])
        # If the clone is removed, git must not take a repository around the temporary folder for it.
        ceiling = {"GIT_CEILING_DIRECTORIES": str(self.root.parent)}
        return {**settings, **ceiling, **git.COMMITTER, **git.AUTHOR}

    def git(self, *args: str) -> str:
        """Run git in the private clone.

        Args:
            *args: Arguments of git.

        Returns:
            Output of git, without the last line end.

        Raises:
            StoreError: The git command failed.
        """
        return git.run(self.root, *args, env=self._env)

    def refresh(self) -> str | None:
        """Check out the branch's tip from the remote in the private clone.

        Returns:
            The commit at the tip; None if there is no branch yet.

        Raises:
            StoreError: The remote cannot be reached.
        """
        return self.repeat_in_new_clone(self._refresh)

    def repeat_in_new_clone(self, action: Callable[[], T]) -> T:
        """Run an action in the private clone; if another process removed the clone, run it again in a new one.

        Args:
            action: Function to run. It must be repeatable, and call `refresh` first.

        Returns:
            What `action` returned.

        Raises:
            CloneRemoved: The clone was removed in every attempt.
        """
        for _ in range(CLONES):
            try:
                return action()
            except Exception as error:
                if not isinstance(error, CloneRemoved) and is_intact(self.root, self.tip):
                    raise
                # MLflow caches a database by its address, so a new database needs a new path.
                removed, self.root, self.tip = self.root, create_clone_folder(self), None
                self.__dict__.pop("_env", None)
                last = error
        raise CloneRemoved(removed) from last

    def tracks(self, path: str) -> bool:
        """Return whether the branch's tip has a file.

        Args:
            path: Path of the file from the root.
        """
        return self.tip is not None and bool(self.git("ls-files", "--", path))

    def _refresh(self) -> str | None:
        if not self.root.exists():
            self.tip = None
            self._init()
        listed = self.git("ls-remote", self.url, f"refs/heads/{self._store.branch}")
        tip = listed.split()[0] if listed else None
        if tip is None:
            self._empty()
        elif tip != self.tip or self.git("status", "--porcelain"):
            tip = self._check_out()
        self.tip = tip
        return tip

    def _check_out(self) -> str:
        """Fetch the tip, without the artefacts if the remote allows it, and check it out."""
        fetch = ["fetch", "--quiet", "--depth=1", "store", f"refs/heads/{self._store.branch}"]
        self.git(*fetch, "--filter=blob:none")
        tip = self.git("rev-parse", "FETCH_HEAD")
        checkout = ["checkout", "--quiet", "--force", "--detach", tip]
        try:
            self.git(*checkout)
        except git.GitError:
            # Some servers leave objects out and then refuse to send them by name.
            self.git(*fetch, "--refetch", "--no-filter")
            self.git(*checkout)
        self.git("clean", "--quiet", "--force", "-d", "-x")
        return tip

    def _init(self) -> None:
        """Create an empty clone that checks out all files but the artefacts, which are fetched on demand."""
        url = self.url
        self.root.mkdir(parents=True)
        self.git("init", "--quiet")
        self.git("remote", "add", "store", url)
        self.git("sparse-checkout", "set", "--no-cone", "/*", "!/artifacts/")
        for setting in CLONE_SETTINGS:
            self.git("config", *setting.split("="))

    def _empty(self) -> None:
        """Start the branch with a README; its first push fails if another process pushed first."""
        if any(path.name != ".git" for path in self.root.iterdir()):
            # MLflow caches a database by its address, so a new database needs a new path.
            self.root = self.root.with_name(f"{self.root.name}-again")
            self._init()
        (self.root / "README.md").write_text(README, encoding="utf-8", newline="\n")

    def transact(self, message: str, change: Callable[[Path], T]) -> T:
        """Apply a change to the branch's files and push it; start again if another process pushed first.

        Args:
            message: Commit message.
            change: Function that gets the checked-out folder and changes files in it. It must be repeatable, because
                it is applied again to each new tip.

        Returns:
            What `change` returned.

        Raises:
            StoreError: The remote refuses the push, a file is too large, or other processes pushed first, or removed
                the clone, in every attempt.
        """
        return self.repeat_in_new_clone(lambda: self._transact(message, change))

    def _transact(self, message: str, change: Callable[[Path], T]) -> T:
        retrying = Retrying(
            retry=retry_if_exception_type(_TipMoved),
            stop=stop_after_attempt(self._store.retries),
            wait=wait_random_exponential(multiplier=0.1, max=3),
            reraise=True,
        )
        try:
            result: T = retrying(self._attempt, message, change)
        except _TipMoved as error:
            raise StoreError(
                f"Other processes pushed to the branch {self._store.branch!r} first, {self._store.retries} times in a "
                "row.",
                "Nothing was lost. Run the same command again, or raise `retries` under [store] in model.toml.",
            ) from error
        return result

    def _attempt(self, message: str, change: Callable[[Path], T]) -> T:
        before = self.refresh()
        result = change(self.root)
        self._check_sizes()
        # With --force, because many users tell Git to ignore all databases.
        self.git("add", "--all", "--force", "--sparse", ".")
        if self.git("status", "--porcelain") and (before or self.git("ls-files", "--", ":!README.md")):
            self.git("commit", "--quiet", "--message", message)
            self._push(before)
        return result

    def _check_sizes(self) -> None:
        for folder, _, names in os.walk(self.root):
            for path in (Path(folder, name) for name in names):
                if ".git" not in path.relative_to(self.root).parts and path.stat().st_size > FILE_LIMIT:
                    raise file_too_large_error(path.name, path.stat().st_size)

    def _push(self, before: str | None) -> None:
        """Push the commit if the tip is still `before`; a push whose response was lost may have succeeded."""
        commit, ref = self.git("rev-parse", "HEAD"), f"refs/heads/{self._store.branch}"
        try:
            self.git("push", "--quiet", f"--force-with-lease={ref}:{before or ''}", "store", f"HEAD:{ref}")
        except git.GitError as error:
            listed = self.git("ls-remote", self.url, ref)
            now = listed.split()[0] if listed else None
            if now != commit:
                # Of two pushes at the same instant, git refuses one because the other holds the lock.
                if now != before or "cannot lock ref" in error.stderr or "incorrect old value" in error.stderr:
                    raise _TipMoved from error
                raise
        self.tip = commit


def file_too_large_error(name: str, size: int) -> StoreError:
    """Return the error for a file that is too large for Git.

    Args:
        name: Name of the file.
        size: Size in bytes.
    """
    return StoreError(
        f"{name} is {size / 2**20:.0f} MiB; the store on a branch takes at most {FILE_LIMIT / 2**20:.0f} MiB per file.",
        "Move to a tracking server: set MLFLOW_TRACKING_URI to it (`gitops docs store`), and register again.",
    )
