"""The bare repository, and Git operations on it."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

ZERO = "0" * 40
CONFIG = """
[http]
    receivepack = true
[uploadpack]
    allowFilter = true
    allowAnySHA1InWant = true
[receive]
    hideRefs = refs/pull
    denyDeleteCurrent = ignore
[gc]
    auto = 0
"""
AUTHOR = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"


class ConflictError(Exception):
    """Error for commits that cannot be merged."""


@dataclass(frozen=True)
class Signature:
    """Author or committer of a commit, with the date."""

    name: str
    email: str
    date: str


@dataclass(frozen=True)
class Commit:
    """One commit in Git."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


def clean_environment() -> dict[str, str]:
    """Return the environment without variables that change Git's configuration or repository."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {
        **inherited,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


class BareRepository:
    """A bare repository on disk."""

    def __init__(self, path: Path) -> None:
        """Create it, unless it exists."""
        self.path = path
        if not (path / "HEAD").exists():
            path.mkdir(parents=True, exist_ok=True)
            self.run("init", "--quiet", "--bare", "--template=", "--initial-branch", "main", str(path))
        config = path / "config"
        if CONFIG not in config.read_text():
            config.write_text(config.read_text() + CONFIG)

    def run(self, *command: str, stdin: str | None = None, env: dict[str, str] | None = None) -> str:
        """Run a Git command, and return its output."""
        done = subprocess.run(
            ["git", *command],
            cwd=self.path,
            input=stdin,
            env={**clean_environment(), **(env or {})},
            check=True,
            text=True,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        return done.stdout

    def _run_or_none(self, *command: str) -> str | None:
        try:
            return self.run(*command).strip()
        except subprocess.CalledProcessError:
            return None

    def refs(self, under: str = "refs") -> dict[str, str]:
        """Return every ref below a name, with its object."""
        lines = self.run("for-each-ref", "--format=%(objectname) %(refname)", under).splitlines()
        return {name: sha for sha, name in (line.split(" ", 1) for line in lines)}

    def resolve(self, revision: str) -> str | None:
        """Return the commit of a branch, a tag or a commit's name; None if it does not exist."""
        if not revision or revision.startswith("-"):
            return None
        return self._run_or_none("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")

    def ref(self, name: str) -> str | None:
        """Return the object of a full ref; None if it does not exist."""
        return self._run_or_none("rev-parse", "--verify", "--quiet", "--end-of-options", name)

    def branch(self, name: str) -> str | None:
        """Return the commit of a branch; None if it does not exist."""
        return self.ref(f"refs/heads/{name}")

    def is_valid_ref(self, ref: str) -> bool:
        """Return whether Git accepts this as the name of a ref."""
        return self._run_or_none("check-ref-format", ref) is not None

    def object_type(self, sha: str) -> str:
        """Return an object's type: commit, tag, tree or blob."""
        return self.run("cat-file", "-t", sha).strip()

    def set_ref(self, ref: str, sha: str | None) -> None:
        """Set a ref, or delete it if the commit is None."""
        if sha is None:
            self.run("update-ref", "-d", ref)
        else:
            self.run("update-ref", ref, sha)

    def commit(self, sha: str) -> Commit:
        """Return one commit."""
        fields = self.run("show", "--no-patch", "--no-show-signature", f"--format={AUTHOR}", sha).split("\0", 9)
        parents = tuple(fields[2].split())
        author, committer = Signature(*fields[3:6]), Signature(*fields[6:9])
        return Commit(fields[0], fields[1], parents, author, committer, fields[9].strip("\n"))

    def commits_between(self, old: str, new: str) -> list[str]:
        """Return the commits of `new` that `old` does not have, oldest first."""
        revisions = [new] if old == ZERO else [new, f"^{old}"]
        return self.run("rev-list", "--reverse", "--topo-order", *revisions).split()

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the common ancestor of two commits; None if there is none."""
        return self._run_or_none("merge-base", one, other)

    def contains(self, new: str, old: str) -> bool:
        """Return whether `old` is an ancestor of `new`."""
        return self._run_or_none("merge-base", "--is-ancestor", old, new) is not None

    def changed_files(self, sha: str) -> dict[str, list[str]]:
        """Return the files that a commit added, removed and modified, compared with its first parent."""
        files: dict[str, list[str]] = {"added": [], "removed": [], "modified": []}
        kinds = {"A": "added", "D": "removed"}
        options = ("--root", "-r", "-m", "--first-parent", "--no-renames", "--no-commit-id", "--name-status", "-z")
        lines = self.run("diff-tree", *options, sha).split("\0")
        for kind, path in zip(lines[0::2], lines[1::2], strict=False):
            files[kinds.get(kind, "modified")].append(path)
        return files

    def count_changes(self, base: str, head: str) -> tuple[int, int, int]:
        """Return the numbers of added lines, deleted lines and changed files between two commits."""
        rows = [line.split("\t") for line in self.run("diff", "--numstat", base, head).splitlines()]
        added = sum(int(row[0]) for row in rows if row[0].isdigit())
        deleted = sum(int(row[1]) for row in rows if row[1].isdigit())
        return added, deleted, len(rows)

    def read_text(self, revision: str, path: str) -> str | None:
        """Return the text of a file at a revision; None if it does not exist."""
        return self._run_or_none("show", "--end-of-options", f"{revision}:{path}")

    def read_bytes(self, revision: str, path: str) -> bytes | None:
        """Return the bytes of a file at a revision; None if it does not exist."""
        command = ["git", "show", "--end-of-options", f"{revision}:{path}"]
        done = subprocess.run(command, cwd=self.path, env=clean_environment(), check=False, capture_output=True)
        return done.stdout if done.returncode == 0 else None

    def merge_trees(self, base: str, head: str) -> str:
        """Return the tree of a merge."""
        tree = self._run_or_none("merge-tree", "--write-tree", base, head)
        if tree is None:
            raise ConflictError(f"{head} conflicts with {base}")
        return tree

    def create_commit(self, tree: str, parents: list[str], message: str, author: str) -> str:
        """Create a commit by a user, with GitHub as committer, and return it."""
        env = {
            "GIT_AUTHOR_NAME": author,
            "GIT_AUTHOR_EMAIL": f"{author}@users.noreply.github.com",
            "GIT_COMMITTER_NAME": "GitHub",
            "GIT_COMMITTER_EMAIL": "noreply@github.com",
        }
        arguments = [argument for parent in parents for argument in ("-p", parent)]
        return self.run("commit-tree", tree, *arguments, stdin=message, env=env).strip()

    def rebase(self, base: str, head: str, committer: str) -> str:
        """Rebase the commits of `head` on `base`, and return the last of them."""
        env = {"GIT_COMMITTER_NAME": committer, "GIT_COMMITTER_EMAIL": f"{committer}@users.noreply.github.com"}
        with tempfile.TemporaryDirectory() as folder:
            tree = str(Path(folder) / "tree")
            self.run("worktree", "add", "--quiet", "--detach", tree, head)
            try:
                self.run("-C", tree, "rebase", "--quiet", "--force-rebase", base, env=env)
                return self.run("-C", tree, "rev-parse", "HEAD").strip()
            except subprocess.CalledProcessError as error:
                raise ConflictError(f"{head} cannot be rebased on {base}") from error
            finally:
                self.run("worktree", "remove", "--force", tree)
