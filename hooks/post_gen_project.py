"""Put the library's wheel in place, pin its hash, and greet with the next three commands."""

import sys

sys.path.pop(0)  # the folder that this runs from, where anybody may leave a file called json.py

import importlib.util
import json
import os
import subprocess
from pathlib import Path

TEMPLATE = json.loads(r"""<<cookiecutter|jsonify>>""")["_repo_dir"]
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


def checkout() -> Path:
    """Return the template's folder: `_repo_dir` is the path as typed, relative to where cookiecutter was started."""
    folders = (Path(TEMPLATE), parents_folder(), Path(os.environ.get("PWD", os.curdir), TEMPLATE))
    for folder in folders[0 if Path(TEMPLATE).is_absolute() else 1 :]:
        if (folder / BUILDER).is_file():
            return folder
    sys.exit(
        f"The template at {TEMPLATE!r} has no library beside it ({BUILDER}), so the repository would not work. "
        "Generate from a whole checkout: its address, its folder, or a zip of it."
    )


folder = checkout()
spec = importlib.util.spec_from_file_location("wheel", folder / BUILDER)
wheel = importlib.util.module_from_spec(spec)
sys.modules["wheel"] = wheel
spec.loader.exec_module(wheel)
if not wheel.is_checkout(folder):
    sys.exit(
        f"{folder / 'pyproject.toml'} is not that of {wheel.NAME}. Generate from a whole checkout of the template."
    )
wheel.write(wheel.build(folder), Path.cwd())

print("""
<<cookiecutter.project_slug>> is ready. Next:

  cd <<cookiecutter.project_slug>> && git init -b main && git add -A && git commit -m "Start from the template"
  make setup && make loop     # try it here: validate, train, register, compare and propose
  git remote add origin https://github.com/<<cookiecutter.github_owner>>/<<cookiecutter.project_slug>>.git && \
git push -u origin main     # to an empty repository there: it trains, and opens a pull request that offers the model
""")
