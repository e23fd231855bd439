"""A generated repository, and two versions of library and template between which it is updated."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import checkouts
from gitops_ml.updating import library_files, template_rendering
from gitops_ml.updating.file_owners import find_owner
from gitops_ml.updating.library_files import LibraryFiles
from gitops_ml.updating.update_run import UpdateResult, update
from gitops_ml.wheel import Wheel, build, write
from repositories import TEMPLATE, replace_in_file
from unit.sample import library_wheel

GENERATED = "<<cookiecutter.project_slug>>"
ANSWERS = {
    "project_name": "Tumour Screening", "project_slug": "tumour-screening", "package_name": "tumour_screening",
    "description": "A model.", "github_owner": "octocat", "maintainer": "octocat", "task": "classification",
    "python_version": "3.11",
}  # fmt: skip
# Commits and digests of no action and no image.
NEWER_ACTION = f"actions/checkout@{'1' * 40} # v7.9.0"
OLDER_ACTION = f"actions/checkout@{'2' * 40} # v7.5.0"
NEWEST_ACTION = f"actions/checkout@{'3' * 40} # v8.0.0"
ACTION = re.compile(r"actions/checkout@[0-9a-f]{40} # v[\d.]+")
IDENTITY = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))}  # fmt: skip


@dataclass(frozen=True)
class Clone:
    """A clone of a generated repository.

    Attributes:
        root: Root of the clone.
    """

    root: Path

    def git(self, *arguments: str) -> str:
        """Run git; return its output."""
        env = {**os.environ, **IDENTITY}
        done = subprocess.run(["git", *arguments], cwd=self.root, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"git {arguments}: {done.stderr}"
        return done.stdout.strip()

    def path(self, name: str) -> Path:
        """Return the path of a file."""
        return self.root / name

    def edit(self, name: str, changes: Mapping[str, str]) -> None:
        """Replace texts in a file; each must exist."""
        replace_in_file(self.root / name, dict(changes))

    def append(self, name: str, text: str) -> None:
        """Append text to a file."""
        self.write(name, self.path(name).read_text() + text)

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file."""
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, message: str = "An edit") -> str:
        """Commit everything; return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def update(self, new: LibraryFiles | None = None, branch: str = "update/gitops-ml") -> UpdateResult:
        """Update to a version of the library; by default to the newer one."""
        return update(self.root, new or newer(), branch)

    def show(self, name: str, revision: str = "update/gitops-ml") -> str:
        """Return the text of a file at a revision."""
        return self.git("show", f"{revision}:{name}")

    def files(self, revision: str = "update/gitops-ml") -> set[str]:
        """Return the paths of a revision."""
        return set(self.git("ls-tree", "-r", "-z", "--name-only", revision).strip("\0").split("\0"))

    def changed(self, revision: str = "update/gitops-ml") -> set[str]:
        """Return the paths that a revision changes."""
        return set(self.git("diff", "--name-only", "--no-renames", "-z", "main", revision).strip("\0").split("\0"))

    def state(self) -> tuple[str, str, str]:
        """Return branches, index and working tree, as far as Git sees them."""
        return self.git("show-ref"), self.git("ls-files", "--stage"), self.git("status", "--porcelain=v2", "--ignored")


def pin_of(wheel: Wheel) -> str:
    """Return the content of requirements/gitops.txt for a wheel."""
    return f"--find-links ../vendor\n{wheel.requirement}\n"


def patch_template(checkout: Path) -> None:
    """Turn a checkout into the next version: one change of each kind."""
    template = checkout / GENERATED
    for file in (checkout / "pyproject.toml", checkout / "cookiecutter.json"):
        replace_in_file(file, {"0.2.0.dev0": "0.3.0.dev0"})
    questions = json.loads((checkout / "cookiecutter.json").read_text())
    (checkout / "cookiecutter.json").write_text(json.dumps({"licence": ["MIT", "none"], **questions}))
    replace_in_file(
        template / ".cookiecutter.json", {'"answers": {': '"answers": {\n    "licence": "<<cookiecutter.licence>>",'}
    )
    replace_in_file(template / ".github/workflows/ci.yml", {"name: Check types": "name: Check the types"})
    for file in (template / ".github/workflows").iterdir():
        file.write_text(ACTION.sub(NEWER_ACTION, file.read_text()))
    replace_in_file(template / "Makefile", {"## Run the tests of your code": "## Run your tests"})
    replace_in_file(template / "deploy/Dockerfile", {digest_of(template / "deploy/Dockerfile"): "b" * 64})
    replace_in_file(template / "README.md", {"## Everyday commands": "## Commands for every day"})
    replace_in_file(template / "model.toml", {"[data]": "[data] # changed in the template"})
    (template / "deploy/kubernetes/base/poddisruptionbudget.yaml").unlink()
    (template / "docs/runbook.md").rename(template / "docs/instructions.md")
    replace_in_file(template / "docs/instructions.md", {"# Runbook\n": "# Instructions\n"})
    (template / "docs/new-page.md").write_text("# A new page\n")
    (template / "tests/test_new.py").write_text('# yours\n"""A new sample of a test."""\n')
    gate = '"""A new gate."""\n\nclass Example:\n    id = "EXAMPLE"\n'
    (checkout / "src/gitops_ml/training/gates/example.py").write_text(gate)


def digest_of(dockerfile: Path) -> str:
    """Return the digest of the first image of a Dockerfile."""
    match = re.search(r"@sha256:([0-9a-f]{64})", dockerfile.read_text())
    assert match
    return match[1]


def make_next(folder: Path, patch: Callable[[Path], None] = patch_template) -> LibraryFiles:
    """Build the wheel of a patched copy of this checkout."""
    checkout = checkouts.copy(folder)
    patch(checkout)
    return files_of(build(checkout))


def files_of(wheel: Wheel) -> LibraryFiles:
    """Return the files of a wheel."""
    return library_files.read_wheel(wheel.content, pin_of(wheel))


@cache
def older() -> LibraryFiles:
    """Return the library of this checkout."""
    return files_of(library_wheel())


_NEWER: list[LibraryFiles] = []


def newer() -> LibraryFiles:
    """Return the patched library, which `set_newer` has set."""
    return _NEWER[0]


def set_newer(files: LibraryFiles) -> None:
    """Set the patched library."""
    _NEWER[:] = [files]


class Renderings:
    """Templates that are unpacked and rendered once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._unpack, self._render = template_rendering.unpack, template_rendering.render

    def unpack(self, template: bytes, folder: Path) -> Path:
        """Return the folder of a template."""
        unpacked = self.folder / hashlib.sha256(template).hexdigest()[:12]
        return unpacked if unpacked.exists() else self._unpack(template, unpacked)

    def render(self, template: Path, answers: Mapping[str, str], folder: Path) -> Path:
        """Return the folder of a rendering."""
        key = hashlib.sha256(f"{template}{sorted(answers.items())}".encode()).hexdigest()[:12]
        rendered = self.folder / f"rendered-{key}"
        if not rendered.exists():
            self._render(template, answers, rendered)
        return next(rendered.iterdir())


def generate(folder: Path) -> Clone:
    """Generate a repository with the library of this checkout, commit it to main."""
    template = template_rendering.unpack(older().template, folder / "template")
    root = template_rendering.render(template, ANSWERS, folder / "rendered")
    target = folder / "repository"
    shutil.copytree(root, target)
    write(library_wheel(), target)
    clone = Clone(target)
    clone.git("init", "--quiet", "--template=", "--initial-branch", "main")
    clone.commit("Start from the template")
    return clone


__all__ = ["TEMPLATE", "find_owner"]
