"""Copies of this checkout to generate from and to build."""

import json
import shutil
from pathlib import Path

from gitops_ml.wheel import SOURCES
from repositories import TEMPLATE, run

# Files beside the sources that build the wheel, or that exclude files from it.
BUILD_FILES = (".gitignore", ".gitattributes", "hatch_build.py")
# Files that are not copied: those that Git ignores, and a few more.
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache", ".venv", ".gitops")


def copy(folder: Path) -> Path:
    """Copy the files that the wheel is built from, and return the copy's root."""
    folder.mkdir(parents=True)
    for name in (*SOURCES, *BUILD_FILES):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (TEMPLATE / name).is_dir():
            shutil.copytree(TEMPLATE / name, target, ignore=IGNORED)
        else:
            shutil.copyfile(TEMPLATE / name, target)
    return folder


def make_small(folder: Path, mark: str = "") -> Path:
    """Make a checkout with the real hooks and builder, and a template and a library of one file each.

    Args:
        folder: Folder of the new checkout.
        mark: Text in the library, by which its wheel differs from that of another checkout.
    """
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore", "src/gitops_ml/wheel.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(TEMPLATE / name, folder / name)
    shutil.copytree(TEMPLATE / "hooks", folder / "hooks", ignore=IGNORED)
    (folder / "src" / "gitops_ml" / "__init__.py").write_text(f'"""The library{mark}."""\n')
    questions = json.loads((TEMPLATE / "cookiecutter.json").read_text())
    (folder / "cookiecutter.json").write_text(json.dumps(questions))
    generated = folder / "<<cookiecutter.project_slug>>"
    (generated / "requirements").mkdir(parents=True)
    (generated / "requirements" / "serve.in").write_text("gitops-ml[serve]\n")
    return folder


def commit(root: Path, message: str = "start") -> None:
    """Commit all files of a folder; make it a Git repository first."""
    if not (root / ".git").exists():
        run(root, "git", "init", "--quiet", "--initial-branch", "main")
    run(root, "git", "add", "--all")
    run(root, "git", "commit", "--quiet", "--message", message)
