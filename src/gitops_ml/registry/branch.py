"""An orphan branch of the repository as a small transactional folder: fetch, apply, commit, push, or start over.

A transaction is a compare-and-swap on the branch's tip: if someone else pushed first, their tip is fetched and the
change is applied again to it. Nothing is ever merged, and the clone that a person works in is never touched.
"""

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from gitops_ml import git
from gitops_ml.config import Repository
from gitops_ml.errors import StoreError

T = TypeVar("T")
FILE_LIMIT = 50 * 2**20
README = """# The MLflow store of this repository

`gitops` writes this branch: `mlflow.db` is MLflow's database, `artifacts/` its artefacts, `ledger.jsonl` the facts
about deployments. Do not edit it by hand; look at it with `gitops ui` and `gitops store status`.
"""
# Settings that decide how a remote is reached; the clone for a transaction needs them as the person's clone has them.
REACH = r"^((http|https|credential|url|ssh|protocol)\.|core\.sshcommand$)"
# Nothing may change a file on its way; a person's signing and hooks are not for a machine's commits; and what lives
# for seconds need not be made small, or tidied up.
SETTINGS = (
    "core.autocrlf=false",
    f"core.hooksPath={os.devnull}",
    "commit.gpgsign=false",
    "core.looseCompression=0",
    "gc.auto=0",
)


class _Raced(Exception):
    """Someone else moved the branch; start over from their tip."""


class Branch:
    """The branch that model.toml names under [store], on its remote.

    Attributes:
        root: A private clone at the branch's tip, thrown away with this object. Artefacts are fetched when asked for.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._store = repository.config.store
        folder = tempfile.mkdtemp(prefix="gitops-store-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.root = Path(folder).resolve() / "store"
        self.tip: str | None = None

    @cached_property
    def url(self) -> str:
        """Where the branch is pushed to: the remote, or this clone itself where there is no such remote."""
        root = self._repository.root
        if not git.succeeds(root, "rev-parse", "--git-dir"):
            raise StoreError(f"{root} is not a Git repository.", "Run `git init -b main` there; the store is a branch.")
        if not git.succeeds(root, "remote", "get-url", self._store.remote):
            return str(root)
        url = git.run(root, "remote", "get-url", self._store.remote)
        local = root / url
        return str(local.resolve()) if "://" not in url and local.exists() else url

    @cached_property
    def _env(self) -> dict[str, str]:
        """The person's own settings for reaching the remote, and an identity for commits."""
        root = self._repository.root
        try:
            listed = git.run(root, "config", "--local", "--null", "--get-regexp", REACH)
        except git.GitError:  # no such setting
            listed = ""
        entries = [entry.partition("\n") for entry in listed.split("\0") if entry]
        pairs = [(key, value) for key, _, value in entries]
        return {**git.settings([*pairs, *git.credentials()]), **git.IDENTITY, **git.AUTHOR}

    def git(self, *args: str) -> str:
        """Run git in the private clone."""
        return git.run(self.root, *args, env=self._env)

    def refresh(self) -> str | None:
        """Bring the private clone to the branch's tip on the remote and return it; None where there is no branch yet.

        Raises:
            StoreError: The remote cannot be reached.
        """
        if not self.root.exists():
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
        """Fetch the tip, without the artefacts where the remote allows it, and check it out."""
        fetch = ["fetch", "--quiet", "--depth=1", "store", f"refs/heads/{self._store.branch}"]
        self.git(*fetch, "--filter=blob:none")
        tip = self.git("rev-parse", "FETCH_HEAD")
        checkout = ["checkout", "--quiet", "--force", "--detach", tip]
        try:
            self.git(*checkout)
        except git.GitError:
            # Some servers leave objects out and then refuse to send them when they are asked for by name.
            self.git(*fetch, "--refetch", "--no-filter")
            self.git(*checkout)
        self.git("clean", "--quiet", "--force", "-d", "-x")
        return tip

    def _init(self) -> None:
        """An empty clone that checks out everything but the artefacts, which are fetched when asked for."""
        url = self.url
        self.root.mkdir(parents=True)
        self.git("init", "--quiet")
        self.git("remote", "add", "store", url)
        self.git("sparse-checkout", "set", "--no-cone", "/*", "!/artifacts/")
        for setting in SETTINGS:
            self.git("config", *setting.split("="))

    def _empty(self) -> None:
        """Start the branch over with nothing; its first push tells whether we were the first."""
        if any(path.name != ".git" for path in self.root.iterdir()):
            # MLflow believes that a database which it has opened stays as it was: never the same address again.
            self.root = self.root.with_name(f"{self.root.name}-again")
            self._init()
        (self.root / "README.md").write_text(README, encoding="utf-8", newline="\n")

    def transact(self, message: str, change: Callable[[Path], T]) -> T:
        """Apply a change to the branch's files and push it; start over while others push first.

        Args:
            message: Of the commit.
            change: Given the folder; must be repeatable, for it is applied anew to each tip.

        Raises:
            StoreError: The remote refuses, a file is too large, or others pushed first every time.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(_Raced),
            stop=stop_after_attempt(self._store.retries),
            wait=wait_random_exponential(multiplier=0.1, max=3),
            reraise=True,
        )
        try:
            result: T = retrying(self._attempt, message, change)
        except _Raced as error:
            raise StoreError(
                f"Others pushed to the branch {self._store.branch!r} first, {self._store.retries} times in a row.",
                "Nothing was lost: run the same command again, or raise `retries` under [store] in model.toml.",
            ) from error
        return result

    def _attempt(self, message: str, change: Callable[[Path], T]) -> T:
        before = self.refresh()
        result = change(self.root)
        self._check_sizes()
        # By force: many people tell Git to ignore databases wherever they are.
        self.git("add", "--all", "--force", "--sparse", ".")
        if self.git("status", "--porcelain") and (before or self.git("ls-files", "--", ":!README.md")):
            self.git("commit", "--quiet", "--message", message)
            self._push(before)
        return result

    def _check_sizes(self) -> None:
        for folder, _, names in os.walk(self.root):
            for path in (Path(folder, name) for name in names):
                if ".git" not in path.relative_to(self.root).parts and path.stat().st_size > FILE_LIMIT:
                    raise too_large(path.name, path.stat().st_size)

    def _push(self, before: str | None) -> None:
        """Push our commit if the tip is still `before`; an answer that was lost may have been a yes."""
        ours, ref = self.git("rev-parse", "HEAD"), f"refs/heads/{self._store.branch}"
        try:
            self.git("push", "--quiet", f"--force-with-lease={ref}:{before or ''}", "store", f"HEAD:{ref}")
        except git.GitError as error:
            listed = self.git("ls-remote", self.url, ref)
            now = listed.split()[0] if listed else None
            if now != ours:
                # Two pushes at the same instant: git refuses one because the other holds the lock.
                if now != before or "cannot lock ref" in error.stderr or "incorrect old value" in error.stderr:
                    raise _Raced from error
                raise
        self.tip = ours


def too_large(what: str, size: int) -> StoreError:
    """The refusal of something that Git should not carry."""
    return StoreError(
        f"{what} is {size / 2**20:.0f} MiB; the store on a branch takes at most {FILE_LIMIT / 2**20:.0f} MiB a file.",
        "Move to a tracking server: set MLFLOW_TRACKING_URI to it (`gitops docs store`), and register again.",
    )
