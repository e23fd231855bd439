"""The whole local GitHub: the server, the runner beside it, and a person with a clone."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import memory

from .model import Run
from .person import Person
from .runner import Runner
from .server import LocalGitHub

PERSON = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
          for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))}  # fmt: skip


SOURCE = Path(__file__).parents[2] / "src"


class NotInstalled(Exception):
    """Packages could not be fetched; what the installer said last."""


class Site(Person):
    """A person's clone, and the GitHub that it is pushed to."""

    def __init__(self, hub: LocalGitHub, runner: Runner, clone: Path) -> None:
        """The clone's remote is the hub."""
        super().__init__(hub)
        self.server, self.runner, self.clone = hub, runner, clone
        self.seen: set[int] = set()

    def run(self, *command: str) -> str:
        """Run a command in the clone, as the person."""
        around = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
        done = subprocess.run(
            command, cwd=self.clone, env={**around, **PERSON}, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-4000:]}"
        return done.stdout

    def commit(self, message: str) -> str:
        """Commit everything; the commit."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", message)
        return self.run("git", "rev-parse", "HEAD").strip()

    def push(self, message: str, branch: str = "main") -> str:
        """Commit everything and push it; the commit."""
        commit = self.commit(message)
        self.run("git", "push", "--quiet", "origin", f"HEAD:{branch}")
        return commit

    def settled(self, timeout: float = 900) -> dict[str, Run]:
        """Wait until nothing runs; the runs since the last look, by workflow (the last of each)."""
        found = [run for run in self.runner.wait(timeout) if run.id not in self.seen]
        self.seen |= {run.id for run in found}
        return {run.workflow: run for run in found}

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text in a file of the clone, which must be there."""
        text = (self.clone / path).read_text()
        assert old in text, f"{path} does not hold {old!r}"
        (self.clone / path).write_text(text.replace(old, new))

    def choose(self, columns: str) -> None:
        """Let the pipeline see these columns."""
        file = next((self.clone / "src").glob("*/features.py"))
        text = file.read_text()
        start, end = text.index("COLUMNS = [\n") + len("COLUMNS = [\n"), text.index("]\n")
        file.write_text(text[:start] + columns + text[end:])


@contextmanager
def site(folder: Path, clone: Path, *, env: Mapping[str, str] | None = None, port: int = 0) -> Iterator[Site]:
    """Serve a new repository whose first push will come from this clone; workflows may open pull requests.

    Args:
        folder: Where everything is kept.
        clone: A Git repository; its remote `origin` becomes the hub.
        env: What the machines that run workflows have in their environment.
        port: Where to listen; a free one unless named.
    """
    hub = LocalGitHub(folder / "hub").start(port)
    try:
        with memory.lent(folder / "runs") as runs, Runner(hub, runs, env=env or {}) as runner:
            hub.listeners.append(runner.on_event)
            hub.approvers.append(runner.approve)
            hub.reviewers.append(runner.review)
            hub.settings.actions_may_open_pull_requests = True
            made = Site(hub, runner, clone)
            made.run("git", "remote", "add", "origin", hub.remote)
            yield made
    finally:
        hub.stop()


def warm_cache(folder: Path, locks: Path) -> dict[str, str]:
    """Caches for the machines that run workflows, in which every package is compiled already; as an environment.

    Each job installs its packages anew, as on GitHub, and Python would compile them anew too; on a machine with two
    cores that takes longer than the job. uv links what it finds in its cache, compiled files included. What pip
    installs (uv first of all) lies ready in a folder, so that no index is asked; the lock's hashes hold all the same.

    Args:
        folder: Where the caches are kept.
        locks: The folder of the lock files that will be installed.

    Raises:
        NotInstalled: No index could be asked, or it lacks something.
    """
    cache, venv = folder / "uv", folder / "venv"
    # As jobs call it: with the settings of pip.
    uv = [sys.executable, "-m", "gitops_ml.uv", "--cache-dir", str(cache), "--quiet"]
    _must(*uv, "venv", "--python", sys.executable, str(venv))
    wanted = ["-r", str(locks / "build.txt"), "-r", str(locks / "dev.txt")]
    _must(*uv, "pip", "install", "--python", str(venv / "bin" / "python"), "--require-hashes", *wanted)
    shutil.rmtree(venv)
    wheels = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
              "--dest", str(folder / "wheels")]  # fmt: skip
    _must(*wheels, "-r", str(locks / "build.txt"))
    # Packages carry files that no Python of today can compile; whatever can be, is.
    compiled = [sys.executable, "-m", "compileall", "-q", "-j", "0", str(cache / "archive-v0")]
    subprocess.run(compiled, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return caches(folder)


def _must(*command: str) -> None:
    """Run what fetches packages."""
    done = subprocess.run(
        command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    if done.returncode:
        raise NotInstalled(done.stdout[-2000:].strip())


def caches(folder: Path) -> dict[str, str]:
    """The caches in a folder, as an environment; what mypy learns of the libraries is kept there too."""
    wheels = folder / "wheels"
    ready = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "UV_OFFLINE": "1"} if wheels.is_dir() else {}
    return {"UV_CACHE_DIR": str(folder / "uv"), "PIP_CACHE_DIR": str(folder / "pip"),
            "MYPY_CACHE_DIR": str(folder / "mypy"), **ready}  # fmt: skip
