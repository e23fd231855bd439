"""Reading the bare repository."""

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
        """What a Git command prints."""
        done = subprocess.run(["git", "-C", str(self.bare), *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise LookupError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def default_branch(self) -> str:
        """The branch that HEAD names."""
        return self.git("symbolic-ref", "--short", "HEAD").strip()

    def tip(self, ref: str) -> str:
        """The commit that a ref is at."""
        return self.git("rev-parse", "--verify", f"{ref}^{{commit}}").strip()

    def message(self, sha: str) -> str:
        """A commit's message."""
        return self.git("show", "--no-patch", "--format=%B", sha)

    def workflows(self, sha: str) -> dict[str, str]:
        """The text of each workflow file of a commit, by the file's name."""
        names = self.git("ls-tree", "--name-only", sha, FOLDER).split()
        return {
            Path(name).name: self.git("show", f"{sha}:{name}") for name in names if name.endswith((".yml", ".yaml"))
        }

    def text(self, sha: str, path: str) -> str | None:
        """Return the text of a file of a commit; None where there is no such file."""
        listed = self.git("ls-tree", sha, path)
        return self.git("show", f"{sha}:{path}") if listed.partition(" ")[2].startswith("blob") else None

    def pushed(self, before: str, sha: str) -> list[str]:
        """The files that a push changed; a new branch is compared with the default one."""
        if before != NOWHERE:
            return self._changed(before, sha)
        default = f"refs/heads/{self.default_branch()}"
        if self.tip(default) == sha:  # there is nothing to compare the first push of all with
            return self.git("ls-tree", "-r", "--name-only", "-z", sha).split("\0")[:-1]
        return self.proposed(default, sha)

    def proposed(self, base: str, head: str) -> list[str]:
        """The files that a pull request changes, since it left its base."""
        return self._changed(self.git("merge-base", base, head).strip(), head)

    def _changed(self, old: str, new: str) -> list[str]:
        """The files in which two commits differ; a renamed file counts under both names."""
        return self.git("diff", "--name-only", "--no-renames", "-z", old, new).split("\0")[:-1]
