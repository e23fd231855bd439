"""The bare repository, and what the server asks of Git."""

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
    """Two commits cannot be merged."""


@dataclass(frozen=True)
class Signature:
    """Who wrote a commit, and when."""

    name: str
    email: str
    date: str


@dataclass(frozen=True)
class Commit:
    """One commit, as Git has it."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


def around() -> dict[str, str]:
    """The environment without anything that would point Git elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {
        **kept,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


class Bare:
    """A bare repository on disk."""

    def __init__(self, path: Path) -> None:
        """Make it, unless it is there."""
        self.path = path
        if not (path / "HEAD").exists():
            path.mkdir(parents=True, exist_ok=True)
            self.run("init", "--quiet", "--bare", "--template=", "--initial-branch", "main", str(path))
        settings = path / "config"
        if CONFIG not in settings.read_text():
            settings.write_text(settings.read_text() + CONFIG)

    def run(self, *command: str, stdin: str | None = None, env: dict[str, str] | None = None) -> str:
        """What a Git command printed; an exception if it failed."""
        done = subprocess.run(
            ["git", *command], cwd=self.path, input=stdin, env={**around(), **(env or {})}, check=True, text=True,
            capture_output=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
        return done.stdout

    def _ask(self, *command: str) -> str | None:
        try:
            return self.run(*command).strip()
        except subprocess.CalledProcessError:
            return None

    def refs(self, under: str = "refs") -> dict[str, str]:
        """Every ref below a name, and what it is at."""
        lines = self.run("for-each-ref", "--format=%(objectname) %(refname)", under).splitlines()
        return {name: sha for sha, name in (line.split(" ", 1) for line in lines)}

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch, a tag or a commit's name stands for."""
        if not revision or revision.startswith("-"):
            return None
        return self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")

    def ref(self, name: str) -> str | None:
        """What a full ref is at."""
        return self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", name)

    def branch(self, name: str) -> str | None:
        """What a branch is at."""
        return self.ref(f"refs/heads/{name}")

    def well_formed(self, ref: str) -> bool:
        """Whether Git takes this for the name of a ref."""
        return self._ask("check-ref-format", ref) is not None

    def kind(self, sha: str) -> str:
        """Whether an object is a commit, a tag, a tree or a blob."""
        return self.run("cat-file", "-t", sha).strip()

    def point(self, ref: str, sha: str | None) -> None:
        """Set a ref, or delete it."""
        if sha is None:
            self.run("update-ref", "-d", ref)
        else:
            self.run("update-ref", ref, sha)

    def commit(self, sha: str) -> Commit:
        """One commit."""
        fields = self.run("show", "--no-patch", "--no-show-signature", f"--format={AUTHOR}", sha).split("\0", 9)
        parents = tuple(fields[2].split())
        author, committer = Signature(*fields[3:6]), Signature(*fields[6:9])
        return Commit(fields[0], fields[1], parents, author, committer, fields[9].strip("\n"))

    def between(self, old: str, new: str) -> list[str]:
        """The commits that `new` has and `old` has not, oldest first."""
        span = [new] if old == ZERO else [new, f"^{old}"]
        return self.run("rev-list", "--reverse", "--topo-order", *span).split()

    def base(self, one: str, other: str) -> str | None:
        """The commit that both come from."""
        return self._ask("merge-base", one, other)

    def contains(self, new: str, old: str) -> bool:
        """Whether `old` is an ancestor of `new`."""
        return self._ask("merge-base", "--is-ancestor", old, new) is not None

    def changed(self, sha: str) -> dict[str, list[str]]:
        """The files that one commit added, removed and modified, against its first parent."""
        found: dict[str, list[str]] = {"added": [], "removed": [], "modified": []}
        kinds = {"A": "added", "D": "removed"}
        how = ("--root", "-r", "-m", "--first-parent", "--no-renames", "--no-commit-id", "--name-status", "-z")
        lines = self.run("diff-tree", *how, sha).split("\0")
        for kind, path in zip(lines[0::2], lines[1::2], strict=False):
            found[kinds.get(kind, "modified")].append(path)
        return found

    def counted(self, base: str, head: str) -> tuple[int, int, int]:
        """Added lines, deleted lines and changed files from one commit to another."""
        rows = [line.split("\t") for line in self.run("diff", "--numstat", base, head).splitlines()]
        added = sum(int(row[0]) for row in rows if row[0].isdigit())
        deleted = sum(int(row[1]) for row in rows if row[1].isdigit())
        return added, deleted, len(rows)

    def text(self, revision: str, path: str) -> str | None:
        """A file's text at a revision."""
        return self._ask("show", "--end-of-options", f"{revision}:{path}")

    def file(self, revision: str, path: str) -> bytes | None:
        """A file's bytes at a revision."""
        command = ["git", "show", "--end-of-options", f"{revision}:{path}"]
        done = subprocess.run(command, cwd=self.path, env=around(), check=False, capture_output=True)
        return done.stdout if done.returncode == 0 else None

    def merged_tree(self, base: str, head: str) -> str:
        """The tree of a real merge."""
        tree = self._ask("merge-tree", "--write-tree", base, head)
        if tree is None:
            raise ConflictError(f"{head} conflicts with {base}")
        return tree

    def write(self, tree: str, parents: list[str], message: str, author: str) -> str:
        """A commit as GitHub makes one in a person's name."""
        env = {
            "GIT_AUTHOR_NAME": author,
            "GIT_AUTHOR_EMAIL": f"{author}@users.noreply.github.com",
            "GIT_COMMITTER_NAME": "GitHub",
            "GIT_COMMITTER_EMAIL": "noreply@github.com",
        }
        arguments = [argument for parent in parents for argument in ("-p", parent)]
        return self.run("commit-tree", tree, *arguments, stdin=message, env=env).strip()

    def rebase(self, base: str, head: str, committer: str) -> str:
        """The commits of `head` put on top of `base`; the last of them."""
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
