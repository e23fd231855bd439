"""Write the library's wheel to the repository, pin its hash, and print the next commands."""

import sys

if not getattr(sys.flags, "safe_path", False):
    sys.path.pop(0)  # the working directory, which may contain a file called json.py
sys.dont_write_bytecode = True  # write no files to the template's folder

import importlib.util
import json
import os
import subprocess
import tomllib
from pathlib import Path

LIBRARY = "gitops-ml"
TEMPLATE = Path(json.loads(r"""<<cookiecutter|jsonify>>""").get("_repo_dir", ""))
PACKAGE = "<<cookiecutter.package_name>>"
BUILDER = Path("src", "gitops_ml", "wheel.py")


def cookiecutter_folder() -> Path:
    """Return the working directory of cookiecutter: while hooks run, it is the template."""
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
    """Return whether a folder contains the source of the library; other folders may have the template's name."""
    project = folder / "pyproject.toml"
    if not project.is_file() or not (folder / BUILDER).is_file():
        return False
    return bool(tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}).get("name") == LIBRARY)


def find_checkout() -> Path:
    """Return the template's folder: `_repo_dir` is the path as typed, relative to the directory of the command."""
    typed = Path(os.environ.get("PWD", os.curdir), TEMPLATE)
    folders = [TEMPLATE] if TEMPLATE.is_absolute() else [cookiecutter_folder(), typed]
    for folder in filter(is_checkout, folders):
        return folder
    sys.exit(
        f"The template at '{TEMPLATE}' is not a whole checkout: it lacks {BUILDER} or the pyproject.toml of {LIBRARY}. "
        "The library is built from them. Pass the URL of the template, its folder, or a zip file of it."
    )


def refuse_module_of_package(checkout: Path) -> None:
    """Refuse a package with the name of a module that the repository installs: your code would hide it, or be hidden.

    hooks/modules.txt lists the modules of all packages in the locks.
    """
    lines = (checkout / "hooks" / "modules.txt").read_text(encoding="utf-8").splitlines()
    package = dict(line.split() for line in lines).get(PACKAGE)
    if package:
        sys.exit(
            f"package_name is '{PACKAGE}', a module of the package {package}, which the repository installs; choose "
            f"another, such as '{PACKAGE}_model'."
        )


folder = find_checkout()
refuse_module_of_package(folder)
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
git push -u origin main     # to an empty repository: it trains a model and opens a pull request that proposes it
""")
