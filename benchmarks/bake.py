"""A repository from the template, set up, for all benchmarks to run in."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import run

TEMPLATE = Path(__file__).parents[1]
INSIDE = Path(__file__).parent / "inside"


@dataclass(frozen=True)
class Baked:
    """A generated repository with its environment.

    Attributes:
        root: Where it lies; its package is called `bench`.
        setup: Seconds that `make setup` took.
    """

    root: Path
    setup: float

    @property
    def python(self) -> Path:
        """Its interpreter, which has gitops and what gitops needs."""
        return self.root / ".venv" / "bin" / "python"

    @property
    def gitops(self) -> Path:
        """The command."""
        return self.root / ".venv" / "bin" / "gitops"

    def another(self, name: str) -> Path:
        """A second repository beside this one, that is served by this one's environment."""
        folder = self.root.with_name(name)
        shutil.copytree(self.root, folder, ignore=shutil.ignore_patterns(".venv", "__pycache__"))
        run("git", "init", "--quiet", "--initial-branch=main", cwd=folder)
        return folder


def bake(folder: Path) -> Baked:
    """Generate a repository below this folder and set it up."""
    # cookiecutter would otherwise keep the answers in the home of whoever measures.
    settings = folder / "cookiecutter.yaml"
    places = {name: str(folder / name) for name in ("cookiecutters_dir", "replay_dir")}
    settings.write_text(json.dumps(places), encoding="utf-8")
    run(
        sys.executable, "-m", "cookiecutter", TEMPLATE, "--no-input", "--config-file", settings,
        "--output-dir", folder, "project_name=Bench", cwd=folder,
    )  # fmt: skip
    root = folder / "bench"
    baked = Baked(root, run("make", "setup", f"PYTHON={sys.executable}", cwd=root).seconds)
    _warm_up(baked)
    return baked


def _warm_up(baked: Baked) -> None:
    """Use every library once, or else whatever is measured first would pay for compiling it."""
    root = baked.another("warm")
    commit(root)
    for command in ("validate", "train", "register"):
        run(baked.gitops, "--project", root, command, cwd=root)


def commit(root: Path) -> None:
    """Commit all files, so that training finds nothing dirty."""
    run("git", "add", "--all", cwd=root)
    run("git", "commit", "--quiet", "--message", "Measure this", cwd=root)
