"""Read access to the bare repository."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

NOWHERE = "0" * 40
FOLDER = ".github/workflows/"


@dataclass(frozen=True)
class Repository:
    """A bare repository, read only."""

    bare: Path

    def git(self, *arguments: str) -> str:
        """Return the output of a Git command."""
        done = subprocess.run(["git", "-C", str(self.bare), *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise LookupError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def default_branch(self) -> str:
        """Return the branch that HEAD names."""
        return self.git("symbolic-ref", "--short", "HEAD").strip()

    def tip(self, ref: str) -> str:
        """Return the commit of a ref."""
        return self.git("rev-parse", "--verify", f"{ref}^{{commit}}").strip()

    def message(self, sha: str) -> str:
        """Return a commit's message."""
        return self.git("show", "--no-patch", "--format=%B", sha)

    def workflows(self, sha: str) -> dict[str, str]:
        """Return the text of each workflow file of a commit, by file name."""
        names = self.git("ls-tree", "--name-only", sha, FOLDER).split()
        return {
            Path(name).name: self.git("show", f"{sha}:{name}") for name in names if name.endswith((".yml", ".yaml"))
        }

    def text(self, sha: str, path: str) -> str | None:
        """Return the text of a file of a commit; None where there is no such file."""
        listed = self.git("ls-tree", sha, path)
        return self.git("show", f"{sha}:{path}") if listed.partition(" ")[2].startswith("blob") else None

    def files_of_push(self, before: str, sha: str) -> list[str]:
        """Return the files that a push changed; a new branch is compared with the default branch."""
        if before != NOWHERE:
            return self._changed(before, sha)
        default = f"refs/heads/{self.default_branch()}"
        if self.tip(default) == sha:  # the very first push has no base
            return self.git("ls-tree", "-r", "--name-only", "-z", sha).split("\0")[:-1]
        return self.files_of_pull_request(default, sha)

    def files_of_pull_request(self, base: str, head: str) -> list[str]:
        """Return the files that a pull request changed since it left its base."""
        return self._changed(self.git("merge-base", base, head).strip(), head)

    def _changed(self, old: str, new: str) -> list[str]:
        """Return the files in which two commits differ; a renamed file counts under both names."""
        return self.git("diff", "--name-only", "--no-renames", "-z", old, new).split("\0")[:-1]
