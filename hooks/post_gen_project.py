"""Put the library's wheel in place, pin its hash, and greet with the next three commands."""

import sys

if not getattr(sys.flags, "safe_path", False):
    sys.path.pop(0)  # the folder that this runs from, where anybody may leave a file called json.py
sys.dont_write_bytecode = True  # the template's folder stays as it is

import importlib.util
import json
import os
import subprocess
import tomllib
from pathlib import Path

LIBRARY = "gitops-ml"
TEMPLATE = Path(json.loads(r"""<<cookiecutter|jsonify>>""").get("_repo_dir", ""))
BUILDER = Path("src", "gitops_ml", "wheel.py")


def parents_folder() -> Path:
    """Return the folder that cookiecutter works in: while hooks run, it is the template."""
    linux = Path("/proc", str(os.getppid()), "cwd")
    if linux.exists():
        return linux.resolve()
    command = ["lsof", "-a", "-p", str(os.getppid()), "-d", "cwd", "-Fn"]
    try:
        lines = subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()
    except OSError:
        lines = []
    return Path(next((line[1:] for line in lines if line.startswith("n")), os.curdir)).resolve()


def is_checkout(folder: Path) -> bool:
    """Return whether a folder holds the source of the library; another folder may have the template's name."""
    project = folder / "pyproject.toml"
    if not project.is_file() or not (folder / BUILDER).is_file():
        return False
    return bool(tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}).get("name") == LIBRARY)


def checkout() -> Path:
    """Return the template's folder: `_repo_dir` is the path as typed, relative to where cookiecutter was started."""
    typed = Path(os.environ.get("PWD", os.curdir), TEMPLATE)
    folders = [TEMPLATE] if TEMPLATE.is_absolute() else [parents_folder(), typed]
    for folder in filter(is_checkout, folders):
        return folder
    sys.exit(
        f"The template at '{TEMPLATE}' is not a whole checkout: {BUILDER} and a pyproject.toml of {LIBRARY} must lie "
        "beside it, for the library is built from them. Name the template by its address, its folder, or a zip of it."
    )


folder = checkout()
spec = importlib.util.spec_from_file_location("wheel", folder / BUILDER)
assert spec is not None and spec.loader is not None  # noqa: PT018, S101
wheel = sys.modules["wheel"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(wheel)
wheel.write(wheel.build(folder), Path.cwd())

print("""
<<cookiecutter.project_slug>> is ready. Next:

  cd <<cookiecutter.project_slug>> && git init -b main && git add -A && git commit -m "Start from the template"
  make setup && make loop     # try it here: validate, train, register, compare and propose
  git remote add origin https://github.com/<<cookiecutter.github_owner>>/<<cookiecutter.project_slug>>.git && \
git push -u origin main     # to an empty repository there: it trains, and opens a pull request that offers the model
""")
