"""Start states of saboteurs: states of the local GitHub that the real workflows make once, and that are copied."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from github.contributor import Contributor, start_github
from github.model import Run
from repositories import replace_in_file, run

from .world import BY_TIME, generate

CI, DEPLOY = "ci.yml", "deploy.yml"


def champion(folder: Path, env: Mapping[str, str]) -> None:
    """Make a first champion, trained, proposed and merged by the workflows.

    It is not deployed: a model is compared with the record on main, whatever version runs.
    """
    _promoted(folder, generate(folder / "made"), env)


def dated(folder: Path, env: Mapping[str, str]) -> None:
    """Make a first champion with a split by time."""
    root = generate(folder / "made")
    replace_in_file(root / "model.toml", BY_TIME)
    run(root, "git", "commit", "--quiet", "--all", "--message", "Hold out what happened last")
    _promoted(folder, root, env)


def _promoted(folder: Path, root: Path, env: Mapping[str, str]) -> None:
    with start_github(folder, root, env=env) as github:
        github.hub.settings.disabled = {DEPLOY}
        _settled(_pushed(github, "Hello"))
        github.merge(github.pull["number"])
        _settled(github.wait_for_runs())
        github.run("git", "pull", "--quiet", "--rebase", "origin", "main")
        _leave(github, folder)


def empty(folder: Path, env: Mapping[str, str]) -> None:
    """Make a repository without a push and without a floor."""
    root = generate(folder / "made")
    replace_in_file(root / "model.toml", {"roc_auc = 0.7\n": ""})
    run(root, "git", "commit", "--quiet", "--all", "--message", "Set no floor")
    with start_github(folder, root, env=env) as github:
        github.run("git", "push", "--quiet", str(github.hub.bare), "main")
        _leave(github, folder)


def _pushed(github: Contributor, message: str) -> dict[str, Run]:
    github.push(message)
    return github.wait_for_runs()


def _settled(ended: dict[str, Run]) -> None:
    """Assert that all runs are green."""
    for name, each in ended.items():
        logs = "\n".join(f"{job.id}: {job.conclusion}\n{job.log[-3000:]}" for job in each.jobs.values())
        assert each.conclusion == "success", f"{name}: {each.conclusion}\n{logs}"


def _leave(github: Contributor, folder: Path) -> None:
    """Keep the clone, without its remote, and the bare repository."""
    github.run("git", "remote", "remove", "origin")
    github.clone.rename(folder / "clone")


@contextmanager
def resumed(start: Path, folder: Path, env: Mapping[str, str]) -> Iterator[Contributor]:
    """Start a copy of a state, in which only Train runs."""
    (folder / "hub").mkdir(parents=True)
    for bare in (start / "hub").glob("*.git"):
        shutil.copytree(bare, folder / "hub" / bare.name)
    shutil.copytree(start / "clone", folder / "clone", symlinks=True)
    with start_github(folder, folder / "clone", env=env) as github:
        github.hub.settings.disabled = {CI, DEPLOY}
        yield github
        assert github.hub.violations == []


def cloned(start: Path, folder: Path) -> Path:
    """Return a clone of a copy of a state; its remote is the bare repository, without the local GitHub."""
    (bare,) = (start / "hub").glob("*.git")
    shutil.copytree(bare, folder / "remote.git")
    shutil.copytree(start / "clone", folder / "clone", symlinks=True)
    run(folder / "clone", "git", "remote", "add", "origin", str(folder / "remote.git"))
    run(folder / "clone", "git", "fetch", "--quiet", "origin")
    return folder / "clone"


def push(clone: Path, message: str) -> None:
    """Commit and push all changes."""
    run(clone, "git", "add", "--all")
    run(clone, "git", "commit", "--quiet", "--allow-empty", "--message", message)
    run(clone, "git", "push", "--quiet", "origin", "HEAD:main")
