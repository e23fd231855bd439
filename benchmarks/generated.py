"""Generate a repository from the template and set it up, for all benchmarks."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import run

TEMPLATE = Path(__file__).parents[1]
INSIDE = Path(__file__).parent / "inside"


@dataclass(frozen=True)
class GeneratedRepository:
    """A generated repository with its environment.

    Attributes:
        root: Root of the repository; its package is called `bench`.
        setup: Duration of `make setup` (seconds).
    """

    root: Path
    setup: float

    @property
    def python(self) -> Path:
        """Interpreter of the environment, with gitops and its dependencies."""
        return self.root / ".venv" / "bin" / "python"

    @property
    def gitops(self) -> Path:
        """Program of the command `gitops`."""
        return self.root / ".venv" / "bin" / "gitops"

    def copy_to(self, name: str) -> Path:
        """Copy the repository to a folder beside it, without the environment, and initialize Git."""
        folder = self.root.with_name(name)
        shutil.copytree(self.root, folder, ignore=shutil.ignore_patterns(".venv", "__pycache__"))
        run("git", "init", "--quiet", "--initial-branch=main", cwd=folder)
        return folder


def generate(folder: Path) -> GeneratedRepository:
    """Generate a repository in a folder and set it up."""
    # cookiecutter would otherwise write the answers to the home folder of the user.
    settings = folder / "cookiecutter.yaml"
    folders = {name: str(folder / name) for name in ("cookiecutters_dir", "replay_dir")}
    settings.write_text(json.dumps(folders), encoding="utf-8")
    run(
        sys.executable, "-m", "cookiecutter", TEMPLATE, "--no-input", "--config-file", settings,
        "--output-dir", folder, "project_name=Bench", cwd=folder,
    )  # fmt: skip
    root = folder / "bench"
    generated = GeneratedRepository(root, run("make", "setup", f"PYTHON={sys.executable}", cwd=root).seconds)
    _warm_up(generated)
    return generated


def _warm_up(generated: GeneratedRepository) -> None:
    """Use every library once, so that the first benchmark does not include its compilation."""
    root = generated.copy_to("warm")
    commit(root)
    for command in ("validate", "train", "register"):
        run(generated.gitops, "--project", root, command, cwd=root)


def commit(root: Path) -> None:
    """Commit all files, so that training finds no uncommitted changes."""
    run("git", "add", "--all", cwd=root)
    run("git", "commit", "--quiet", "--message", "Measure this", cwd=root)
