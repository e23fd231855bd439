"""A contributor with a clone, and the whole local GitHub: the server and the runner."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import memory_folder

from .model import Run
from .person import Person
from .runner import Runner
from .server import LocalGitHub

GIT_IDENTITY = {f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER")
          for field, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))}  # fmt: skip


LIBRARY_SOURCE = Path(__file__).parents[2] / "src"


class NotInstalled(Exception):
    """Error for packages that cannot be downloaded, with the last output of the installer."""


class Contributor(Person):
    """A person with a clone whose remote is the local GitHub."""

    def __init__(self, hub: LocalGitHub, runner: Runner, clone: Path) -> None:
        """Keep the hub, the runner and the clone."""
        super().__init__(hub)
        self.server, self.runner, self.clone = hub, runner, clone
        self.known_runs: set[int] = set()

    def run(self, *command: str) -> str:
        """Run a command in the clone, as the person."""
        environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
        done = subprocess.run(
            command, cwd=self.clone, env={**environment, **GIT_IDENTITY}, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-4000:]}"
        return done.stdout

    def commit(self, message: str) -> str:
        """Commit all changes, and return the commit."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", message)
        return self.run("git", "rev-parse", "HEAD").strip()

    def push(self, message: str, branch: str = "main") -> str:
        """Commit and push all changes, and return the commit."""
        commit = self.commit(message)
        self.run("git", "push", "--quiet", "origin", f"HEAD:{branch}")
        return commit

    def wait_for_runs(self, timeout: float = 900) -> dict[str, Run]:
        """Wait until all runs have ended, and return the runs since the last call by workflow (the last of each)."""
        runs = [run for run in self.runner.wait(timeout) if run.id not in self.known_runs]
        self.known_runs |= {run.id for run in runs}
        return {run.workflow: run for run in runs}

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text in a file of the clone; the text must exist."""
        text = (self.clone / path).read_text()
        assert old in text, f"{path} does not hold {old!r}"
        (self.clone / path).write_text(text.replace(old, new))

    def choose_columns(self, columns: str) -> None:
        """Set the feature columns of the pipeline."""
        file = next((self.clone / "src").glob("*/features.py"))
        text = file.read_text()
        start, end = text.index("COLUMNS = [\n") + len("COLUMNS = [\n"), text.index("]\n")
        file.write_text(text[:start] + columns + text[end:])


@contextmanager
def start_github(
    folder: Path, clone: Path, *, env: Mapping[str, str] | None = None, port: int = 0
) -> Iterator[Contributor]:
    """Start a GitHub with a new repository, to which this clone pushes; workflows may open pull requests.

    Args:
        folder: Folder of all files.
        clone: Git repository; its remote `origin` becomes the hub.
        env: Environment variables of jobs.
        port: Port to listen on; 0 for a free one.
    """
    hub = LocalGitHub(folder / "hub").start(port)
    try:
        with memory_folder.temporary_folder(folder / "runs") as runs, Runner(hub, runs, env=env or {}) as runner:
            hub.listeners.append(runner.on_event)
            hub.approvers.append(runner.approve)
            hub.reviewers.append(runner.review)
            hub.settings.actions_may_open_pull_requests = True
            contributor = Contributor(hub, runner, clone)
            contributor.run("git", "remote", "add", "origin", hub.remote)
            yield contributor
    finally:
        hub.stop()


def warm_cache(folder: Path, locks: Path) -> dict[str, str]:
    """Fill package caches for jobs, with compiled files, and return their environment variables.

    Each job installs its packages again, as on GitHub, and Python would also compile them again; on a machine with two
    cores that takes longer than the job itself. uv links the files in its cache, including compiled ones. The packages
    that pip installs (first of all uv) are in a folder, so that no index is used; the lock's hashes still apply.

    Args:
        folder: Folder of the caches.
        locks: Folder of the lock files that jobs install.

    Raises:
        NotInstalled: No index can be reached, or it lacks a package.
    """
    cache, venv = folder / "uv", folder / "venv"
    # Called as in jobs, with the settings of pip.
    uv = [sys.executable, "-m", "gitops_ml.uv", "--cache-dir", str(cache), "--quiet"]
    _install(*uv, "venv", "--python", sys.executable, str(venv))
    requirements = ["-r", str(locks / "build.txt"), "-r", str(locks / "dev.txt")]
    _install(*uv, "pip", "install", "--python", str(venv / "bin" / "python"), "--require-hashes", *requirements)
    shutil.rmtree(venv)
    wheels = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
              "--dest", str(folder / "wheels")]  # fmt: skip
    _install(*wheels, "-r", str(locks / "build.txt"))
    # Some files of packages do not compile with this Python; their errors are ignored.
    compiled = [sys.executable, "-m", "compileall", "-q", "-j", "0", str(cache / "archive-v0")]
    subprocess.run(compiled, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return caches(folder)


def _install(*command: str) -> None:
    """Run a command that downloads packages."""
    done = subprocess.run(
        command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(LIBRARY_SOURCE)},
    )  # fmt: skip
    if done.returncode:
        raise NotInstalled(done.stdout[-2000:].strip())


def caches(folder: Path) -> dict[str, str]:
    """Return the environment variables of the caches in a folder, including that of mypy."""
    wheels = folder / "wheels"
    ready = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "UV_OFFLINE": "1"} if wheels.is_dir() else {}
    return {"UV_CACHE_DIR": str(folder / "uv"), "PIP_CACHE_DIR": str(folder / "pip"),
            "MYPY_CACHE_DIR": str(folder / "mypy"), **ready}  # fmt: skip
